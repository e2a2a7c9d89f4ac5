//! The endpoints of the Management API that are read: a row each.
//!
//! <https://auth0.com/docs/api/management/v2>

use super::error_mapping::{is_absent_log, is_absent_user};
use super::http_client::UpstreamResponse;
use super::pace::Class;
use super::retry::RequestKind;

/// An endpoint, and all that is particular to it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Its name in logs, metrics and explanations, which says nothing of what was asked.
    pub(crate) name: &'static str,
    /// Below `/api/v2/`. An id stands where the braces are.
    pub(crate) path: &'static str,
    /// The bucket that it counts in, where a plan has several.
    pub(crate) class: Class,
    /// Decides how its failures are judged. Answers of a search, which lags behind the tenant by itself, may be kept for a moment.
    pub(crate) kind: RequestKind,
    pub(crate) selectable: Selectable,
    pub(crate) response: ResponseKind,
    /// The scope that the gateway is meant to hold for it, of those that Auth0 takes.
    pub(crate) scope: &'static str,
}

/// The parameter `fields` of an endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Selectable {
    /// It has none: Auth0 refuses parameters that an endpoint does not have.
    Nothing,
    /// It takes any plain name; the record's id is the least to ask for.
    Any { least: &'static str },
    /// It takes these names, and refuses the whole read for any other.
    Listed { least: &'static str, names: &'static [&'static str] },
}

/// The answer of an endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ResponseKind {
    /// A list; in an object, it stands under this key.
    List { key: &'static str },
    /// A list that belongs to a user: one who is gone has none.
    ListOfUser { key: &'static str },
    /// A record, and how its absence shows.
    Record { is_absent: fn(&UpstreamResponse) -> bool },
}

/// The names that `GET /users/{id}` and `GET /users-by-email` take, as quoted from the 400 that any other is answered with:
/// <https://github.com/auth0/auth0-java/issues/177>.
pub(crate) const USER_FIELDS: Selectable = Selectable::Listed {
    least: "user_id",
    names: &[
        "app_metadata",
        "blocked",
        "created_at",
        "email",
        "email_verified",
        "family_name",
        "given_name",
        "identities",
        "last_ip",
        "last_login",
        "logins_count",
        "name",
        "nickname",
        "phone_number",
        "picture",
        "updated_at",
        "user_id",
        "user_metadata",
        "username",
    ],
};

const USER_LIST: ResponseKind = ResponseKind::List { key: "users" };
const LOG_LIST: ResponseKind = ResponseKind::List { key: "logs" };

/// The user search, whose index lags a little behind: a user of a second ago may be missing.
pub(crate) static USERS: Endpoint = Endpoint {
    name: "users",
    path: "users",
    class: Class::Users,
    kind: RequestKind::Search,
    selectable: Selectable::Any { least: "user_id" },
    response: USER_LIST,
    scope: "read:users",
};

pub(crate) static USER: Endpoint = Endpoint {
    name: "user",
    path: "users/{}",
    class: Class::Users,
    kind: RequestKind::Read,
    selectable: USER_FIELDS,
    response: ResponseKind::Record { is_absent: is_absent_user },
    scope: "read:users",
};

pub(crate) static USERS_BY_EMAIL: Endpoint = Endpoint {
    name: "users-by-email",
    path: "users-by-email",
    class: Class::Users,
    kind: RequestKind::Read,
    selectable: USER_FIELDS,
    response: USER_LIST,
    scope: "read:users",
};

/// The log search, by page.
pub(crate) static LOG_SEARCH: Endpoint = Endpoint {
    name: "logs",
    path: "logs",
    class: Class::Logs,
    kind: RequestKind::Search,
    selectable: Selectable::Any { least: "log_id" },
    response: LOG_LIST,
    scope: "read:logs",
};

/// The same endpoint, read on from a checkpoint: Auth0 ignores every parameter but `from` and `take` there.
pub(crate) static LOG_STREAM: Endpoint = Endpoint {
    name: "logs",
    path: "logs",
    class: Class::Logs,
    kind: RequestKind::Read,
    selectable: Selectable::Nothing,
    response: LOG_LIST,
    scope: "read:logs",
};

pub(crate) static LOG: Endpoint = Endpoint {
    name: "log",
    path: "logs/{}",
    class: Class::Logs,
    kind: RequestKind::Read,
    selectable: Selectable::Nothing,
    response: ResponseKind::Record { is_absent: is_absent_log },
    scope: "read:logs",
};

/// The logs of one user. The bucket that it counts in is not documented.
pub(crate) static USER_LOGS: Endpoint = Endpoint {
    name: "user-logs",
    path: "users/{}/logs",
    class: Class::Other,
    kind: RequestKind::Search,
    selectable: Selectable::Nothing,
    response: LOG_LIST,
    scope: "read:logs",
};

/// An endpoint for a list that belongs to a user. In which bucket it counts is not documented.
const fn list_of_user(name: &'static str, path: &'static str, key: &'static str, scope: &'static str) -> Endpoint {
    Endpoint {
        name,
        path,
        class: Class::Other,
        kind: RequestKind::Read,
        selectable: Selectable::Nothing,
        response: ResponseKind::ListOfUser { key },
        scope,
    }
}

/// Auth0 asks for `read:users`, `read:roles` and `read:role_members`, all three.
pub(crate) static USER_ROLES: Endpoint = list_of_user("user-roles", "users/{}/roles", "roles", "read:roles");

pub(crate) static USER_PERMISSIONS: Endpoint =
    list_of_user("user-permissions", "users/{}/permissions", "permissions", "read:users");

pub(crate) static USER_ORGANIZATIONS: Endpoint =
    list_of_user("user-organizations", "users/{}/organizations", "organizations", "read:organizations");

pub(crate) static USER_AUTHENTICATION_METHODS: Endpoint = list_of_user(
    "user-authentication-methods",
    "users/{}/authentication-methods",
    "authenticators",
    "read:authentication_methods",
);

pub(crate) static USER_ENROLLMENTS: Endpoint =
    list_of_user("user-enrollments", "users/{}/enrollments", "enrollments", "read:users");

pub(crate) static USER_SESSIONS: Endpoint =
    list_of_user("user-sessions", "users/{}/sessions", "sessions", "read:sessions");

pub(crate) static USER_REFRESH_TOKENS: Endpoint =
    list_of_user("user-refresh-tokens", "users/{}/refresh-tokens", "tokens", "read:refresh_tokens");

pub(crate) static USER_BLOCKS: Endpoint = list_of_user("user-blocks", "user-blocks/{}", "blocked_for", "read:users");
