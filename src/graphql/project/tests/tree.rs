//! JSON as a tree, decoded plainly: what the projection is held to, and how its answers are read.

use serde_json::value::RawValue;

use crate::graphql::project::json::agreement::Entries;

/// A JSON value. Numbers keep their text, objects every entry in its place: what `serde_json::Value` would lose.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Null,
    Boolean(bool),
    Number(String),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Decodes what Auth0 sent. A lone surrogate is U+FFFD. None if it is not JSON.
    pub(super) fn of_input(json: &[u8]) -> Option<Self> {
        Self::read(std::str::from_utf8(json).ok()?, lossy_string)
    }

    /// Decodes an answer, as a reader does that knows no mercy.
    pub(super) fn of_answer(json: &[u8]) -> Option<Self> {
        Self::read(std::str::from_utf8(json).ok()?, |literal| serde_json::from_str(literal).ok())
    }

    fn read(json: &str, string: fn(&str) -> Option<String>) -> Option<Self> {
        let json = serde_json::from_str::<&RawValue>(json).ok()?.get();
        Some(match json.as_bytes()[0] {
            b'"' => Self::Text(string(json)?),
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
                Self::List(items.iter().map(|item| Self::read(item.get(), string)).collect::<Option<_>>()?)
            }
            b'{' => {
                let entries: Entries<'_> = serde_json::from_str(json).ok()?;
                let entries = entries.0.iter().map(|(key, value)| Some((string(key)?, Self::read(value, string)?)));
                Self::Object(entries.collect::<Option<_>>()?)
            }
            b'n' => Self::Null,
            b't' => Self::Boolean(true),
            b'f' => Self::Boolean(false),
            _ => Self::Number(json.to_owned()),
        })
    }

    /// The entries of an object, of several under one key the last, in the place of the first.
    pub(super) fn entries(&self) -> Option<Vec<(&str, &Tree)>> {
        let Self::Object(all) = self else { return None };
        let mut entries: Vec<(&str, &Tree)> = Vec::new();
        for (key, value) in all {
            match entries.iter_mut().find(|(known, _)| known == key) {
                Some((_, earlier)) => *earlier = value,
                None => entries.push((key, value)),
            }
        }
        Some(entries)
    }
}

/// The text of a JSON string literal, by way of UTF-16, as JavaScript reads it.
fn lossy_string(literal: &str) -> Option<String> {
    let mut units = Vec::new();
    let mut rest = literal.strip_prefix('"')?.strip_suffix('"')?.chars();
    while let Some(char) = rest.next() {
        let char = if char == '\\' {
            rest.next()?
        } else {
            units.extend(char.encode_utf16(&mut [0; 2]).iter());
            continue;
        };
        units.push(match char {
            'n' => 0xa,
            'r' => 0xd,
            't' => 0x9,
            'b' => 0x8,
            'f' => 0xc,
            'u' => {
                let digits: String = rest.by_ref().take(4).collect();
                u16::from_str_radix(&digits, 16).ok()?
            }
            char => u16::try_from(u32::from(char)).ok()?,
        });
    }
    Some(String::from_utf16_lossy(&units))
}
