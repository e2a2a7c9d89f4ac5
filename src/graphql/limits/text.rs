//! The measures of a document's text: one pass over its bytes, which neither recurses nor allocates.

/// What a text comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Measures {
    pub(crate) bytes: u64,
    /// Lexical tokens as <https://spec.graphql.org/October2021/#sec-Language.Source-Text.Lexical-Tokens> has them, roughly: a
    /// text that is no GraphQL has some too.
    pub(crate) tokens: u64,
    /// How deeply brackets nest, strings and comments left out.
    pub(crate) nesting: u64,
    /// The length of the longest name or number, in bytes.
    pub(crate) word: u64,
}

pub(crate) fn measure(text: &str) -> Measures {
    let bytes = text.as_bytes();
    let mut measures = Measures { bytes: bytes.len() as u64, ..Measures::default() };
    let (mut at, mut depth) = (0, 0_u64);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let length = match rest[0] {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                at += 1;
                continue;
            }
            b'#' => {
                at += rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
                continue;
            }
            b'{' | b'(' | b'[' => {
                depth += 1;
                measures.nesting = measures.nesting.max(depth);
                1
            }
            b'}' | b')' | b']' => {
                depth = depth.saturating_sub(1);
                1
            }
            b'"' => string(rest),
            b'.' if rest.starts_with(b"...") => 3,
            _ => match word(rest) {
                0 => 1,
                length => {
                    measures.word = measures.word.max(length as u64);
                    length
                }
            },
        };
        measures.tokens += 1;
        at += length;
    }
    measures
}

/// The length of the name or number at the start of `rest`.
fn word(rest: &[u8]) -> usize {
    rest.iter()
        .enumerate()
        .position(|(at, byte)| match byte {
            b'.' => rest[at..].starts_with(b"..."),
            b'_' | b'-' | b'+' => false,
            byte => !byte.is_ascii_alphanumeric(),
        })
        .unwrap_or(rest.len())
}

/// The length of the string at the start of `rest`.
fn string(rest: &[u8]) -> usize {
    let is_block = rest.starts_with(br#"""""#);
    let (quote, escape): (&[u8], &[u8]) = if is_block { (br#"""""#, br#"\""""#) } else { (b"\"", b"\\") };
    let mut at = quote.len();
    while let Some(left) = rest.get(at..).filter(|left| !left.is_empty()) {
        if left.starts_with(escape) {
            at += if is_block { 4 } else { 2 };
        } else if left.starts_with(quote) {
            return at + quote.len();
        } else if !is_block && matches!(left[0], b'\n' | b'\r') {
            // The parser will refuse this string; whatever follows is not in it.
            return at;
        } else {
            at += 1;
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn brackets_in_strings_and_comments_do_not_nest() {
        for (text, expected) in [
            ("{ a { b(c: [1, [2]]) } }", 5),
            (r#"{ a(b: "{{{{") }"#, 2),
            (r#"{ a(b: "\"{{{{") }"#, 2),
            (r#"{ a(b: """ "{{ \""" {{ """) }"#, 2),
            ("# {{{{\n{ a }", 1),
            (r#"{ a(b: "unfinished {{"#, 2),
            ("{ a(b: \"unfinished \n{{", 4),
            (r#"{ a(b: "\"#, 2),
            ("}}}}{", 1),
        ] {
            assert_eq!(measure(text).nesting, expected, "{text}");
        }
    }

    #[test]
    fn tokens_are_counted_as_the_specification_has_them() {
        for (text, tokens, word) in [
            ("", 0, 0),
            (" ,\n\t# only a remark", 0, 0),
            ("{ user }", 3, 4),
            ("{...A}", 4, 1),
            ("query($x:[Int!]=-1.5e+3){a}", 15, 7),
            (r#"{ a(b: "one two", c: """three "four" """) }"#, 11, 1),
            ("\u{0}é", 3, 0),
        ] {
            let measures = measure(text);
            assert_eq!((measures.tokens, measures.word), (tokens, word), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_measured(text in r#"(\PC|[{}()\[\]"\\#.\n\r]){0,200}"#) {
            let measures = measure(&text);
            prop_assert!(measures.tokens <= measures.bytes && measures.nesting <= measures.tokens);
        }
    }
}
