//! Requests: an endpoint, and what is asked of it.

use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::endpoints::{Endpoint, LOG, LOG_SEARCH, LOG_STREAM, USER, USER_LOGS, USERS, USERS_BY_EMAIL};
use super::envelope::Page;
use super::fields::Fields;
use super::ids::{Email, LogId, UserId};
use super::pace::RequestHash;
use super::query::{LogCheckpoint, LogSearch, UserLogs, UserSearch};

/// All but the unreserved characters of RFC 3986, for a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// For a value in a query, where a comma may stand, as it does in lists of `fields`. A blank is
/// `%20`, which is read alike by everybody, and not `+` as in forms.
const VALUE: &AsciiSet = &SEGMENT.remove(b',');

/// A read of the Management API that brings a `T`, to be made as often as need be. Cheap to clone.
#[derive(Debug)]
pub struct ApiRequest<T>(pub(super) Arc<Request>, PhantomData<fn() -> T>);

impl<T> ApiRequest<T> {
    fn new(target: Target) -> Self {
        Self(Arc::new(target.into_request()), PhantomData)
    }
}

impl<T> Clone for ApiRequest<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), PhantomData)
    }
}

impl ApiRequest<Page> {
    /// A search for users: `GET /users`. Without `totals`, [`Page::total`] is `None`.
    ///
    /// The search index lags a little behind: a user of a second ago may be missing.
    #[must_use]
    pub fn users(search: &UserSearch, fields: &Fields, totals: bool) -> Self {
        Self::new(search.add_to(Target::of(&USERS)).with_totals(totals).with_fields(fields))
    }

    /// All users of an e-mail address: `GET /users-by-email`, which compares it case-sensitively.
    #[must_use]
    pub fn users_by_email(email: &Email, fields: &Fields) -> Self {
        Self::new(Target::of(&USERS_BY_EMAIL).with("email", email.as_str()).with_fields(fields))
    }

    /// A search of the logs: `GET /logs` by page. Auth0's total is the length of the page, so it is
    /// not asked for.
    #[must_use]
    pub fn search_logs(search: &LogSearch, fields: &Fields) -> Self {
        Self::new(search.add_to(Target::of(&LOG_SEARCH)).with_fields(fields))
    }

    /// The logs of one user: `GET /users/{id}/logs` by page. Without `totals`, [`Page::total`] is `None`.
    /// Records come whole: the endpoint has no `fields`. <https://auth0.com/docs/api/management/v2/users/get-logs-by-user>
    #[must_use]
    pub fn user_logs(id: &UserId, logs: &UserLogs, totals: bool) -> Self {
        Self::new(logs.add_to(Target::of_id(&USER_LOGS, id.as_str())).with_totals(totals))
    }

    /// The stream of logs, read on from a checkpoint: `GET /logs` with `from`. Records are whole
    /// and come oldest first, for Auth0 ignores every other parameter there.
    #[must_use]
    pub fn logs_after(checkpoint: &LogCheckpoint) -> Self {
        Self::new(checkpoint.add_to(Target::of(&LOG_STREAM)))
    }
}

impl ApiRequest<Option<Bytes>> {
    /// A user: `GET /users/{id}`. It brings a JSON object as Auth0 sent it, or `None` if there is no such
    /// user.
    #[must_use]
    pub fn user(id: &UserId, fields: &Fields) -> Self {
        Self::new(Target::of_id(&USER, id.as_str()).with_fields(fields))
    }

    /// A log: `GET /logs/{id}`. It brings a JSON object as Auth0 sent it, or `None` if there is no such log
    /// (any more). It comes whole: the endpoint has no `fields`. <https://auth0.com/docs/api/management/v2/logs/get-logs-by-id>
    #[must_use]
    pub fn log(id: &LogId) -> Self {
        Self::new(Target::of_id(&LOG, id.as_str()))
    }
}

/// A request as it is worked out once, however often it is asked.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) endpoint: &'static Endpoint,
    pub(crate) key: RequestKey,
    /// The names in `fields`; none where whole records are asked for.
    pub(crate) field_names: Vec<&'static str>,
    /// Where in the target the parameters end that do not choose fields.
    fields_start: usize,
}

impl Request {
    /// Path and query, percent-encoded; or those of the same request for whole records.
    pub(crate) fn target(&self, has_fields: bool) -> &str {
        let target = &self.key.target;
        if has_fields { target } else { &target[..self.fields_start] }
    }
}

/// Path and query of a request that is being made.
#[derive(Debug)]
pub(crate) struct Target {
    endpoint: &'static Endpoint,
    text: String,
    field_names: Vec<&'static str>,
    fields_start: Option<usize>,
}

impl Target {
    pub(crate) fn of(endpoint: &'static Endpoint) -> Self {
        Self::at(endpoint, endpoint.path)
    }

    /// Of an endpoint whose path has an id in it.
    pub(crate) fn of_id(endpoint: &'static Endpoint, id: &str) -> Self {
        Self::at(endpoint, &endpoint.path.replace("{}", &utf8_percent_encode(id, SEGMENT).to_string()))
    }

    fn at(endpoint: &'static Endpoint, path: &str) -> Self {
        Self { endpoint, text: format!("/api/v2/{path}"), field_names: Vec::new(), fields_start: None }
    }

    /// Adds a query parameter.
    pub(crate) fn with(mut self, key: &'static str, value: &str) -> Self {
        // In the path it would be encoded.
        self.text.push(if self.text.contains('?') { '&' } else { '?' });
        self.text.push_str(key);
        self.text.push('=');
        self.text.extend(utf8_percent_encode(value, VALUE));
        self
    }

    fn with_totals(self, totals: bool) -> Self {
        if totals { self.with("include_totals", "true") } else { self }
    }

    /// Adds `fields` and `include_fields`, behind everything else, if the endpoint takes all of the names.
    fn with_fields(mut self, fields: &Fields) -> Self {
        let Some((names, include)) = fields.parameter(self.endpoint.selectable) else { return self };
        self.fields_start = Some(self.text.len());
        let target =
            self.with("fields", &names.join(",")).with("include_fields", if include { "true" } else { "false" });
        Self { field_names: names, ..target }
    }

    pub(crate) fn into_request(self) -> Request {
        let Self { endpoint, text, field_names, fields_start } = self;
        let fields_start = fields_start.unwrap_or(text.len());
        Request { endpoint, key: RequestKey::of(text), field_names, fields_start }
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

    /// In bytes.
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
    use super::*;

    #[test]
    fn whatever_is_put_in_stays_in_its_place() {
        let target = Target::of_id(&USER, "auth0|a b?c,d#e%2e\\é/../x").with("q", "a&b=c+d \"é\"").with("x", "1");
        assert_eq!(
            target.into_request().target(true),
            "/api/v2/users/auth0%7Ca%20b%3Fc%2Cd%23e%252e%5C%C3%A9%2F..%2Fx?q=a%26b%3Dc%2Bd%20%22%C3%A9%22&x=1"
        );
    }

    #[test]
    fn whole_records_are_asked_for_without_the_fields_alone() {
        let fields = Fields::Only(vec!["email"]);
        let ApiRequest(request, _) = ApiRequest::users_by_email(&Email::parse("a@b").unwrap(), &fields);
        assert_eq!(request.target(true), "/api/v2/users-by-email?email=a%40b&fields=email&include_fields=true");
        assert_eq!(request.target(false), "/api/v2/users-by-email?email=a%40b");
        assert_eq!(request.field_names, ["email"]);
    }
}
