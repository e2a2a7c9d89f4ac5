//! Which media type an answer has: <https://graphql.github.io/graphql-over-http/draft/#sec-Accept>.

use axum::http::{HeaderMap, HeaderValue, header};

/// A media type of GraphQL answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum MediaType {
    /// `application/graphql-response+json`: the status tells what happened.
    GraphqlResponse,
    /// `application/json`: a well-formed request is answered 200, as clients from before the specification expect. Theirs
    /// is also the answer for those who say nothing.
    #[default]
    Json,
}

impl MediaType {
    pub(crate) const fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        })
    }

    /// The media type that the `Accept` headers prefer; none if they rule out both.
    pub(crate) fn negotiate(headers: &HeaderMap) -> Option<Self> {
        let ranges: Vec<_> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        if ranges.is_empty() { Some(Self::default()) } else { choose(&ranges.join(",")) }
    }
}

/// The best of the ranges in `accept`: by quality, then by how closely they name a type, then by their order.
fn choose(accept: &str) -> Option<MediaType> {
    let mut best: Option<(f32, u8, MediaType)> = None;
    let mut refused = Vec::new();
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let (media_type, closeness) = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "application/graphql-response+json" => (MediaType::GraphqlResponse, 2),
            "application/json" => (MediaType::Json, 2),
            "application/*" => (MediaType::default(), 1),
            "*/*" => (MediaType::default(), 0),
            _ => continue,
        };
        let mut quality = 1.0;
        let mut is_utf8 = true;
        for parameter in parts {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name.to_ascii_lowercase().as_str() {
                "q" => quality = value.trim().parse().unwrap_or(0.0),
                "charset" => is_utf8 = value.trim_matches('"').eq_ignore_ascii_case("utf-8"),
                _ => {}
            }
        }
        if quality <= 0.0 || !is_utf8 {
            if closeness == 2 {
                refused.push(media_type);
            }
            continue;
        }
        if best.is_none_or(|(q, close, _)| (quality, closeness) > (q, close)) {
            best = Some((quality, closeness, media_type));
        }
    }
    let (_, closeness, media_type) = best?;
    // A wildcard does not bring back what was refused by name.
    [media_type, MediaType::Json, MediaType::GraphqlResponse]
        .into_iter()
        .take(if closeness == 2 { 1 } else { 3 })
        .find(|media_type| !refused.contains(media_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_is_understood() {
        let (new, old) = (Some(MediaType::GraphqlResponse), Some(MediaType::Json));
        for (accept, expected) in [
            ("application/graphql-response+json", new),
            ("application/json", old),
            ("application/graphql-response+json, application/json;q=0.9", new),
            ("application/json;q=0.8, application/graphql-response+json;q=0.9", new),
            ("application/json, application/graphql-response+json", old),
            ("Application/GraphQL-Response+JSON; Charset=UTF-8", new),
            ("application/json; charset=\"utf-8\"", old),
            ("application/json; charset=iso-8859-1", None),
            ("*/*", old),
            ("application/*", old),
            ("text/html, */*;q=0.1", old),
            ("text/html, application/xhtml+xml", None),
            ("*/*, application/graphql-response+json", new),
            ("application/json;q=0, */*", new),
            ("application/json;q=0", None),
            ("application/json;q=oops", None),
            ("", None),
        ] {
            assert_eq!(choose(accept), expected, "{accept}");
        }
    }

    #[test]
    fn without_accept_the_older_type_is_taken() {
        assert_eq!(MediaType::negotiate(&HeaderMap::new()), Some(MediaType::Json));
    }
}
