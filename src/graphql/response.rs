//! The response writer. Every GraphQL response is written here: async-graphql's own serialization would write projected
//! bytes as lists of numbers.

use async_graphql::{PathSegment, Response, ServerError, Value};
use bytes::Bytes;

use super::error::{ErrorCode, GraphqlError};
use super::execute::Answer;
use super::prepared::{Prepared, What};
use super::project::json;
use super::schema::local;

/// How many reasons are told why an operation never ran. The first few are what somebody mends; a document can be wrong in
/// thousands of places.
const MOST_REASONS: usize = 10;

/// How many errors of an operation that ran are told: more than it can have root fields, unless an operator allows for that.
const MOST_ERRORS: usize = 100;

/// Writes a response to an operation that never ran: there is no `data`.
pub(crate) fn refusal(failures: Vec<GraphqlError>, request_id: &str) -> Vec<u8> {
    let mut out = vec![b'{'];
    let errors: Vec<_> = failures.into_iter().map(ServerError::from).collect();
    write_errors(errors.iter(), MOST_REASONS, request_id, &mut out);
    out.push(b'}');
    out
}

/// An operation that ran, answered.
pub(crate) struct Answered<'a> {
    pub(crate) prepared: &'a Prepared,
    /// By root field.
    pub(crate) answers: &'a [Answer],
    /// What async-graphql answered.
    pub(crate) own: &'a Response,
}

impl<'a> Answered<'a> {
    /// Writes the response.
    pub(crate) fn write(&self, upstream: Option<&Value>, request_id: &str) -> Vec<u8> {
        let projected = self.answers.iter().filter_map(|answer| answer.json.as_ref()).map(Bytes::len).sum::<usize>();
        let mut out = Vec::with_capacity(projected + 256);
        out.extend_from_slice(br#"{"data":{"#);
        for (place, ((root, field), answer)) in
            self.prepared.roots.iter().zip(&self.prepared.operation.fields).zip(self.answers).enumerate()
        {
            if place > 0 {
                out.push(b',');
            }
            out.extend_from_slice(&root.written_key);
            match &root.what {
                What::Asks(_) | What::Known(_) => {
                    out.extend_from_slice(answer.json.as_deref().unwrap_or(b"null"));
                }
                What::Own => local::write(&self.own.data, &root.key, &field.fields, &mut out),
            }
        }
        out.push(b'}');
        if self.errors().next().is_some() {
            out.push(b',');
            write_errors(self.errors(), MOST_ERRORS, request_id, &mut out);
        }
        if let Some(upstream) = upstream {
            out.extend_from_slice(br#","extensions":{"upstream":"#);
            write(upstream, &mut out);
            out.push(b'}');
        }
        out.push(b'}');
        out
    }

    /// The codes of the errors, each once, in the order in which they come.
    pub(crate) fn codes(&self) -> Vec<String> {
        let mut codes: Vec<String> = Vec::new();
        for error in self.errors() {
            let code = match error.extensions.as_ref().and_then(|extensions| extensions.get("code")) {
                Some(Value::String(code)) => code,
                _ => ErrorCode::Internal.as_str(),
            };
            if !codes.iter().any(|known| known == code) {
                codes.push(code.to_owned());
            }
        }
        codes
    }

    fn errors(&self) -> impl Iterator<Item = &'a ServerError> + use<'a> {
        self.answers.iter().flat_map(|answer| &answer.errors).chain(&self.own.errors)
    }
}

/// Depth is bounded: values that async-graphql builds are the schema's own, and records come as bytes.
fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::String(text) => json::write_string(text, out),
        Value::Enum(name) => json::write_string(name, out),
        Value::Binary(json) => out.extend_from_slice(json),
        Value::List(items) => {
            out.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            out.push(b'{');
            for (place, (key, value)) in fields.iter().enumerate() {
                write_key(place, key, out);
                write(value, out);
            }
            out.push(b'}');
        }
    }
}

fn write_key(place: usize, key: &str, out: &mut Vec<u8>) {
    if place > 0 {
        out.push(b',');
    }
    json::write_string(key, out);
    out.push(b':');
}

/// Writes `most` of the errors, and how many more there are.
fn write_errors<'e>(
    mut errors: impl Iterator<Item = &'e ServerError>,
    most: usize,
    request_id: &str,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(br#""errors":["#);
    for (place, error) in errors.by_ref().take(most).enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write_error(error, request_id, out);
    }
    if let Some(first) = errors.next() {
        let mut rest = ServerError::new(format!("There are {} more errors.", errors.count() + 1), None);
        let code = first.extensions.as_ref().and_then(|extensions| extensions.get("code"));
        if let Some(code) = code.cloned() {
            rest.extensions.get_or_insert_default().set("code", code);
        }
        out.push(b',');
        write_error(&rest, request_id, out);
    }
    out.push(b']');
}

fn write_error(error: &ServerError, request_id: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"message":"#);
    json::write_string(&error.message, out);
    if !error.locations.is_empty() {
        out.extend_from_slice(br#","locations":["#);
        for (place, position) in error.locations.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            let location = format!(r#"{comma}{{"line":{},"column":{}}}"#, position.line, position.column);
            out.extend_from_slice(location.as_bytes());
        }
        out.push(b']');
    }
    if !error.path.is_empty() {
        out.extend_from_slice(br#","path":["#);
        for (place, segment) in error.path.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            match segment {
                PathSegment::Field(key) => json::write_string(key, out),
                PathSegment::Index(index) => out.extend_from_slice(index.to_string().as_bytes()),
            }
        }
        out.push(b']');
    }
    let mut extensions = error.extensions.clone().unwrap_or_default();
    if extensions.get("code").is_none() {
        extensions.set("code", ErrorCode::Internal.as_str());
    }
    extensions.set("requestId", request_id);
    out.extend_from_slice(br#","extensions":"#);
    match async_graphql::to_value(&extensions) {
        Ok(value) => write(&value, out),
        Err(_) => out.extend_from_slice(b"{}"),
    }
    out.push(b'}');
}
