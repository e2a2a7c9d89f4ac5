//! Targets of requests: path and query, percent-encoded, and the key that they are known by.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::endpoints::{Endpoint, ID};
use super::fields_parameter::Fields;
use super::pace::RequestHash;

/// All but the unreserved characters of RFC 3986, for a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The characters that are encoded in a value of a query, where a comma may stand, as it does in lists of `fields`. A blank is
/// `%20`, which is read alike by everybody, and not `+` as in forms.
const VALUE: &AsciiSet = &SEGMENT.remove(b',');

/// A request as it is worked out once, however often it is asked.
#[derive(Debug)]
pub(crate) struct RequestTarget {
    pub(crate) endpoint: &'static Endpoint,
    pub(crate) key: RequestKey,
    /// The names in `fields`; none where whole records are asked for.
    pub(crate) field_names: Vec<&'static str>,
    /// The end, in the target, of the parameters that do not choose fields.
    fields_start: usize,
    url: OnceLock<Arc<Url>>,
}

impl RequestTarget {
    /// The address at the tenant, of which there is one in a process, as `parse` reads it from the target.
    pub(crate) fn url<E>(&self, has_fields: bool, parse: impl FnOnce(&str) -> Result<Url, E>) -> Result<Arc<Url>, E> {
        let parse = || parse(self.target(has_fields)).map(Arc::new);
        match self.url.get() {
            Some(url) if has_fields => Ok(Arc::clone(url)),
            None if has_fields => {
                let url = parse()?;
                Ok(Arc::clone(self.url.get_or_init(|| url)))
            }
            _ => parse(),
        }
    }

    /// Path and query, percent-encoded; or those of the same request for whole records.
    pub(crate) fn target(&self, has_fields: bool) -> &str {
        let target = &self.key.target;
        if has_fields { target } else { &target[..self.fields_start] }
    }
}

/// Path and query of a request that is being made.
#[derive(Debug)]
pub(crate) struct TargetBuilder {
    endpoint: &'static Endpoint,
    text: String,
    field_names: Vec<&'static str>,
    fields_start: Option<usize>,
}

impl TargetBuilder {
    pub(crate) fn of(endpoint: &'static Endpoint) -> Self {
        Self::at(endpoint, endpoint.path)
    }

    /// The target of an endpoint whose path has an id in it.
    pub(crate) fn of_id(endpoint: &'static Endpoint, id: &str) -> Self {
        Self::at(endpoint, &endpoint.path.replace(ID, &utf8_percent_encode(id, SEGMENT).to_string()))
    }

    fn at(endpoint: &'static Endpoint, path: &str) -> Self {
        Self { endpoint, text: format!("/api/v2/{path}"), field_names: Vec::new(), fields_start: None }
    }

    /// Adds query parameters.
    pub(crate) fn with_all<V: AsRef<str>>(self, pairs: impl IntoIterator<Item = (&'static str, V)>) -> Self {
        pairs.into_iter().fold(self, |target, (key, value)| target.with(key, value.as_ref()))
    }

    /// Adds a query parameter.
    fn with(mut self, key: &'static str, value: &str) -> Self {
        // In the path it would be encoded.
        self.text.push(if self.text.contains('?') { '&' } else { '?' });
        self.text.push_str(key);
        self.text.push('=');
        self.text.extend(utf8_percent_encode(value, VALUE));
        self
    }

    /// Adds `fields` and `include_fields`, behind everything else, if the endpoint takes all of the names.
    pub(crate) fn with_fields(mut self, fields: &Fields) -> Self {
        let Some((names, include)) = fields.parameter(self.endpoint.selectable) else { return self };
        self.fields_start = Some(self.text.len());
        let target =
            self.with("fields", &names.join(",")).with("include_fields", if include { "true" } else { "false" });
        Self { field_names: names, ..target }
    }

    pub(crate) fn into_request(self) -> RequestTarget {
        let Self { endpoint, text, field_names, fields_start } = self;
        let fields_start = fields_start.unwrap_or(text.len());
        RequestTarget { endpoint, key: RequestKey::of(text), field_names, fields_start, url: OnceLock::new() }
    }
}

/// The identity of a request: path and query, hashed once, for a search for fifty users has two kilobytes of them and is looked for
/// in several maps. Everybody sees the tenant through the gateway's one token, so that they are all that an answer depends on.
/// Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct RequestKey {
    target: Arc<str>,
    hash: RequestHash,
}

impl RequestKey {
    pub(crate) fn of(target: impl Into<Arc<str>>) -> Self {
        let target = target.into();
        let hash = RequestHash::of(&target);
        Self { target, hash }
    }

    pub(crate) fn hash(&self) -> RequestHash {
        self.hash
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.target.len()
    }
}

impl PartialEq for RequestKey {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.target == other.target
    }
}

impl Eq for RequestKey {}

impl Hash for RequestKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::super::endpoints::USER;
    use super::*;

    #[test]
    fn whatever_is_put_in_stays_in_its_place() {
        let target = TargetBuilder::of_id(&USER.endpoint, "auth0|a b?c,d#e%2e\\é/../x")
            .with("q", "a&b=c+d \"é\"")
            .with("x", "1");
        assert_eq!(
            target.into_request().target(true),
            "/api/v2/users/auth0%7Ca%20b%3Fc%2Cd%23e%252e%5C%C3%A9%2F..%2Fx?q=a%26b%3Dc%2Bd%20%22%C3%A9%22&x=1"
        );
    }
}
