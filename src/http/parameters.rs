//! The parameters of a GraphQL request: <https://graphql.github.io/graphql-over-http/draft/#sec-Request>.

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::graphql::{DocumentSource, ErrorCode, GraphqlError, GraphqlRequest, Variables};

/// The body of a POST. Each parameter is read by itself, so that its error can name it.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    query: Option<&'a RawValue>,
    #[serde(borrow, rename = "documentId")]
    document_id: Option<&'a RawValue>,
    /// Relay's own name for it.
    #[serde(borrow)]
    doc_id: Option<&'a RawValue>,
    #[serde(borrow, rename = "operationName")]
    operation_name: Option<&'a RawValue>,
    #[serde(borrow)]
    variables: Option<&'a RawValue>,
    #[serde(borrow)]
    extensions: Option<&'a RawValue>,
}

/// Reads the JSON body of a POST.
pub(crate) fn from_body(body: &[u8]) -> Result<GraphqlRequest, GraphqlError> {
    let text = std::str::from_utf8(body).map_err(|_| bad("The body is not UTF-8."))?;
    if text.trim_start().starts_with('[') {
        return Err(bad("Batches are not answered: send one operation a request."));
    }
    let body: Body<'_> = serde_json::from_str(text).map_err(|error| {
        bad(if error.is_data() {
            "The body must be a JSON object with `query`, `operationName`, `variables` and `extensions`, each once at most."
        } else {
            "The body is not JSON."
        })
    })?;
    Ok(GraphqlRequest {
        document: document(
            text_of("query", body.query)?,
            text_of("documentId", body.document_id)?,
            text_of("doc_id", body.doc_id)?,
            persisted_query(body.extensions.map(RawValue::get))?,
        )?,
        // Clients write an empty name for none.
        operation_name: text_of("operationName", body.operation_name)?.filter(|name| !name.is_empty()),
        variables: variables_of(body.variables.map(RawValue::get))?,
    })
}

/// Reads the query string of a GET.
pub(crate) fn from_query_string(query: &str) -> Result<GraphqlRequest, GraphqlError> {
    let names = ["query", "documentId", "doc_id", "operationName", "variables", "extensions"];
    let mut parameters = names.map(|name| (name, None));
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = decode(name)?;
        if let Some((_, slot)) = parameters.iter_mut().find(|(known, _)| *known == name)
            && slot.replace(decode(value)?).is_some()
        {
            return Err(bad(format!("The parameter `{name}` is there twice.")));
        }
    }
    // Clients write an empty parameter for one that is not there.
    let filled = parameters.map(|(_, value)| value.filter(|text| !text.is_empty()));
    let [query, document_id, doc_id, operation_name, variables, extensions] = filled;
    Ok(GraphqlRequest {
        document: document(query, document_id, doc_id, persisted_query(extensions.as_deref())?)?,
        operation_name,
        variables: variables_of(variables.as_deref())?,
    })
}

/// A part of a query string as text, decoded as forms are. A reading that puts something in place of what is no UTF-8 would
/// have Auth0 search for what nobody wrote.
fn decode(part: &str) -> Result<String, GraphqlError> {
    let part = part.replace('+', " ");
    let text = percent_decode_str(&part).decode_utf8().map_err(|_| bad("The query string is not UTF-8."))?;
    Ok(text.into_owned())
}

/// The document that is meant, by any of the conventions to name one. Two that could differ are refused.
fn document(
    query: Option<String>,
    document_id: Option<String>,
    doc_id: Option<String>,
    hash: Option<String>,
) -> Result<DocumentSource, GraphqlError> {
    match (query, document_id.or(doc_id), hash) {
        (None, Some(id), None) => Ok(DocumentSource::Id(id)),
        (_, Some(_), _) => Err(bad("Send a `documentId` alone, without `query` and `extensions.persistedQuery`.")),
        (text, None, Some(hash)) => Ok(DocumentSource::Persisted { hash, text }),
        (Some(text), None, None) => Ok(DocumentSource::Text(text)),
        (None, None, None) => {
            Err(bad("There is no `query`, nor a `documentId` or `extensions.persistedQuery` in its place."))
        }
    }
}

/// The hash in `extensions.persistedQuery`: <https://www.apollographql.com/docs/apollo-server/performance/apq>.
fn persisted_query(extensions: Option<&str>) -> Result<Option<String>, GraphqlError> {
    let Some(json) = extensions else { return Ok(None) };
    let extensions: Option<Map<String, Value>> =
        serde_json::from_str(json).map_err(|error| no_object("extensions", &error))?;
    match extensions.as_ref().and_then(|extensions| extensions.get("persistedQuery")) {
        None | Some(Value::Null) => Ok(None),
        Some(persisted) => match (&persisted["version"], &persisted["sha256Hash"]) {
            (Value::Number(version), Value::String(hash)) if version.as_u64() == Some(1) => Ok(Some(hash.clone())),
            _ => Err(bad("`extensions.persistedQuery` must be an object with the `version` 1 and a `sha256Hash`.")),
        },
    }
}

fn text_of(name: &str, json: Option<&RawValue>) -> Result<Option<String>, GraphqlError> {
    let Some(json) = json else { return Ok(None) };
    // The JSON around it is sound: what is wrong in a string is half of a surrogate pair.
    let wrong = if json.get().starts_with('"') { "is not Unicode" } else { "must be a string" };
    serde_json::from_str(json.get()).map_err(|_| bad(format!("`{name}` {wrong}.")))
}

fn variables_of(json: Option<&str>) -> Result<Variables, GraphqlError> {
    let Some(json) = json else { return Ok(Variables::default()) };
    let variables: Variables = serde_json::from_str(json).map_err(|error| no_object("variables", &error))?;
    if variables.is_unicode() { Ok(variables) } else { Err(unreadable("variables")) }
}

fn no_object(name: &str, error: &serde_json::Error) -> GraphqlError {
    if error.is_data() { bad(format!("`{name}` must be a JSON object.")) } else { unreadable(name) }
}

fn unreadable(name: &str) -> GraphqlError {
    bad(format!(
        "`{name}` cannot be read: it is not JSON, nests deeper than 127 levels, or holds a number beyond all bounds or a \
         text that is not Unicode."
    ))
}

fn bad(message: impl Into<String>) -> GraphqlError {
    GraphqlError::new(ErrorCode::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::option;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NO_DOCUMENT: &str = "There is no `query`, nor a `documentId` or `extensions.persistedQuery` in its place.";
    const NOT_ALONE: &str = "Send a `documentId` alone, without `query` and `extensions.persistedQuery`.";
    const NOT_PERSISTED: &str =
        "`extensions.persistedQuery` must be an object with the `version` 1 and a `sha256Hash`.";

    #[test]
    fn a_document_is_asked_for_in_any_of_the_usual_ways() {
        let (text, hash) = ("{a}".to_owned(), "x".to_owned());
        let persisted = |text| DocumentSource::Persisted { hash: hash.clone(), text };
        for (body, expected) in [
            (r#"{"query":"{a}"}"#, DocumentSource::Text(text.clone())),
            (r#"{"documentId":"x"}"#, DocumentSource::Id(hash.clone())),
            (r#"{"query":null,"doc_id":"x"}"#, DocumentSource::Id(hash.clone())),
            (r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}"#, persisted(None)),
            (
                r#"{"query":"{a}","extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}"#,
                persisted(Some(text.clone())),
            ),
            (r#"{"query":"{a}","extensions":{"persistedQuery":null}}"#, DocumentSource::Text(text.clone())),
        ] {
            assert_eq!(from_body(body.as_bytes()).unwrap().document, expected, "{body}");
        }
        assert_eq!(from_query_string("documentId=x").unwrap().document, DocumentSource::Id(hash.clone()));
        let hash_alone = "query=&extensions=%7B%22persistedQuery%22:%7B%22version%22:1,%22sha256Hash%22:%22x%22%7D%7D";
        assert_eq!(from_query_string(hash_alone).unwrap().document, persisted(None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, expected) in [
            ("", "The body is not JSON."),
            ("{", "The body is not JSON."),
            ("nul", "The body is not JSON."),
            ("[]", "Batches are not answered: send one operation a request."),
            (
                r#""{ a }""#,
                "The body must be a JSON object with `query`, `operationName`, `variables` and `extensions`, each once at most.",
            ),
            (
                r#"{"query":"{a}","query":"{b}"}"#,
                "The body must be a JSON object with `query`, `operationName`, `variables` and `extensions`, each once at most.",
            ),
            ("{}", NO_DOCUMENT),
            (r#"{"query":null}"#, NO_DOCUMENT),
            (r#"{"doc_id":7}"#, "`doc_id` must be a string."),
            (r#"{"documentId":{}}"#, "`documentId` must be a string."),
            (r#"{"query":"{a}","documentId":"x"}"#, NOT_ALONE),
            (r#"{"doc_id":"x","extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}"#, NOT_ALONE),
            (r#"{"extensions":{"persistedQuery":{"version":2,"sha256Hash":"x"}}}"#, NOT_PERSISTED),
            (r#"{"query":"{a}","extensions":{"persistedQuery":"x"}}"#, NOT_PERSISTED),
            (r#"{"query":"{a}","extensions":{"persistedQuery":{"version":1}}}"#, NOT_PERSISTED),
            (r#"{"query":1}"#, "`query` must be a string."),
            (r#"{"query":"{a}","operationName":[]}"#, "`operationName` must be a string."),
            (r#"{"query":"{a}","variables":"{}"}"#, "`variables` must be a JSON object."),
            (r#"{"query":"{a}","variables":[1]}"#, "`variables` must be a JSON object."),
            (r#"{"query":"{a}","extensions":"x"}"#, "`extensions` must be a JSON object."),
        ] {
            let failure = from_body(body.as_bytes()).err().map(|failure| failure.message);
            assert_eq!(failure.as_deref(), Some(expected), "{body}");
        }
        assert_eq!(from_body(b"{\"query\":\"\xff\"}").err().unwrap().message, "The body is not UTF-8.");
    }

    #[test]
    fn unknown_parameters_and_nulls_are_fine() {
        let body = br#"{"query":"{a}","operationName":null,"variables":null,"extensions":null,"more":[1]}"#;
        assert_eq!(from_body(body).unwrap().document, DocumentSource::Text("{a}".to_owned()));
    }

    #[test]
    fn a_query_string_is_read() {
        let request = from_query_string("query=%7Ba%7D&operationName=&variables=%7B%22x%22%3A1%7D&other=1").unwrap();
        assert_eq!(request.document, DocumentSource::Text("{a}".to_owned()));
        assert_eq!(request.operation_name, None);
        assert_eq!(request.variables.names().collect::<Vec<_>>(), ["x"]);
        for (query, expected) in [
            ("query=a&query=b", "The parameter `query` is there twice."),
            ("variables={}", NO_DOCUMENT),
            ("query=a&variables=1", "`variables` must be a JSON object."),
            ("query=%ff", "The query string is not UTF-8."),
        ] {
            assert_eq!(from_query_string(query).err().unwrap().message, expected);
        }
    }

    proptest! {
        #[test]
        fn a_request_means_the_same_in_a_body_and_in_a_query_string(
            query in option::of("\\PC{1,40}"),
            id in option::weighted(0.2, "\\PC{1,9}"),
            hash in option::weighted(0.2, "\\PC{1,9}"),
            operation_name in option::of("\\PC{1,9}"),
            value in "\\PC{0,9}",
        ) {
            let variables = json!({ "x": value });
            let extensions = json!({ "persistedQuery": hash.map(|hash| json!({ "version": 1, "sha256Hash": hash })) });
            let texts = [("query", &query), ("documentId", &id), ("operationName", &operation_name)];
            let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text.clone()?)));
            let mut target = String::new();
            for (name, text) in texts.chain([("variables", variables.to_string()), ("extensions", extensions.to_string())]) {
                write!(target, "{name}={}&", utf8_percent_encode(&text, NON_ALPHANUMERIC)).unwrap();
            }
            let body = json!({
                "query": query,
                "documentId": id,
                "operationName": operation_name,
                "variables": variables,
                "extensions": extensions,
            });
            let read = |request: Result<GraphqlRequest, GraphqlError>| {
                request.map(|GraphqlRequest { document, operation_name, variables }| (document, operation_name, variables))
            };
            prop_assert_eq!(read(from_body(body.to_string().as_bytes())), read(from_query_string(&target)));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>(), text in "\\PC{0,40}") {
            for refusal in [from_body(&bytes).err(), from_body(text.as_bytes()).err(), from_query_string(&text).err()] {
                prop_assert!(refusal.is_none_or(|failure| failure.code == ErrorCode::BadRequest));
            }
        }
    }
}
