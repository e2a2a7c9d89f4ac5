//! One read of the Management API, ready to be sent.

use std::sync::OnceLock;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::domain::Domain;

/// All but the unreserved characters of RFC 3986, for a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// For a value in a query, where a comma may stand, as it does in lists of `fields`. `reqwest`'s
/// own encoding is for forms, where a blank is `+`; one that is `%20` is read alike by everybody.
const VALUE: &AsciiSet = &SEGMENT.remove(b',');

/// What is done with Auth0, as far as it matters for what a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A read of the Management API.
    Read,
    /// A read that searches. Auth0 gives it two seconds, then answers 503.
    Search,
    /// A request for an access token.
    Grant,
}

/// A path below `/api/v2/` and a query, both percent-encoded, with the endpoint's name for the log.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    endpoint: &'static str,
    kind: Kind,
    path: String,
    query: String,
    /// The whole address, once it has been asked for: to parse it costs more than to send it.
    url: OnceLock<Url>,
}

impl Call {
    /// A list: the endpoint's name is its path.
    pub(crate) fn to(endpoint: &'static str) -> Self {
        Self {
            endpoint,
            kind: Kind::Read,
            path: format!("/api/v2/{endpoint}"),
            query: String::new(),
            url: OnceLock::new(),
        }
    }

    /// A list that is searched.
    pub(crate) fn search(endpoint: &'static str) -> Self {
        Self { kind: Kind::Search, ..Self::to(endpoint) }
    }

    /// A single record of a list.
    pub(crate) fn to_one(endpoint: &'static str, collection: &str, id: &str) -> Self {
        let id = utf8_percent_encode(id, SEGMENT);
        Self {
            endpoint,
            kind: Kind::Read,
            path: format!("/api/v2/{collection}/{id}"),
            query: String::new(),
            url: OnceLock::new(),
        }
    }

    /// Adds a query parameter.
    pub(crate) fn with(mut self, key: &'static str, value: &str) -> Self {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.push_str(key);
        self.query.push('=');
        self.query.extend(utf8_percent_encode(value, VALUE));
        self
    }

    /// The endpoint's name, such as `users`: fit for logs and metrics, for it says nothing of what
    /// was asked.
    pub(crate) fn endpoint(&self) -> &'static str {
        self.endpoint
    }

    /// Path and query, which is what tells calls apart.
    pub(crate) fn target(&self) -> String {
        match self.query() {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The address on the one domain that the call is ever sent to.
    pub(crate) fn url(&self, domain: &Domain) -> &Url {
        self.url.get_or_init(|| domain.url(&self.path, self.query()))
    }

    fn query(&self) -> Option<&str> {
        (!self.query.is_empty()).then_some(&self.query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_put_in_stays_in_its_place() {
        let call = Call::to_one("user", "users", "auth0|a b?c,d#e%2e\\é").with("q", "a&b=c+d \"é\"").with("x", "1");
        assert_eq!(call.path, "/api/v2/users/auth0%7Ca%20b%3Fc%2Cd%23e%252e%5C%C3%A9");
        assert_eq!(call.query(), Some("q=a%26b%3Dc%2Bd%20%22%C3%A9%22&x=1"));
    }
}
