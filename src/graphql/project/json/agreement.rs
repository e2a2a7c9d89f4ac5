//! Agreement of the scanner with `serde_json` on any text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{JsonError, Raw, Records, read_array, read_record, read_records};

/// The entries of each record as they stand in the text; None for one that is no object.
type Read<'a> = Vec<Option<Entries<'a>>>;

/// The raw entries of an object.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Entries<'a>(pub(crate) Vec<(&'a str, &'a str)>);

/// Panics where text is not read as `serde_json` reads it: as a list of records, as one record, as an array, and in what
/// is said of escapes.
pub(crate) fn check(text: &str) {
    let records = serde_json::from_str::<Vec<&RawValue>>(text).ok();
    let expected = records.as_ref().map(|records| records.iter().map(|record| entries(record.get())).collect());
    assert_eq!(read(|collected| read_records(text.as_bytes(), collected)), expected, "as records: {text}");

    let record = serde_json::from_str::<&RawValue>(text).ok();
    let expected = record.map(|record| vec![entries(record.get())]);
    assert_eq!(read(|collected| read_record(text.as_bytes(), collected)), expected, "as a record: {text}");

    let mut elements = Vec::new();
    let array = read_array(text.as_bytes(), |element| elements.push(checked(element))).ok().map(|()| elements);
    let expected = records.map(|records| records.into_iter().map(RawValue::get).collect());
    assert_eq!(array, expected, "as an array: {text}");
}

fn read<'a>(how: impl FnOnce(&mut Collected<'a>) -> Result<(), JsonError>) -> Option<Read<'a>> {
    let mut collected = Collected::default();
    how(&mut collected).ok().map(|()| collected.records)
}

fn entries(record: &str) -> Option<Entries<'_>> {
    serde_json::from_str(record).ok()
}

fn checked(raw: Raw<'_>) -> &str {
    let text = raw.text();
    assert_eq!(raw.escaped > 0, text.contains('\\'), "{text}");
    assert_eq!(raw.is_null(), text == "null", "{text}");
    text
}

#[derive(Default)]
struct Collected<'a> {
    records: Read<'a>,
    present: Entries<'a>,
    /// The keys so far, and where the next one is expected.
    keys: Vec<Raw<'a>>,
    next: usize,
}

impl<'a> Records<'a> for Collected<'a> {
    fn expected(&self) -> Option<Raw<'a>> {
        self.keys.get(self.next).copied()
    }

    fn entry(&mut self, key: Raw<'a>, is_expected: bool, value: Raw<'a>) {
        assert_eq!(is_expected, self.expected().is_some_and(|expected| expected.bytes == key.bytes));
        self.keys.push(key);
        self.next += 1;
        self.present.0.push((checked(key), checked(value)));
    }

    fn end(&mut self, is_object: bool) {
        self.next = 0;
        let present = std::mem::take(&mut self.present);
        self.records.push(is_object.then_some(present));
    }
}

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(EachEntry)
    }
}

struct EachEntry;

impl<'de> Visitor<'de> for EachEntry {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            entries.push((key.get(), value.get()));
        }
        Ok(Entries(entries))
    }
}
