//! Requests to the Management API: an endpoint, and the parameters that it is called with.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;

use super::endpoints::{
    Endpoint, ID, LOG, LOG_SEARCH, LOG_STREAM, USER, USER_AUTHENTICATION_METHODS, USER_BLOCKS, USER_ENROLLMENTS,
    USER_LOGS, USER_ORGANIZATIONS, USER_PERMISSIONS, USER_REFRESH_TOKENS, USER_ROLES, USER_SESSIONS, USERS,
    USERS_BY_EMAIL,
};
use super::fields_parameter::Fields;
use super::ids::{Email, LogId, UserId};
use super::list_parameters::{LogCheckpoint, LogSearch, UserListPart, UserLogs, UserSearch};
use super::pace::Class;
use super::page::Page;
use super::payload::Payload;
use super::request_target::{RequestTarget, TargetBuilder};

/// A read of the Management API that brings a `T`, to be made as often as need be. Cheap to clone.
#[derive(Debug)]
pub struct ApiRequest<T>(pub(super) Arc<RequestTarget>, PhantomData<fn() -> T>);

impl<T> ApiRequest<T> {
    fn new(target: TargetBuilder) -> Self {
        Self(Arc::new(target.into_request()), PhantomData)
    }
}

impl<T> ApiRequest<T> {
    /// The endpoint's name, which says nothing of what is asked.
    #[must_use]
    pub fn endpoint(&self) -> &'static str {
        self.0.endpoint.name
    }

    /// The rate class that it counts in.
    #[must_use]
    pub fn class(&self) -> Class {
        self.0.endpoint.class
    }

    /// The search that it sends, if there is one.
    #[must_use]
    pub fn q(&self) -> Option<String> {
        let (_, parameters) = self.0.target(true).split_once('?')?;
        url::form_urlencoded::parse(parameters.as_bytes()).find(|(name, _)| name == "q").map(|(_, q)| q.into_owned())
    }
}

impl<T> Clone for ApiRequest<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), PhantomData)
    }
}

/// A list that belongs to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what its endpoint lists")]
pub enum UserList {
    Roles,
    Permissions,
    Organizations,
    AuthenticationMethods,
    Enrollments,
    Sessions,
    RefreshTokens,
    Blocks,
}

impl UserList {
    fn endpoint(self) -> &'static Endpoint {
        match self {
            Self::Roles => &USER_ROLES,
            Self::Permissions => &USER_PERMISSIONS,
            Self::Organizations => &USER_ORGANIZATIONS,
            Self::AuthenticationMethods => &USER_AUTHENTICATION_METHODS,
            Self::Enrollments => &USER_ENROLLMENTS,
            Self::Sessions => &USER_SESSIONS,
            Self::RefreshTokens => &USER_REFRESH_TOKENS,
            Self::Blocks => &USER_BLOCKS,
        }
    }
}

impl ApiRequest<Page> {
    /// A search for users: `GET /users`. Without `totals`, [`Page::total`] is `None`.
    ///
    /// The search index lags a little behind: a user of a second ago may be missing.
    #[must_use]
    pub fn users(search: &UserSearch, fields: &Fields, totals: bool) -> Self {
        Self::new(search.add_to(TargetBuilder::of(&USERS)).with_totals(totals).with_fields(fields))
    }

    /// All users of an e-mail address: `GET /users-by-email`, which compares it case-sensitively.
    #[must_use]
    pub fn users_by_email(email: &Email, fields: &Fields) -> Self {
        Self::new(TargetBuilder::of(&USERS_BY_EMAIL).with("email", email.as_str()).with_fields(fields))
    }

    /// A search of the logs: `GET /logs` by page. Auth0's total is the length of the page, so it is
    /// not asked for.
    #[must_use]
    pub fn search_logs(search: &LogSearch, fields: &Fields) -> Self {
        Self::new(search.add_to(TargetBuilder::of(&LOG_SEARCH)).with_fields(fields))
    }

    /// The logs of one user: `GET /users/{id}/logs` by page. Without `totals`, [`Page::total`] is `None`.
    /// Records come whole: the endpoint has no `fields`. <https://auth0.com/docs/api/management/v2/users/get-logs-by-user>
    #[must_use]
    pub fn user_logs(id: &UserId, logs: &UserLogs, totals: bool) -> Self {
        Self::new(logs.add_to(TargetBuilder::of_id(&USER_LOGS, id.as_str())).with_totals(totals))
    }

    /// A list that belongs to a user: `GET /users/{id}/roles` and its like. Of a user who is gone it is empty. Totals are not
    /// asked for: that of organizations was seen to be 0 for a list of one.
    #[must_use]
    pub fn user_list(list: UserList, id: &UserId, part: &UserListPart) -> Self {
        Self::new(part.add_to(TargetBuilder::of_id(list.endpoint(), id.as_str())))
    }

    /// The stream of logs, read on from a checkpoint: `GET /logs` with `from`. Records are whole
    /// and come oldest first, for Auth0 ignores every other parameter there.
    #[must_use]
    pub fn logs_after(checkpoint: &LogCheckpoint) -> Self {
        Self::new(checkpoint.add_to(TargetBuilder::of(&LOG_STREAM)))
    }
}

impl ApiRequest<Option<Bytes>> {
    /// A user: `GET /users/{id}`. It brings a JSON object as Auth0 sent it, or `None` if there is no such
    /// user.
    #[must_use]
    pub fn user(id: &UserId, fields: &Fields) -> Self {
        Self::new(TargetBuilder::of_id(&USER, id.as_str()).with_fields(fields))
    }

    /// A log: `GET /logs/{id}`. It brings a JSON object as Auth0 sent it, or `None` if there is no such log
    /// (any more). It comes whole: the endpoint has no `fields`. <https://auth0.com/docs/api/management/v2/logs/get-logs-by-id>
    #[must_use]
    pub fn log(id: &LogId) -> Self {
        Self::new(TargetBuilder::of_id(&LOG, id.as_str()))
    }
}

impl ApiRequest<Payload> {
    /// The cheapest call to an endpoint, with as little of a record as it gives out. `id` is that of a record of the list that the endpoint's
    /// sample names.
    pub(crate) fn sample(endpoint: &'static Endpoint, id: &str) -> Self {
        let parameters = endpoint.sample.parameters.iter();
        let target = parameters.fold(TargetBuilder::of_id(endpoint, id), |target, (name, value)| {
            target.with(name, if *value == ID { id } else { value })
        });
        Self::new(target.with_fields(&Fields::Only(Vec::new())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::endpoints::ENDPOINTS;
    use super::*;

    #[test]
    fn whole_records_are_asked_for_without_the_fields_alone() {
        let fields = Fields::Only(vec!["email"]);
        let ApiRequest(request, _) = ApiRequest::users_by_email(&Email::parse("a@b").unwrap(), &fields);
        assert_eq!(request.target(true), "/api/v2/users-by-email?email=a%40b&fields=email&include_fields=true");
        assert_eq!(request.target(false), "/api/v2/users-by-email?email=a%40b");
        assert_eq!(request.field_names, ["email"]);
    }

    #[test]
    fn a_sample_is_one_record_and_its_id_if_that_can_be_chosen() {
        let samples = ENDPOINTS.map(|endpoint| ApiRequest::sample(endpoint, "a|1").0.target(true).to_owned());
        insta::assert_snapshot!(samples.join("\n"), @"
        /api/v2/users?page=0&per_page=1&search_engine=v3&fields=user_id&include_fields=true
        /api/v2/users/a%7C1?fields=user_id&include_fields=true
        /api/v2/users-by-email?email=nobody%40example.invalid&fields=user_id&include_fields=true
        /api/v2/logs?page=0&per_page=1&sort=date%3A-1&fields=log_id&include_fields=true
        /api/v2/logs?from=a%7C1&take=1
        /api/v2/logs/a%7C1
        /api/v2/users/a%7C1/logs?page=0&per_page=1
        /api/v2/users/a%7C1/roles?page=0&per_page=1
        /api/v2/users/a%7C1/permissions?page=0&per_page=1
        /api/v2/users/a%7C1/organizations?page=0&per_page=1
        /api/v2/users/a%7C1/authentication-methods?page=0&per_page=1
        /api/v2/users/a%7C1/enrollments
        /api/v2/users/a%7C1/sessions?take=1
        /api/v2/users/a%7C1/refresh-tokens?take=1
        /api/v2/user-blocks/a%7C1
        ");
    }
}
