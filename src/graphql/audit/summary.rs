//! The part of an audit line that is the same whoever asks an operation.

use std::borrow::Cow;

use crate::graphql::document::sha256;
use crate::graphql::operation::{Operation, Value};
use crate::graphql::schema::federation::representations;

/// Longest operation name that is written out.
const LONGEST_NAME: usize = 100;

/// The most keys of entities that are written out: as many as one list of them can have.
const MOST_KEYS: usize = 200;

/// An operation, as the trail names it.
pub(crate) struct AuditSummary {
    pub(crate) operation: Option<String>,
    /// The names of the root fields, commas between them.
    pub(super) fields: String,
    /// Arguments that name single records.
    pub(super) ids: String,
}

impl AuditSummary {
    pub(crate) fn of(operation: &Operation) -> Self {
        let mut fields: Vec<_> = operation.fields.iter().map(|field| field.name.as_str()).collect();
        fields.sort_unstable();
        fields.dedup();
        let ids = operation.fields.iter().flat_map(|field| {
            ["id", "from"].into_iter().filter_map(|argument| match field.argument(argument)? {
                Value::String(id) => Some(showable(id)),
                _ => None,
            })
        });
        let entities = operation.fields.iter().filter_map(representations).flatten();
        let keys: Vec<_> = entities.flatten().map(|asked| showable(&asked.key).into_owned()).take(MOST_KEYS).collect();
        Self {
            operation: operation.name.as_ref().map(|name| name.chars().take(LONGEST_NAME).collect()),
            fields: fields.join(","),
            ids: ids.chain(keys.into_iter().map(Cow::Owned)).collect::<Vec<_>>().join(","),
        }
    }
}

/// An id as it may stand in the trail: as it is if it looks like one, else its hash. Some connections make ids of addresses, and callers can
/// write anything where an id should be.
pub(super) fn showable(id: &str) -> Cow<'_, str> {
    // Of a client that got a token for itself, Auth0 says `…@clients`.
    let name = id.strip_suffix("@clients").unwrap_or(id);
    let is_plain =
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'|' | b'-' | b'_' | b'.' | b':'));
    // A number could be a telephone's, which has fifteen digits at the most (E.164); the shortest ids of logs have more.
    let is_id = name.contains('|') || name.len() < id.len() || name.len() > 20;
    if is_plain && is_id && id.len() <= 256 { id.into() } else { short_hash(id).into() }
}

pub(super) fn short_hash(text: &str) -> String {
    format!("sha256:{}", &sha256(text)[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shown_and_what_may_be_an_address_is_not() {
        for id in ["auth0|64b1f0c2a7d9e83f5c6b1a20", "samlp|corp|jdoe", "an-id@clients", &"9002".repeat(14)] {
            assert_eq!(showable(id), id);
        }
        for text in [
            "ada@example.com",
            "samlp|corp|ada@example.com",
            "ada@example.com@clients",
            "+15550100",
            "15550100",
            "sms|+15550100",
            "Ada Lovelace",
            "Ada",
            "auth0|a\nb",
            "auth0|é",
            "",
            &"x".repeat(257),
        ] {
            let shown = showable(text);
            assert!(shown.starts_with("sha256:") && shown.len() == 23, "{text}: {shown}");
        }
        // `printf %s ada@example.com | sha256sum` tells whose it is.
        assert_eq!(showable("ada@example.com"), short_hash("ada@example.com"));
    }
}
