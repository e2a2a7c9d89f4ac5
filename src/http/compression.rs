//! Large answers are compressed for those who take that: gzip or br. Not zstd, which JavaScript's fetch offers on versions of
//! Node.js that cannot read it.

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

/// Answers of fewer bytes are sent as they are: they fit into one packet either way.
const WORTHWHILE: SizeAbove = SizeAbove::new(1_024);

pub(crate) fn layer() -> CompressionLayer<SizeAbove> {
    CompressionLayer::new().compress_when(WORTHWHILE)
}

/// Lets every answer be sent uncompressed, too. The layer puts the status 406 on answers for clients who rule that out along
/// with all else, although the operation has run; RFC 9110, section 12.5.3, leaves it to us.
pub(crate) async fn allow_identity(mut request: Request) -> Request {
    if let header::Entry::Occupied(mut accepted) = request.headers_mut().entry(header::ACCEPT_ENCODING) {
        // The layer goes by the first of two weights where there is a wildcard, else by the greater one.
        let (identity, first) = (HeaderValue::from_static("identity;q=0.001"), accepted.get().clone());
        let rest: Vec<_> = accepted.iter().skip(1).cloned().collect();
        accepted.insert(identity);
        for value in [first].into_iter().chain(rest) {
            accepted.append(value);
        }
    }
    request
}
