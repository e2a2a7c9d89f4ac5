//! JSON text, read and written without a tree: values stay the slices that Auth0 sent.

#[cfg(any(test, feature = "bench", feature = "fuzzing"))]
pub(crate) mod agreement;
mod scan;

use std::borrow::Cow;

use self::scan::Scanner;

/// The text is not the JSON that it should be. Where it broke helps no caller, and its words are personal data: neither
/// is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the JSON cannot be read")]
pub(crate) struct JsonError;

/// A JSON value as it stands in a text, known to be well-formed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw<'a> {
    /// Not as `str`, which would look at both ends of each value once more.
    bytes: &'a [u8],
    /// The number of strings in it that hold an escape. Most values have none, and can be copied without a look. As long as an
    /// address: what is copied with a gap behind it stalls the processor.
    escaped: usize,
}

impl<'a> Raw<'a> {
    /// The value as it stands there, quotes included.
    #[inline]
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Its parts. A value that a call is given as a whole is in memory from its start, also where the call is not made,
    /// and to read it back from there at once stalls the processor.
    #[inline]
    pub(crate) fn parts(self) -> (&'a [u8], usize) {
        (self.bytes, self.escaped)
    }

    /// The value that consists of `parts`.
    pub(crate) fn of((bytes, escaped): (&'a [u8], usize)) -> Self {
        Self { bytes, escaped }
    }

    /// The same as text.
    pub(crate) fn text(self) -> &'a str {
        str_of(self.bytes)
    }

    /// The bytes between the quotes, if it is a string in which nothing is escaped.
    #[inline]
    pub(crate) fn plain(self) -> Option<&'a [u8]> {
        match self.bytes {
            [b'"', inner @ .., b'"'] if self.escaped == 0 => Some(inner),
            _ => None,
        }
    }

    /// Its first byte, which tells the kind of value.
    #[inline]
    pub(crate) fn first(self) -> u8 {
        self.bytes.first().copied().unwrap_or_default()
    }

    #[inline]
    pub(crate) fn is_null(self) -> bool {
        self.first() == b'n'
    }

    /// True if it is a string that stands for `text`.
    #[inline]
    pub(crate) fn is(self, text: &str) -> bool {
        match self.plain() {
            Some(plain) => plain == text.as_bytes(),
            None => self.escaped > 0 && self.string().is_some_and(|string| string == text),
        }
    }

    /// The string that it stands for, if it is one, a lone surrogate as U+FFFD.
    pub(crate) fn string(self) -> Option<Cow<'a, str>> {
        let [b'"', inner @ .., b'"'] = self.bytes else { return None };
        if self.escaped == 0 {
            return Some(Cow::Borrowed(str_of(inner)));
        }
        let text = serde_json::from_slice(&whole_surrogates(self.bytes));
        Some(text.map_or_else(|_| Cow::Borrowed(str_of(inner)), Cow::Owned))
    }

    /// Appends the value as it stands, but for escaped lone surrogates: those are legal in JSON's grammar, and JavaScript
    /// writes them for text cut inside an emoji, yet strict readers refuse the whole answer for one.
    #[inline]
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        if self.escaped == 0 {
            out.extend_from_slice(self.bytes);
        } else {
            self.write_escaped(out);
        }
    }

    #[inline(never)]
    fn write_escaped(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&whole_surrogates(self.bytes));
    }
}

/// A visitor of the records of a JSON text, entry by entry.
pub(crate) trait Records<'a> {
    /// A key of an earlier record that is likely to be the next one here.
    #[inline]
    fn expected(&self) -> Option<Raw<'a>> {
        None
    }

    /// One entry of the record: its key, which is a string, whether that is the expected one, and its value. Duplicate keys
    /// come as often as they stand there.
    fn entry(&mut self, key: Raw<'a>, is_expected: bool, value: Raw<'a>);

    /// The record is over. `is_object` is false for one that is no JSON object (`null`, a string): it had no entries.
    fn end(&mut self, is_object: bool);
}

/// Sees to it that the text is UTF-8, which those who read it take for granted.
pub(crate) fn check_utf8(text: &[u8]) -> Result<(), JsonError> {
    simdutf8::basic::from_utf8(text).map(drop).map_err(|_| JsonError)
}

/// A part of a text that is known to be UTF-8.
fn str_of(part: &[u8]) -> &str {
    std::str::from_utf8(part).unwrap_or_default()
}

/// Reads `text`, a JSON array of records, in one pass.
pub(crate) fn read_records<'a>(text: &'a [u8], records: &mut impl Records<'a>) -> Result<(), JsonError> {
    let mut json = Scanner::new(text);
    if json.opens(b'[')? {
        loop {
            each_entry(&mut json, records)?;
            if !json.goes_on(b']')? {
                break;
            }
        }
    }
    json.end()
}

/// Reads `text`, a single record.
pub(crate) fn read_record<'a>(text: &'a [u8], records: &mut impl Records<'a>) -> Result<(), JsonError> {
    let mut json = Scanner::new(text);
    each_entry(&mut json, records)?;
    json.end()
}

#[inline]
fn each_entry<'a>(json: &mut Scanner<'a>, records: &mut impl Records<'a>) -> Result<(), JsonError> {
    let is_object = json.peek()? == b'{';
    if !is_object {
        json.value()?;
    } else if json.opens(b'{')? {
        loop {
            let (key, is_expected) = json.key(records.expected())?;
            records.entry(key, is_expected, json.value()?);
            if !json.goes_on(b'}')? {
                break;
            }
        }
    }
    records.end(is_object);
    Ok(())
}

/// Calls `element` with each element of the JSON array `text`.
pub(crate) fn read_array<'a>(text: &'a [u8], mut element: impl FnMut(Raw<'a>)) -> Result<(), JsonError> {
    let mut json = Scanner::new(text);
    if json.opens(b'[')? {
        loop {
            element(json.value()?);
            if !json.goes_on(b']')? {
                break;
            }
        }
    }
    json.end()
}

/// True if `text` is a number as JSON writes them, and nothing else.
pub(crate) fn is_number(text: &str) -> bool {
    let is_begun = matches!(text.as_bytes(), [b'-' | b'0'..=b'9', .., b'0'..=b'9'] | [b'0'..=b'9']);
    is_begun && Scanner::new(text.as_bytes()).value().is_ok_and(|number| number.bytes().len() == text.len())
}

/// Appends the comma that stands before every element but the first.
#[inline]
pub(crate) fn write_comma(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
}

/// Appends `text` as a JSON string.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..=0x1f => b'u',
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[plain..at]);
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            out.extend_from_slice(&[b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        plain = at + 1;
    }
    out.extend_from_slice(&text.as_bytes()[plain..]);
    out.push(b'"');
}

/// `text` with each escaped surrogate that has no partner replaced by `\ufffd`.
fn whole_surrogates(text: &[u8]) -> Cow<'_, [u8]> {
    let mut whole = Vec::new();
    let mut kept = 0;
    let mut at = 0;
    // A backslash stands only inside strings, and always before the character that it escapes: hopping from one to the
    // next needs no other state.
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        let escape = at + found;
        at = escape + 2;
        let Some(unit) = code_unit(text, escape) else { continue };
        at = escape + 6;
        match unit {
            0xd800..=0xdbff if matches!(code_unit(text, at), Some(0xdc00..=0xdfff)) => at += 6,
            0xd800..=0xdfff => {
                whole.extend_from_slice(&text[kept..escape]);
                whole.extend_from_slice(br"\ufffd");
                kept = at;
            }
            _ => {}
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    whole.extend_from_slice(&text[kept..]);
    Cow::Owned(whole)
}

/// The UTF-16 code unit of the `\uXXXX` escape that stands at `at`, if one does.
fn code_unit(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix(br"\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)? as u16))
}

#[cfg(test)]
mod tests;
