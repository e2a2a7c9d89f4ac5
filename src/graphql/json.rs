//! JSON text, read and written without a tree: values stay the slices that Auth0 sent.
//!
//! Scanning is `serde_json`'s. Measured on a page of 100 full users, it takes half the time, in one pass, of a lazy SIMD
//! library in two; and it skips nested values with a loop, so that no depth of nesting can overflow the stack.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The text is not the JSON that it should be. Where it broke helps no caller, and its words are personal data: neither
/// is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the JSON cannot be read")]
pub(crate) struct Malformed;

impl From<serde_json::Error> for Malformed {
    fn from(_: serde_json::Error) -> Self {
        Self
    }
}

/// What takes in the records of a JSON text, entry by entry.
pub(crate) trait Records<'a> {
    /// One entry of the record: its key, unescaped, and its value as it stands in the text. Duplicate keys come as often
    /// as they stand there.
    fn entry(&mut self, key: Cow<'a, str>, value: &'a str);

    /// The record is over. `is_object` is false for one that is no JSON object (`null`, a string): it had no entries.
    fn end(&mut self, is_object: bool);
}

/// Reads `text`, a JSON array of records, in one pass.
pub(crate) fn read_records<'a>(text: &'a str, records: &mut impl Records<'a>) -> Result<(), Malformed> {
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_seq(EachRecord(records))?;
    Ok(json.end()?)
}

/// Reads `text`, a single record.
pub(crate) fn read_record<'a>(text: &'a str, records: &mut impl Records<'a>) -> Result<(), Malformed> {
    let mut json = serde_json::Deserializer::from_str(text);
    EachEntry(records).deserialize(&mut json)?;
    Ok(json.end()?)
}

/// Calls `element` with the text of each element of the JSON array `text`.
pub(crate) fn read_array<'a>(text: &'a str, element: impl FnMut(&'a str)) -> Result<(), Malformed> {
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_seq(EachElement(element))?;
    Ok(json.end()?)
}

/// The string that the JSON string `literal` (quotes included) stands for, a lone surrogate as U+FFFD.
pub(crate) fn unescape(literal: &str) -> Cow<'_, str> {
    let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str(&whole_surrogates(literal)).map_or_else(|_| Cow::Borrowed(inner), Cow::Owned)
}

/// Appends the JSON value `text` as it stands, but for escaped lone surrogates: those are legal in JSON's grammar, and
/// JavaScript writes them for text cut inside an emoji, yet strict readers refuse the whole answer for one.
pub(crate) fn write_value(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(whole_surrogates(text).as_bytes());
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
fn whole_surrogates(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut whole = String::new();
    let mut kept = 0;
    let mut at = 0;
    // A backslash stands only inside strings, and always before the character that it escapes: hopping from one to the
    // next needs no other state.
    while let Some(found) = memchr::memchr(b'\\', &text.as_bytes()[at..]) {
        let escape = at + found;
        at = escape + 2;
        let Some(unit) = code_unit(text, escape) else { continue };
        at = escape + 6;
        match unit {
            0xd800..=0xdbff if matches!(code_unit(text, at), Some(0xdc00..=0xdfff)) => at += 6,
            0xd800..=0xdfff => {
                whole.push_str(&text[kept..escape]);
                whole.push_str(r"\ufffd");
                kept = at;
            }
            _ => {}
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    whole.push_str(&text[kept..]);
    Cow::Owned(whole)
}

/// The UTF-16 code unit of the `\uXXXX` escape that stands at `at`, if one does.
fn code_unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix(r"\u")?;
    u16::from_str_radix(digits, 16).ok()
}

struct EachRecord<'s, S>(&'s mut S);

impl<'de, S: Records<'de>> Visitor<'de> for EachRecord<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(EachEntry(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

struct EachEntry<'s, S>(&'s mut S);

impl<'de, S: Records<'de>> DeserializeSeed<'de> for EachEntry<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, S: Records<'de>> EachEntry<'_, S> {
    fn no_object<E>(self) -> Result<(), E> {
        self.0.end(false);
        Ok(())
    }
}

impl<'de, S: Records<'de>> Visitor<'de> for EachEntry<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // The key is taken raw like the value: as a string, serde_json refuses one with a lone surrogate, and an odd key must
        // not cost a page; as bytes, it lets control characters pass.
        while let Some((key, value)) = map.next_entry::<&'de RawValue, &'de RawValue>()? {
            self.0.entry(unescape(key.get()), value.get());
        }
        self.0.end(true);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        self.no_object()
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.no_object()
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.no_object()
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.no_object()
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.no_object()
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.no_object()
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.no_object()
    }
}

struct EachElement<F>(F);

impl<'de, F: FnMut(&'de str)> Visitor<'de> for EachElement<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(element) = seq.next_element::<&'de RawValue>()? {
            (self.0)(element.get());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_surrogates_are_replaced_and_pairs_kept() {
        for (text, expected) in [
            (r#""plain""#, r#""plain""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""cut \ud83d""#, r#""cut \ufffd""#),
            (r#""\ude00 low""#, r#""\ufffd low""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""\\\ud83d""#, r#""\\\ufffd""#),
            (r#"{"\uD800":["\u00e9"]}"#, r#"{"\ufffd":["\u00e9"]}"#),
        ] {
            assert_eq!(whole_surrogates(text), expected, "{text}");
        }
    }

    #[test]
    fn a_written_string_reads_back() {
        let text = "quote \" backslash \\ tab \t bell \u{7} nul \0 delete \u{7f} 日本 🦀";
        let mut out = Vec::new();
        write_string(text, &mut out);
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }

    #[test]
    fn unescaping_agrees_with_serde_json() {
        for literal in [r#""""#, r#""a\nb""#, r#""\u0041\ud83d\ude00""#, r#""x""#] {
            assert_eq!(unescape(literal), serde_json::from_str::<String>(literal).unwrap());
        }
        assert_eq!(unescape(r#""\ud83d!""#), "\u{fffd}!");
    }
}
