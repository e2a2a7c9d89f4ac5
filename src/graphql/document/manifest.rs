//! The files in which build tools of front ends list the documents of a client.
//!
//! - An object of texts by their ids: `persisted-documents.json` of GraphQL Code Generator's client preset, where an id is the
//!   text's hash, and the file that Relay's compiler writes for `persistConfig`, where it is the text's MD5.
//! - `persisted-query-manifest.json` of Apollo's `generate-persisted-query-manifest`:
//!   `{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id", "body", "name", "type"}]}`.

use serde::Deserialize;
use serde_json::{Map, Value};

const APOLLO: &str = "apollo-persisted-query-manifest";

/// A document and its id.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ManifestEntry {
    pub(crate) id: String,
    pub(crate) text: String,
}

/// A text that is no manifest. Completes the sentence that begins with the file's name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read as JSON.
    #[error("is not JSON: line {line}, column {column}")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// It is none of the forms that are known.
    #[error(
        "is no manifest that is known: an object of documents by their ids (GraphQL Code Generator, Relay), or one with the \
         format {APOLLO}, version 1 (Apollo)"
    )]
    Unknown,
    /// There is nothing in it.
    #[error("holds no document")]
    Empty,
    /// An entry has no id or no text.
    #[error("holds an entry with an empty id or document, number {0}")]
    EmptyEntry(usize),
}

#[derive(Deserialize)]
struct Apollo {
    format: String,
    version: u64,
    operations: Vec<ApolloOperation>,
}

#[derive(Deserialize)]
struct ApolloOperation {
    id: String,
    body: String,
}

/// Reads a manifest, whichever tool wrote it.
pub(crate) fn parse(json: &str) -> Result<Vec<ManifestEntry>, ManifestError> {
    let json = json.strip_prefix('\u{feff}').unwrap_or(json);
    let value: Value = serde_json::from_str(json)
        .map_err(|error| ManifestError::NotJson { line: error.line(), column: error.column() })?;
    let Value::Object(object) = value else { return Err(ManifestError::Unknown) };
    let entries = if object.contains_key("operations") { apollo(object) } else { by_id(object) };
    let entries = entries.ok_or(ManifestError::Unknown)?;
    if entries.is_empty() {
        return Err(ManifestError::Empty);
    }
    match entries.iter().position(|entry| entry.id.trim().is_empty() || entry.text.trim().is_empty()) {
        Some(index) => Err(ManifestError::EmptyEntry(index + 1)),
        None => Ok(entries),
    }
}

fn apollo(object: Map<String, Value>) -> Option<Vec<ManifestEntry>> {
    let manifest: Apollo = serde_json::from_value(Value::Object(object)).ok()?;
    let is_known = manifest.format == APOLLO && manifest.version == 1;
    is_known.then(|| {
        manifest.operations.into_iter().map(|ApolloOperation { id, body }| ManifestEntry { id, text: body }).collect()
    })
}

fn by_id(object: Map<String, Value>) -> Option<Vec<ManifestEntry>> {
    let entries = object.into_iter().map(|(id, text)| match text {
        Value::String(text) => Some(ManifestEntry { id, text }),
        _ => None,
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifests_of_the_known_tools_are_read() {
        let entry = |id: &str, text: &str| ManifestEntry { id: id.to_owned(), text: text.to_owned() };
        for (json, expected) in [
            (
                r#"{"e1": "query A { __typename }", "0f": "query B { __typename }"}"#,
                vec![entry("0f", "query B { __typename }"), entry("e1", "query A { __typename }")],
            ),
            (
                r#"{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [
                     {"id": "7", "name": "A", "type": "query", "body": "query A { __typename }"}]}"#,
                vec![entry("7", "query A { __typename }")],
            ),
            ("\u{feff}{\"a\": \"{ __typename }\"}", vec![entry("a", "{ __typename }")]),
        ] {
            assert_eq!(parse(json), Ok(expected), "{json}");
        }
    }

    #[test]
    fn what_is_no_manifest_is_told_why() {
        for (json, expected) in [
            ("", ManifestError::NotJson { line: 1, column: 0 }),
            ("{\n \"a\": }", ManifestError::NotJson { line: 2, column: 7 }),
            ("[]", ManifestError::Unknown),
            (r#"["{ __typename }"]"#, ManifestError::Unknown),
            (r#"{"a": {"text": "{ __typename }"}}"#, ManifestError::Unknown),
            (
                r#"{"format": "apollo-persisted-query-manifest", "version": 2, "operations": []}"#,
                ManifestError::Unknown,
            ),
            (r#"{"format": "another", "version": 1, "operations": []}"#, ManifestError::Unknown),
            (r#"{"version": 1, "operations": [{"id": "7"}]}"#, ManifestError::Unknown),
            ("{}", ManifestError::Empty),
            (r#"{"format": "apollo-persisted-query-manifest", "version": 1, "operations": []}"#, ManifestError::Empty),
            (r#"{"": "{ __typename }"}"#, ManifestError::EmptyEntry(1)),
            (r#"{"a": "{ __typename }", "b": " "}"#, ManifestError::EmptyEntry(2)),
        ] {
            assert_eq!(parse(json), Err(expected), "{json}");
        }
    }
}
