//! Negotiation of a response's media type: <https://graphql.github.io/graphql-over-http/draft/#sec-Accept>.

use std::cmp::Reverse;

use axum::http::{HeaderMap, HeaderValue, header};

/// A media type of GraphQL responses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum MediaType {
    /// `application/graphql-response+json`: the status tells what happened.
    GraphqlResponse,
    /// `application/json`: a well-formed request is answered 200, as clients from before the specification expect. It is
    /// also the one for those who ask for none.
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

    /// The media type of a response with these headers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let is_new = headers.get(header::CONTENT_TYPE).is_some_and(|value| *value == Self::GraphqlResponse.header());
        if is_new { Self::GraphqlResponse } else { Self::Json }
    }

    fn name(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json",
            Self::Json => "application/json",
        }
    }

    /// The closeness with which a range names this type; none if it does not match.
    fn closeness(self, range: &str) -> Option<u8> {
        let names = ["*/*", "application/*", self.name()];
        (0..).zip(names).find(|(_, name)| range.eq_ignore_ascii_case(name)).map(|(closeness, _)| closeness)
    }

    /// The media type that the `Accept` headers prefer; none if they rule out both.
    pub(crate) fn negotiate(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
        if lines.peek().is_none() { Some(Self::default()) } else { choose(lines.flat_map(|line| line.split(','))) }
    }
}

/// The best media type that these ranges allow. Of the ranges that match a type, the closest speaks for it; of the types, the
/// one of the best quality is taken, then the one more closely named, then the one named first.
fn choose<'a>(ranges: impl Iterator<Item = &'a str>) -> Option<MediaType> {
    // The older type first: it is taken where nothing tells the two apart.
    let mut candidates = [(MediaType::Json, None), (MediaType::GraphqlResponse, None)];
    for (index, range) in ranges.enumerate() {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let quality = quality(parts);
        for (media_type, verdict) in &mut candidates {
            let Some(closeness) = media_type.closeness(name) else { continue };
            let next = Some((closeness, quality, Reverse(index)));
            *verdict = (*verdict).max(next);
        }
    }
    let mut best = None;
    for (media_type, verdict) in candidates {
        let Some((closeness, quality, index)) = verdict.filter(|(_, quality, _)| *quality > 0) else { continue };
        let rank = (quality, closeness, index);
        if best.is_none_or(|(best, _)| rank > best) {
            best = Some((rank, media_type));
        }
    }
    best.map(|(_, media_type)| media_type)
}

/// The quality that the parameters of a range give it; 0 for a charset that answers never have.
fn quality<'a>(parameters: impl Iterator<Item = &'a str> + Clone) -> u16 {
    let mut charsets = parameters.clone().filter_map(|parameter| value_of("charset", parameter));
    let is_utf8 = charsets.all(|charset| charset.trim_matches('"').eq_ignore_ascii_case("utf-8"));
    if is_utf8 { weight(parameters) } else { 0 }
}

/// The weight (RFC 9110, 12.4.2) that the parameters of an item give it, in thousandths: 1000 without a `q`, 0 for one that is no number
/// from 0 to 1.
pub(crate) fn weight<'a>(parameters: impl Iterator<Item = &'a str>) -> u16 {
    let weight = parameters.filter_map(|parameter| value_of("q", parameter)).last();
    let weight = weight.map_or(Ok(1.0), str::parse::<f32>).ok().filter(|weight| (0.0..=1.0).contains(weight));
    (weight.unwrap_or(0.0) * 1000.0) as u16
}

/// The value of a parameter, if that has this name.
fn value_of<'a>(name: &str, parameter: &'a str) -> Option<&'a str> {
    let (known, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    known.trim().eq_ignore_ascii_case(name).then(|| value.trim())
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
            ("application/json;q=0.5, */*", new),
            ("*/*, application/json;q=0.5", new),
            ("application/graphql-response+json;q=0.5, */*;q=0.9", old),
            ("application/*;q=0, */*", None),
            ("application/json; charset=latin1, */*", new),
            ("application/json ; Q = 0.4, application/graphql-response+json;q=0.5", new),
            ("application/json;q=0", None),
            ("application/json;q=NaN", None),
            ("application/json;q=2", None),
            ("application/json;q=oops", None),
            ("", None),
        ] {
            assert_eq!(choose(accept.split(',')), expected, "{accept}");
        }
    }

    #[test]
    fn without_accept_the_older_type_is_taken() {
        assert_eq!(MediaType::negotiate(&HeaderMap::new()), Some(MediaType::Json));
    }
}
