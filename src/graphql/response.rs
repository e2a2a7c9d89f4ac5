//! The response writer. Every GraphQL response is written here, since projected bytes are JSON already.

use bytes::Bytes;
use serde::Serialize;

use super::error::{ErrorCode, GraphqlError, Location, PathSegment};
use super::explain::{ExplainEntry, ExplainedPlan};
use super::field_result::FieldResult;
use super::prepared_operation::{PreparedField, PreparedOperation};
use super::project::json;
use super::{GraphqlResponse, OperationKind, Outcome};
use crate::auth::Scopes;

/// The most errors of an operation that never ran. The first few are what somebody mends; a document can be wrong in
/// thousands of places.
const MOST_REASONS: usize = 10;

/// The most errors of an operation that ran: more than it can have root fields, unless an operator allows for that.
const MOST_ERRORS: usize = 100;

/// An answer that says why nothing ran. The first failure's code stands for all.
#[must_use]
pub fn refuse(failures: &[GraphqlError], request_id: &str) -> GraphqlResponse {
    let code = failures.first().map_or(ErrorCode::Internal, |failure| failure.code);
    let mut error_codes: Vec<_> = failures.iter().map(|failure| failure.code.as_str().to_owned()).collect();
    error_codes.dedup();
    GraphqlResponse {
        kind: OperationKind::Unknown,
        outcome: Outcome::Refused(code),
        body: refusal(failures, request_id),
        upstream_calls: 0,
        error_codes,
        lacking: Scopes::default(),
    }
}

/// The response of a query that was run, or planned.
pub(crate) fn executed(body: Vec<u8>, upstream_calls: u32, error_codes: Vec<String>) -> GraphqlResponse {
    GraphqlResponse {
        kind: OperationKind::Query,
        outcome: Outcome::Executed,
        body,
        upstream_calls,
        error_codes,
        lacking: Scopes::default(),
    }
}

/// Writes a response to an operation that never ran: there is no `data`.
fn refusal(failures: &[GraphqlError], request_id: &str) -> Vec<u8> {
    let mut out = vec![b'{'];
    write_errors(failures.iter().map(|failure| (failure, &[][..])), MOST_REASONS, request_id, &mut out);
    out.push(b'}');
    out
}

/// Writes a response to an operation that was only planned, with the errors of fields that nothing would be asked for.
pub(crate) fn plan(ExplainedPlan { calls, refused }: &ExplainedPlan, request_id: &str) -> Vec<u8> {
    let mut out = br#"{"data":null,"#.to_vec();
    if !refused.is_empty() {
        write_errors(refused.iter().map(|failed| (&failed.error, &*failed.path)), MOST_ERRORS, request_id, &mut out);
        out.push(b',');
    }
    out.extend_from_slice(br#""extensions":{"plan":"#);
    write(&calls, &mut out);
    out.extend_from_slice(b"}}");
    out
}

/// An operation that ran, answered.
pub(crate) struct ExecutionResult<'a> {
    pub(crate) prepared: &'a PreparedOperation,
    /// The results of the root fields.
    pub(crate) answers: &'a [FieldResult],
}

impl<'a> ExecutionResult<'a> {
    /// Writes the response.
    pub(crate) fn write(&self, upstream: Option<&[ExplainEntry]>, request_id: &str) -> Vec<u8> {
        let projected = self.answers.iter().filter_map(|answer| answer.json.as_ref()).map(Bytes::len).sum::<usize>();
        let mut out = Vec::with_capacity(projected + 256);
        out.extend_from_slice(br#"{"data":"#);
        if self.is_null() {
            out.extend_from_slice(b"null");
        } else {
            self.write_data(&mut out);
        }
        if self.errors().next().is_some() {
            out.push(b',');
            write_errors(self.errors(), MOST_ERRORS, request_id, &mut out);
        }
        if let Some(upstream) = upstream {
            out.extend_from_slice(br#","extensions":{"upstream":"#);
            write(&upstream, &mut out);
            out.push(b'}');
        }
        out.push(b'}');
        out
    }

    /// True if the operation failed, or a root field that cannot be null.
    fn is_null(&self) -> bool {
        let mut answers = self.prepared.roots.iter().zip(self.answers);
        self.prepared.operation.failure.is_some()
            || answers.any(|(root, answer)| root.is_non_null && answer.json.is_none())
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (index, (root, answer)) in self.prepared.roots.iter().zip(self.answers).enumerate() {
            json::write_comma(index, out);
            out.extend_from_slice(&root.written_key);
            out.extend_from_slice(answer.json.as_deref().unwrap_or(b"null"));
        }
        out.push(b'}');
    }

    /// The codes of the errors, each once, in the order in which they come.
    pub(crate) fn codes(&self) -> Vec<String> {
        let mut codes: Vec<String> = Vec::new();
        for (error, _) in self.errors() {
            let code = error.code.as_str();
            if !codes.iter().any(|known| known == code) {
                codes.push(code.to_owned());
            }
        }
        codes
    }

    /// The errors, each with its path.
    fn errors(&self) -> impl Iterator<Item = (&'a GraphqlError, &'a [PathSegment])> + use<'a> {
        let whole = self.prepared.operation.failure.iter().map(|failure| (failure, &[][..]));
        let fields = self.answers.iter().flat_map(|answer| &answer.errors);
        whole.chain(fields.map(|failed| (&failed.error, &*failed.path)))
    }
}

/// Writes a response of a subscription, whose one root field is `root`. Where it has no answer there is no `data`, for none of them can be
/// null.
pub(crate) fn streamed(root: &PreparedField, answer: &FieldResult, is_late: bool, request_id: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(answer.json.as_ref().map_or(0, Bytes::len) + 64);
    match &answer.json {
        Some(json) => {
            out.extend_from_slice(br#"{"data":{"#);
            out.extend_from_slice(&root.written_key);
            out.extend_from_slice(json);
            out.push(b'}');
        }
        None => out.extend_from_slice(br#"{"data":null"#),
    }
    if !answer.errors.is_empty() {
        out.push(b',');
        let errors = answer.errors.iter().map(|failed| (&failed.error, &*failed.path));
        write_errors(errors, MOST_ERRORS, request_id, &mut out);
    }
    if is_late {
        out.extend_from_slice(br#","extensions":{"late":true}"#);
    }
    out.push(b'}');
    out
}

/// Writes `most` of the errors, and how many more there are.
fn write_errors<'e>(
    mut errors: impl Iterator<Item = (&'e GraphqlError, &'e [PathSegment])>,
    most: usize,
    request_id: &str,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(br#""errors":["#);
    for (index, (error, path)) in errors.by_ref().take(most).enumerate() {
        json::write_comma(index, out);
        write_error(error, path, request_id, out);
    }
    if let Some((first, _)) = errors.next() {
        let rest = GraphqlError::new(first.code, format!("There are {} more errors.", errors.count() + 1));
        out.push(b',');
        write_error(&rest, &[], request_id, out);
    }
    out.push(b']');
}

fn write_error(error: &GraphqlError, path: &[PathSegment], request_id: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"message":"#);
    json::write_string(&error.message, out);
    if !error.locations.is_empty() {
        out.extend_from_slice(br#","locations":["#);
        for (index, Location { line, column }) in error.locations.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            out.extend_from_slice(format!(r#"{comma}{{"line":{line},"column":{column}}}"#).as_bytes());
        }
        out.push(b']');
    }
    if !path.is_empty() {
        out.extend_from_slice(br#","path":["#);
        for (index, segment) in path.iter().enumerate() {
            json::write_comma(index, out);
            match segment {
                PathSegment::Key(key) => json::write_string(key, out),
                PathSegment::Index(index) => out.extend_from_slice(index.to_string().as_bytes()),
            }
        }
        out.push(b']');
    }
    out.extend_from_slice(br#","extensions":{"code":"#);
    json::write_string(error.code.as_str(), out);
    for (name, value) in &error.details {
        out.push(b',');
        json::write_string(name, out);
        out.push(b':');
        write(value, out);
    }
    out.extend_from_slice(br#","requestId":"#);
    json::write_string(request_id, out);
    out.extend_from_slice(b"}}");
}

/// Writes a value that is the gateway's own: it holds nothing that was projected.
fn write(value: &impl Serialize, out: &mut Vec<u8>) {
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.extend_from_slice(b"null");
    }
}
