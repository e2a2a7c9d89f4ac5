//! The response writer. Every GraphQL response is written here: async-graphql's own serialization would write projected
//! bytes as lists of numbers.

use async_graphql::{Name, PathSegment, Response, ServerError, Value};

use super::error::{ErrorCode, Failure};
use super::json;
use super::operation::EMPTY;

/// How many reasons are told why an operation never ran. The first few are what somebody mends; a document can be wrong in
/// thousands of places.
const MOST_REASONS: usize = 10;

/// How many errors of an operation that ran are told: more than it can have root fields, unless an operator allows for that.
const MOST_ERRORS: usize = 100;

/// Writes a response to an operation that never ran: there is no `data`.
pub(crate) fn refusal(failures: Vec<Failure>, request_id: &str) -> Vec<u8> {
    let mut out = vec![b'{'];
    let errors: Vec<_> = failures.into_iter().map(ServerError::from).collect();
    write_errors(&errors, MOST_REASONS, request_id, &mut out);
    out.push(b'}');
    out
}

/// Writes the response to an operation that ran. `keys` are its root fields, in the order in which they are answered.
pub(crate) fn executed<'k>(
    response: &Response,
    keys: impl Iterator<Item = &'k Name>,
    upstream: Option<&Value>,
    request_id: &str,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(projected_size(&response.data) + 256);
    out.extend_from_slice(br#"{"data":{"#);
    let fields = match &response.data {
        Value::Object(fields) => Some(fields),
        _ => None,
    };
    for (place, key) in keys.enumerate() {
        write_key(place, key, &mut out);
        match fields.and_then(|fields| fields.get(key)) {
            Some(value) => write(value, &mut out),
            None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b'}');
    if !response.errors.is_empty() {
        out.push(b',');
        write_errors(&response.errors, MOST_ERRORS, request_id, &mut out);
    }
    if let Some(upstream) = upstream {
        out.extend_from_slice(br#","extensions":{"upstream":"#);
        write(upstream, &mut out);
        out.push(b'}');
    }
    out.push(b'}');
    out
}

/// The codes of a response's errors, each once, in the order in which they come.
pub(crate) fn codes(response: &Response) -> Vec<String> {
    let mut codes: Vec<String> = Vec::new();
    for error in &response.errors {
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

fn projected_size(data: &Value) -> usize {
    match data {
        Value::Object(fields) => fields.values().map(projected_size).sum(),
        Value::Binary(bytes) => bytes.len(),
        _ => 0,
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
            for (place, (key, value)) in fields.iter().filter(|(key, _)| *key != EMPTY).enumerate() {
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
fn write_errors(errors: &[ServerError], most: usize, request_id: &str, out: &mut Vec<u8>) {
    let (told, untold) = errors.split_at(errors.len().min(most));
    out.extend_from_slice(br#""errors":["#);
    for (place, error) in told.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write_error(error, request_id, out);
    }
    if let Some(first) = untold.first() {
        let mut rest = ServerError::new(format!("There are {} more errors.", untold.len()), None);
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
