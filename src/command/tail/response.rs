//! Responses of the subscription, read. Pure.

use anyhow::Context as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A response, as it came.
#[derive(Debug)]
pub(super) struct Received {
    /// The response, in JSON.
    pub(super) body: Vec<u8>,
}

/// A response, read.
#[derive(Debug)]
pub(super) enum ParsedResponse<'a> {
    /// A log, a JSON object with the fields that were selected.
    Log { record: &'a RawValue, is_late: bool },
    /// Something that the stream goes on after.
    Notice(String),
    /// The end of the stream.
    End(Ending),
}

/// The end of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) code: String,
    pub(super) message: String,
    /// The log to resume after.
    pub(super) from: Option<String>,
}

impl Ending {
    /// True if the same subscription is answered again: the reader was slow, or the gateway is restarted.
    pub(super) fn can_go_on(&self) -> bool {
        matches!(self.code.as_str(), "SLOW_CONSUMER" | "GATEWAY_STOPPING")
    }

    /// True if the subscription itself is wrong.
    pub(super) fn is_of_request(&self) -> bool {
        matches!(self.code.as_str(), "BAD_USER_INPUT" | "GRAPHQL_VALIDATION_FAILED")
    }
}

#[derive(Deserialize)]
struct Response<'a> {
    /// None where there is no `data`, and so the stream is over.
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<Option<Data<'a>>>,
    #[serde(default)]
    errors: Vec<ResponseError>,
    #[serde(default)]
    extensions: Extensions,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    logs: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ResponseError {
    message: String,
    #[serde(default)]
    extensions: Extensions,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Extensions {
    late: bool,
    code: String,
    from: Option<String>,
    after: Option<String>,
}

fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl<'a> ParsedResponse<'a> {
    /// Reads a response.
    pub(super) fn read(body: &'a [u8]) -> anyhow::Result<Self> {
        let response: Response<'a> = serde_json::from_slice(body).context("an answer is no GraphQL response")?;
        let record = response.data.as_ref().and_then(|data| data.as_ref()?.logs);
        if let Some(record) = record {
            return Ok(Self::Log { record, is_late: response.extensions.late });
        }
        let ResponseError { message, extensions } =
            response.errors.into_iter().next().context("an answer has neither a log nor an error")?;
        let Extensions { code, from, after, .. } = extensions;
        if response.data.is_none() {
            return Ok(Self::End(Ending { code, message, from }));
        }
        let after = after.map(|after| format!(" (after {after})")).unwrap_or_default();
        Ok(Self::Notice(format!("{message}{after}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> String {
        match ParsedResponse::read(body.as_bytes()) {
            Ok(ParsedResponse::Log { record, is_late }) => format!("{record} {is_late}"),
            Ok(ParsedResponse::Notice(message)) => message,
            Ok(ParsedResponse::End(Ending { code, message, from })) => format!("{code}, {message}, {from:?}"),
            Err(error) => format!("{error}"),
        }
    }

    #[test]
    fn a_log_a_notice_and_an_end_are_told_apart() {
        for (body, expected) in [
            (r#"{"data":{"logs":{"logId":"9"}}}"#, r#"{"logId":"9"} false"#),
            (r#"{"data":{"logs":{}},"extensions":{"late":true}}"#, "{} true"),
            (
                r#"{"data":null,"errors":[{"message":"Some are missing.","extensions":{"code":"LOGS_MISSED","after":"8"}}]}"#,
                "Some are missing. (after 8)",
            ),
            (
                r#"{"errors":[{"message":"Stop.","extensions":{"code":"GATEWAY_STOPPING","from":"7"}}]}"#,
                "GATEWAY_STOPPING, Stop., Some(\"7\")",
            ),
            ("{}", "an answer has neither a log nor an error"),
            ("[", "an answer is no GraphQL response"),
        ] {
            assert_eq!(read(body), expected);
        }
    }
}
