//! Large answers are compressed for those who take that.

use std::convert::Infallible;
use std::future::ready;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, header};
use axum::response::Response;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate as _, SizeAbove};

/// Answers of fewer bytes are sent as they are: they fit into one packet either way.
const WORTHWHILE: SizeAbove = SizeAbove::new(1_024);

/// Which codings a client takes.
pub(crate) struct Accepted(Vec<HeaderValue>);

impl Accepted {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self(headers.get_all(header::ACCEPT_ENCODING).iter().cloned().collect())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lets every answer be sent uncompressed, too. The layer puts the status 406 on answers for clients who rule that out along
    /// with all else, although the operation has run; RFC 9110, section 12.5.3, leaves it to us.
    fn or_identity(self) -> HeaderMap {
        // The layer goes by the first of two weights where there is a wildcard, else by the greater one.
        let identity = HeaderValue::from_static("identity;q=0.001");
        let mut headers = HeaderMap::new();
        for wish in [identity].into_iter().chain(self.0) {
            headers.append(header::ACCEPT_ENCODING, wish);
        }
        headers
    }
}

/// Compresses an answer for a client who takes that, if it is worthwhile.
///
/// The library's layer means to stand around what answers, and would have the six kilobytes of its encoders moved about with every
/// answer. Here it stands around one that is there already, is large, and may be compressed.
pub(crate) async fn compress(mut answer: Response, accepted: Accepted) -> Response {
    if !WORTHWHILE.should_compress(&answer) {
        return answer;
    }
    if accepted.is_empty() {
        answer.headers_mut().append(header::VARY, header::ACCEPT_ENCODING.into());
        return answer;
    }
    let mut request = Request::new(());
    *request.headers_mut() = accepted.or_identity();
    let mut answer = Some(answer);
    let answered = service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(answer.take().unwrap_or_default())));
    match CompressionLayer::new().compress_when(WORTHWHILE).layer(answered).oneshot(request).await {
        Ok(answer) => answer.map(Body::new),
        Err(never) => match never {},
    }
}
