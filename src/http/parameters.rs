//! The parameters of a GraphQL request: <https://graphql.github.io/graphql-over-http/draft/#sec-Request>.

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::graphql::{ErrorCode, Failure, Request, Variables};

/// What a POST carries. Each parameter is judged by itself, so that what is said of it names it.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    query: Option<&'a RawValue>,
    #[serde(borrow, rename = "operationName")]
    operation_name: Option<&'a RawValue>,
    #[serde(borrow)]
    variables: Option<&'a RawValue>,
    #[serde(borrow)]
    extensions: Option<&'a RawValue>,
}

/// Reads the JSON body of a POST.
pub(crate) fn from_body(body: &[u8]) -> Result<Request, Failure> {
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
    request(
        text_of("query", body.query)?,
        text_of("operationName", body.operation_name)?,
        variables_of(body.variables.map(RawValue::get))?,
        body.extensions.map(RawValue::get),
    )
}

/// Reads the query string of a GET.
pub(crate) fn from_query_string(query: &str) -> Result<Request, Failure> {
    let mut parameters = [("query", None), ("operationName", None), ("variables", None), ("extensions", None)];
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = decode(name)?;
        if let Some((_, slot)) = parameters.iter_mut().find(|(known, _)| *known == name)
            && slot.replace(decode(value)?).is_some()
        {
            return Err(bad(format!("The parameter `{name}` is there twice.")));
        }
    }
    let [(_, query), (_, operation_name), (_, variables), (_, extensions)] = parameters;
    // Clients write an empty parameter for one that is not there.
    let filled = |value: Option<String>| value.filter(|text| !text.is_empty());
    let (variables, extensions) = (filled(variables), filled(extensions));
    request(filled(query), filled(operation_name), variables_of(variables.as_deref())?, extensions.as_deref())
}

/// A part of a query string as text, decoded as forms are. A reading that puts something in place of what is no UTF-8 would
/// have Auth0 search for what nobody wrote.
fn decode(part: &str) -> Result<String, Failure> {
    let part = part.replace('+', " ");
    let text = percent_decode_str(&part).decode_utf8().map_err(|_| bad("The query string is not UTF-8."))?;
    Ok(text.into_owned())
}

fn request(
    query: Option<String>,
    operation_name: Option<String>,
    variables: Variables,
    extensions: Option<&str>,
) -> Result<Request, Failure> {
    if let Some(json) = extensions {
        serde_json::from_str::<Option<Map<String, Value>>>(json).map_err(|error| no_object("extensions", &error))?;
    }
    let query = query.ok_or_else(|| bad("There is no `query`."))?;
    Ok(Request { query, operation_name, variables })
}

fn text_of(name: &str, json: Option<&RawValue>) -> Result<Option<String>, Failure> {
    let Some(json) = json else { return Ok(None) };
    // The JSON around it is sound: what is wrong in a string is half of a surrogate pair.
    let wrong = if json.get().starts_with('"') { "is not Unicode" } else { "must be a string" };
    serde_json::from_str(json.get()).map_err(|_| bad(format!("`{name}` {wrong}.")))
}

fn variables_of(json: Option<&str>) -> Result<Variables, Failure> {
    let Some(json) = json else { return Ok(Variables::default()) };
    serde_json::from_str(json).map_err(|error| no_object("variables", &error))
}

fn no_object(name: &str, error: &serde_json::Error) -> Failure {
    bad(if error.is_data() {
        format!("`{name}` must be a JSON object.")
    } else {
        format!(
            "`{name}` cannot be read: it is not JSON, nests deeper than 127 levels, or holds a number beyond all bounds or a \
             text that is not Unicode."
        )
    })
}

fn bad(message: impl Into<String>) -> Failure {
    Failure::new(ErrorCode::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("{}", "There is no `query`."),
            (r#"{"query":null}"#, "There is no `query`."),
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
        assert_eq!(from_body(body).unwrap().query, "{a}");
    }

    #[test]
    fn a_query_string_is_read() {
        let request = from_query_string("query=%7Ba%7D&operationName=&variables=%7B%22x%22%3A1%7D&other=1").unwrap();
        assert_eq!(request.query, "{a}");
        assert_eq!(request.operation_name, None);
        assert_eq!(request.variables.len(), 1);
        for (query, expected) in [
            ("query=a&query=b", "The parameter `query` is there twice."),
            ("variables={}", "There is no `query`."),
            ("query=a&variables=1", "`variables` must be a JSON object."),
            ("query=%ff", "The query string is not UTF-8."),
        ] {
            assert_eq!(from_query_string(query).err().unwrap().message, expected);
        }
    }
}
