//! The measures of a variable's value: one pass over its JSON, which does not recurse.

/// The measures of a value.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ValueMeasures {
    /// The depth to which lists and objects nest.
    pub(super) nesting: u64,
    /// The items of the longest list.
    pub(super) list: u64,
    /// The bytes of the longest string.
    pub(super) string: u64,
}

/// Measures `json`, whose syntax is sound.
pub(super) fn measure(json: &str) -> ValueMeasures {
    let mut measures = ValueMeasures::default();
    // For each list and object that is open, its commas; none for objects.
    let mut open: Vec<Option<u64>> = Vec::new();
    let mut bytes = json.bytes();
    let mut is_empty = true;
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => continue,
            b'[' | b'{' => {
                open.push((byte == b'[').then_some(0));
                measures.nesting = measures.nesting.max(open.len() as u64);
            }
            b']' | b'}' => {
                if let Some(Some(commas)) = open.pop() {
                    measures.list = measures.list.max(if is_empty { 0 } else { commas + 1 });
                }
            }
            b',' => {
                if let Some(Some(commas)) = open.last_mut() {
                    *commas += 1;
                }
            }
            b'"' => measures.string = measures.string.max(string(&mut bytes)),
            _ => {}
        }
        is_empty = byte == b'[';
    }
    measures
}

/// The bytes in a string, whose opening quote has been taken.
fn string(bytes: &mut impl Iterator<Item = u8>) -> u64 {
    let mut length = 0;
    while let Some(byte) = bytes.next() {
        length += match byte {
            b'"' => break,
            // A character of `\u` is three bytes at the most; half of a pair is two.
            b'\\' if bytes.next() == Some(b'u') => {
                bytes.by_ref().take(4).for_each(drop);
                3
            }
            _ => 1,
        };
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_list_and_string_count_at_whatever_depth() {
        let of = |json| {
            let ValueMeasures { nesting, list, string } = measure(json);
            (nesting, list, string)
        };
        assert_eq!(of("7"), (0, 0, 0));
        assert_eq!(of(r#" "abc" "#), (0, 0, 3));
        assert_eq!(of(r#""a\"\\\u0041""#), (0, 0, 6));
        assert_eq!(of("[]"), (1, 0, 0));
        assert_eq!(of("[ ]"), (1, 0, 0));
        assert_eq!(of("[[], [1, 2, 3]]"), (2, 3, 0));
        assert_eq!(of(r#"{"a": [{"b": [1, 2]}], "cde": "[[[["}"#), (4, 2, 4));
    }
}
