//! Large answers are compressed for those who take that.

use axum::http::{HeaderMap, HeaderValue, header};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

/// Answers of fewer bytes are sent as they are: they fit into one packet either way.
const WORTHWHILE: u64 = 1_024;

pub(crate) fn layer() -> CompressionLayer<SizeAbove> {
    CompressionLayer::new().compress_when(SizeAbove::new(WORTHWHILE))
}

/// Lets every answer be sent uncompressed. The layer puts the status 406 on answers for clients who rule that out along with
/// all else, although the operation has run; RFC 9110, section 12.5.3, leaves it to us.
pub(crate) fn allow_identity(headers: &mut HeaderMap) {
    let wishes: Vec<_> = headers.get_all(header::ACCEPT_ENCODING).iter().cloned().collect();
    if wishes.is_empty() {
        return;
    }
    // The layer goes by the first of two weights where there is a wildcard, else by the greater one.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity;q=0.001"));
    for wish in wishes {
        headers.append(header::ACCEPT_ENCODING, wish);
    }
}
