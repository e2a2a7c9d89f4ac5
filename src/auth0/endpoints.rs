//! The endpoints of the Management API that are read: a row each.
//!
//! <https://auth0.com/docs/api/management/v2>

use std::marker::PhantomData;

use bytes::Bytes;

use super::error_mapping::{is_absent_log, is_absent_user};
use super::http_client::UpstreamResponse;
use super::ids::{Email, LogId, UserId};
use super::list_parameters::{ListPart, LogCheckpoint, LogSearch, UserLogs, UserSearch};
use super::pace::RateClass;
use super::page::Page;
use super::retry::RequestKind;

/// An endpoint, and all that is particular to it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Its name in logs, metrics and explanations, which says nothing of what was asked.
    pub(crate) name: &'static str,
    /// Below `/api/v2/`. An id stands where the braces are.
    pub(super) path: &'static str,
    /// The bucket that it counts in, where a plan has several.
    pub(crate) class: RateClass,
    /// Decides how its failures are judged. Answers of a search, which lags behind the tenant by itself, may be kept for a moment.
    pub(super) kind: RequestKind,
    pub(super) selectable: Selectable,
    pub(super) response: ResponseKind,
    /// The scope that the gateway is meant to hold for it, of those that Auth0 takes.
    pub(crate) scope: &'static str,
    pub(crate) sample: Sample,
}

/// The cheapest call to an endpoint, by which it is seen whether it answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// The list that has an id for it, if it needs one.
    pub(crate) id_of: Option<&'static Endpoint>,
    /// Its parameters but `fields`; [`ID`] is the value where the id goes.
    pub(super) parameters: &'static [(&'static str, &'static str)],
}

/// The value of a parameter that is the id, and in a path the part that is.
pub(super) const ID: &str = "{}";

impl Endpoint {
    /// Method and path, with the parameter that makes it another endpoint: `GET /users/{id}`, `GET /logs?from`.
    pub(crate) fn label(&self) -> String {
        let path = self.path.replace(ID, "{id}");
        match self.sample.parameters.iter().find(|(_, value)| *value == ID) {
            Some((name, _)) => format!("GET /{path}?{name}"),
            None => format!("GET /{path}"),
        }
    }

    /// True if it answers with a list that belongs to a user.
    pub(crate) fn is_list_of_user(&self) -> bool {
        matches!(self.response, ResponseKind::ListOfUser { .. })
    }
}

/// An endpoint, with the types of what it takes and of what it brings: requests to it take no other.
pub(crate) struct Typed<P, T> {
    pub(crate) endpoint: Endpoint,
    types: PhantomData<fn(P) -> T>,
}

/// A list, by parameters `P`.
pub(crate) type List<P> = Typed<P, Page>;

/// A list that belongs to a user, by parameters `P`.
pub(crate) type ListOfUser<P> = Typed<(UserId, P), Page>;

/// A record, by an id `I`.
pub(crate) type Record<I> = Typed<I, Option<Bytes>>;

/// The parameter `fields` of an endpoint.
#[derive(Debug, Clone, Copy)]
pub(super) enum Selectable {
    /// No parameter: Auth0 refuses parameters that an endpoint does not have.
    Nothing,
    /// Any plain name; the record's id is the least to ask for.
    Any { least: &'static str },
    /// These names alone: the whole read is refused for any other.
    Listed { least: &'static str, names: &'static [&'static str] },
}

/// The answer of an endpoint.
#[derive(Debug, Clone, Copy)]
pub(super) enum ResponseKind {
    /// A list; in an object, it stands under this key.
    List { key: &'static str },
    /// A list that belongs to a user: one who is gone has none.
    ListOfUser { key: &'static str },
    /// A record, and how its absence shows.
    Record { is_absent: fn(&UpstreamResponse) -> bool },
}

/// The names that `GET /users/{id}` and `GET /users-by-email` take, as quoted from the 400 that any other is answered with:
/// <https://github.com/auth0/auth0-java/issues/177>.
pub(super) const USER_FIELDS: Selectable = Selectable::Listed {
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

/// The first record of a list that comes by page.
const FIRST_OF_PAGES: &[(&str, &str)] = &[("page", "0"), ("per_page", "1")];

/// The first record of a list that is read on from a checkpoint.
const FIRST_OF_CHECKPOINTS: &[(&str, &str)] = &[("take", "1")];

/// An address that nobody has (RFC 2606): Auth0 answers with an empty list.
const NOBODY: &str = "nobody@example.invalid";

const USER_LIST: ResponseKind = ResponseKind::List { key: "users" };
const LOG_LIST: ResponseKind = ResponseKind::List { key: "logs" };

/// An endpoint for a list that belongs to a user. In which bucket it counts is not documented.
const fn list_of_user(
    name: &'static str,
    path: &'static str,
    key: &'static str,
    scope: &'static str,
    parameters: &'static [(&'static str, &'static str)],
) -> Endpoint {
    Endpoint {
        name,
        path,
        class: RateClass::Other,
        kind: RequestKind::Read,
        selectable: Selectable::Nothing,
        response: ResponseKind::ListOfUser { key },
        scope,
        sample: Sample { id_of: Some(&USERS.endpoint), parameters },
    }
}

/// Declares the endpoints, and lists them in their order.
macro_rules! endpoints {
    ($($(#[$doc:meta])* pub(crate) static $name:ident: $types:ty = $row:expr;)*) => {
        $($(#[$doc])* pub(crate) static $name: $types = Typed { endpoint: $row, types: PhantomData };)*

        /// Every endpoint.
        pub(crate) static ENDPOINTS: &[&Endpoint] = &[$(&$name.endpoint),*];
    };
}

// In order: a list that has an id for others stands before them.
endpoints! {
    /// The user search, whose index lags a little behind: a user of a second ago may be missing.
    pub(crate) static USERS: List<UserSearch> = Endpoint {
        name: "users",
        path: "users",
        class: RateClass::Users,
        kind: RequestKind::Search,
        selectable: Selectable::Any { least: "user_id" },
        response: USER_LIST,
        scope: "read:users",
        sample: Sample { id_of: None, parameters: &[("page", "0"), ("per_page", "1"), ("search_engine", "v3")] },
    };

    pub(crate) static USER: Record<UserId> = Endpoint {
        name: "user",
        path: "users/{}",
        class: RateClass::Users,
        kind: RequestKind::Read,
        selectable: USER_FIELDS,
        response: ResponseKind::Record { is_absent: is_absent_user },
        scope: "read:users",
        sample: Sample { id_of: Some(&USERS.endpoint), parameters: &[] },
    };

    /// All users of an e-mail address, which is compared case-sensitively.
    pub(crate) static USERS_BY_EMAIL: List<Email> = Endpoint {
        name: "users-by-email",
        path: "users-by-email",
        class: RateClass::Users,
        kind: RequestKind::Read,
        selectable: USER_FIELDS,
        response: USER_LIST,
        scope: "read:users",
        sample: Sample { id_of: None, parameters: &[("email", NOBODY)] },
    };

    /// The log search, by page. Auth0's total is the length of the page, so it is not asked for.
    pub(crate) static LOG_SEARCH: List<LogSearch> = Endpoint {
        name: "logs",
        path: "logs",
        class: RateClass::Logs,
        kind: RequestKind::Search,
        selectable: Selectable::Any { least: "log_id" },
        response: LOG_LIST,
        scope: "read:logs",
        sample: Sample { id_of: None, parameters: &[("page", "0"), ("per_page", "1"), ("sort", "date:-1")] },
    };

    /// The same endpoint, read on from a checkpoint: Auth0 ignores every parameter but `from` and `take` there. Records are whole, and come
    /// oldest first.
    pub(crate) static LOG_STREAM: List<LogCheckpoint> = Endpoint {
        name: "logs",
        path: "logs",
        class: RateClass::Logs,
        kind: RequestKind::Read,
        selectable: Selectable::Nothing,
        response: LOG_LIST,
        scope: "read:logs",
        sample: Sample { id_of: Some(&LOG_SEARCH.endpoint), parameters: &[("from", ID), ("take", "1")] },
    };

    /// A log. It comes whole: the endpoint has no `fields`. <https://auth0.com/docs/api/management/v2/logs/get-logs-by-id>
    pub(crate) static LOG: Record<LogId> = Endpoint {
        name: "log",
        path: "logs/{}",
        class: RateClass::Logs,
        kind: RequestKind::Read,
        selectable: Selectable::Nothing,
        response: ResponseKind::Record { is_absent: is_absent_log },
        scope: "read:logs",
        sample: Sample { id_of: Some(&LOG_SEARCH.endpoint), parameters: &[] },
    };

    /// The logs of one user. The bucket that it counts in is not documented. Records come whole: the endpoint has no `fields`.
    /// <https://auth0.com/docs/api/management/v2/users/get-logs-by-user>
    pub(crate) static USER_LOGS: ListOfUser<UserLogs> = Endpoint {
        name: "user-logs",
        path: "users/{}/logs",
        class: RateClass::Other,
        kind: RequestKind::Search,
        selectable: Selectable::Nothing,
        response: LOG_LIST,
        scope: "read:logs",
        sample: Sample { id_of: Some(&USERS.endpoint), parameters: FIRST_OF_PAGES },
    };

    /// Auth0 asks for `read:users`, `read:roles` and `read:role_members`, all three.
    pub(crate) static USER_ROLES: ListOfUser<ListPart> =
        list_of_user("user-roles", "users/{}/roles", "roles", "read:roles", FIRST_OF_PAGES);

    pub(crate) static USER_PERMISSIONS: ListOfUser<ListPart> =
        list_of_user("user-permissions", "users/{}/permissions", "permissions", "read:users", FIRST_OF_PAGES);

    pub(crate) static USER_ORGANIZATIONS: ListOfUser<ListPart> = list_of_user(
        "user-organizations",
        "users/{}/organizations",
        "organizations",
        "read:organizations",
        FIRST_OF_PAGES,
    );

    pub(crate) static USER_AUTHENTICATION_METHODS: ListOfUser<ListPart> = list_of_user(
        "user-authentication-methods",
        "users/{}/authentication-methods",
        "authenticators",
        "read:authentication_methods",
        FIRST_OF_PAGES,
    );

    pub(crate) static USER_ENROLLMENTS: ListOfUser<ListPart> =
        list_of_user("user-enrollments", "users/{}/enrollments", "enrollments", "read:users", &[]);

    pub(crate) static USER_SESSIONS: ListOfUser<ListPart> =
        list_of_user("user-sessions", "users/{}/sessions", "sessions", "read:sessions", FIRST_OF_CHECKPOINTS);

    pub(crate) static USER_REFRESH_TOKENS: ListOfUser<ListPart> = list_of_user(
        "user-refresh-tokens",
        "users/{}/refresh-tokens",
        "tokens",
        "read:refresh_tokens",
        FIRST_OF_CHECKPOINTS,
    );

    pub(crate) static USER_BLOCKS: ListOfUser<ListPart> =
        list_of_user("user-blocks", "user-blocks/{}", "blocked_for", "read:users", &[]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_needs_an_id_comes_behind_the_list_that_has_it() {
        for (index, endpoint) in ENDPOINTS.iter().enumerate() {
            let Sample { id_of, parameters } = endpoint.sample;
            let needs_id = endpoint.path.contains(ID) || parameters.iter().any(|(_, value)| *value == ID);
            assert_eq!(id_of.is_some(), needs_id, "{}", endpoint.name);
            let Some(list) = id_of else { continue };
            assert!(ENDPOINTS[..index].iter().any(|earlier| std::ptr::eq(*earlier, list)), "{}", endpoint.name);
            assert!(matches!(list.selectable, Selectable::Any { .. }), "{} tells no id", list.name);
        }
    }

    #[test]
    fn no_two_endpoints_have_one_label() {
        let labels: std::collections::BTreeSet<_> = ENDPOINTS.iter().map(|endpoint| endpoint.label()).collect();
        assert_eq!(labels.len(), ENDPOINTS.len());
        assert!(labels.contains("GET /logs?from") && labels.contains("GET /users/{id}/roles"), "{labels:?}");
    }
}
