//! One read of the Management API, ready to be sent.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but the unreserved characters of RFC 3986, for a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// For a value in a query, where a comma may stand, as it does in lists of `fields`. A blank is
/// `%20`, which is read alike by everybody, and not `+` as in forms.
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

/// What to ask for below `/api/v2/`, percent-encoded, with the endpoint's name for the log.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    endpoint: &'static str,
    kind: Kind,
    target: String,
    /// The parameters that choose fields, which are the last ones.
    selection: Option<Selection>,
}

/// Which names a call sends in `fields`, and where in its target that begins.
#[derive(Debug, Clone)]
struct Selection {
    names: Vec<&'static str>,
    start: usize,
}

impl Call {
    /// A list: the endpoint's name is its path.
    pub(crate) fn to(endpoint: &'static str) -> Self {
        Self { endpoint, kind: Kind::Read, target: format!("/api/v2/{endpoint}"), selection: None }
    }

    /// A list that is searched.
    pub(crate) fn search(endpoint: &'static str) -> Self {
        Self { kind: Kind::Search, ..Self::to(endpoint) }
    }

    /// A single record of a list.
    pub(crate) fn to_one(endpoint: &'static str, collection: &str, id: &str) -> Self {
        let id = utf8_percent_encode(id, SEGMENT);
        Self { endpoint, kind: Kind::Read, target: format!("/api/v2/{collection}/{id}"), selection: None }
    }

    /// A list that belongs to a single record. It is searched like the list of all.
    pub(crate) fn below(endpoint: &'static str, collection: &str, id: &str, list: &str) -> Self {
        let Self { target, .. } = Self::to_one(endpoint, collection, id);
        Self { endpoint, kind: Kind::Search, target: format!("{target}/{list}"), selection: None }
    }

    /// Adds a query parameter.
    pub(crate) fn with(mut self, key: &'static str, value: &str) -> Self {
        // In the path it would be encoded.
        self.target.push(if self.target.contains('?') { '&' } else { '?' });
        self.target.push_str(key);
        self.target.push('=');
        self.target.extend(utf8_percent_encode(value, VALUE));
        self
    }

    /// Adds `fields` and `include_fields`, behind everything else.
    pub(crate) fn with_fields(self, names: Vec<&'static str>, include: bool) -> Self {
        let start = self.target.len();
        let call = self.with("fields", &names.join(",")).with("include_fields", if include { "true" } else { "false" });
        Self { selection: Some(Selection { names, start }), ..call }
    }

    /// The names that it sends in `fields`; none where it asks for whole records.
    pub(crate) fn field_names(&self) -> &[&'static str] {
        self.selection.as_ref().map_or(&[], |selection| &selection.names)
    }

    /// Path and query of the same call for whole records.
    pub(crate) fn target_without_fields(&self) -> &str {
        self.selection.as_ref().map_or(&self.target, |selection| &self.target[..selection.start])
    }

    /// The endpoint's name, such as `users`: fit for logs and metrics, for it says nothing of what
    /// was asked.
    pub(crate) fn endpoint(&self) -> &'static str {
        self.endpoint
    }

    /// Path and query, which is what tells calls apart.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_put_in_stays_in_its_place() {
        let call = Call::to_one("user", "users", "auth0|a b?c,d#e%2e\\é").with("q", "a&b=c+d \"é\"").with("x", "1");
        assert_eq!(
            call.target(),
            "/api/v2/users/auth0%7Ca%20b%3Fc%2Cd%23e%252e%5C%C3%A9?q=a%26b%3Dc%2Bd%20%22%C3%A9%22&x=1"
        );
    }
}
