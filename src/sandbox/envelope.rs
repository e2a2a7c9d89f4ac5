//! The shapes of answers: JSON, and the Management API's error envelope.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

/// An answer with a JSON body and the headers that Auth0's answers had when they were recorded.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response<Body> {
    with_text(status, body.to_string())
}

/// An answer whose body is JSON text already.
pub(crate) fn with_text(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "origin,accept-encoding"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A refusal of the Management API, in its own form.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// `errorCode`, which Auth0 often leaves out.
    pub(crate) code: Option<&'static str>,
    /// Repeats the message under `attributes`, as for an expired token.
    pub(crate) repeated: bool,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: Option<&'static str>, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), code, repeated: false }
    }

    /// 400, `invalid_query_string`.
    pub(crate) fn query(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Some("invalid_query_string"), message)
    }

    /// Auth0's answer where nothing is at a path.
    pub(crate) fn nothing_here() -> Self {
        Self::new(StatusCode::NOT_FOUND, None, "Not Found")
    }

    /// Auth0's answer when a bucket is empty.
    pub(crate) fn too_many() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, Some("too_many_requests"), "Global limit has been reached")
    }

    fn body(&self) -> Value {
        let mut body = Map::new();
        body.insert("statusCode".into(), self.status.as_u16().into());
        body.insert("error".into(), self.status.canonical_reason().unwrap_or("Error").into());
        body.insert("message".into(), self.message.as_str().into());
        if let Some(code) = self.code {
            body.insert("errorCode".into(), code.into());
        }
        if self.repeated {
            body.insert("attributes".into(), json!({"error": self.message}));
        }
        Value::Object(body)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        let mut response = json(self.status, &self.body());
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
