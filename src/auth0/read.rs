//! What is read: the endpoints, and what they bring.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use chrono::Utc;

use super::envelope::{self, Page};
use super::error::Error;
use super::error_mapping::{is_absent_log, is_absent_user, refusal};
use super::fields::{Fields, USER_FIELDS};
use super::ids::{Email, LogId, UserId};
use super::key::Key;
use super::query::{LogCheckpoint, LogSearch, UserLogs, UserSearch};
use super::request::Call;
use super::transport::Transport;
use super::wire::UpstreamResponse;

/// What a read brought, in Auth0's own bytes.
#[derive(Debug, Clone)]
pub enum Payload {
    Page(Page),
    Record(Option<Bytes>),
}

/// What an endpoint answers with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ResponseKind {
    /// A list; in an object, it stands under this key.
    List(&'static str),
    /// A user that may be absent.
    User,
    /// A log that may be absent.
    Log,
}

impl ResponseKind {
    pub(crate) fn read(self, answer: &UpstreamResponse, transport: &Transport) -> Result<Payload, Error> {
        let is_absent = match self {
            Self::List(_) => false,
            Self::User => is_absent_user(answer),
            Self::Log => is_absent_log(answer),
        };
        if is_absent {
            return Ok(Payload::Record(None));
        }
        if !answer.status.is_success() {
            let scope = match self {
                Self::List("users") | Self::User => "read:users",
                Self::List(_) | Self::Log => "read:logs",
            };
            return Err(refusal(answer, transport.domain().host(), scope, Utc::now()));
        }
        match self {
            Self::List(key) => Page::read(&answer.body, key, &answer.headers).map(Payload::Page),
            Self::User | Self::Log => envelope::record(&answer.body).map(|record| Payload::Record(Some(record))),
        }
    }
}

/// A read of the Management API that brings a `T`, ready to be made as often as need be. Cheap to clone.
#[derive(Debug)]
pub struct ApiRequest<T>(pub(super) Arc<Ready>, PhantomData<fn() -> T>);

/// What is worked out once, however often it is read.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(super) call: Call,
    pub(super) form: ResponseKind,
    pub(super) key: Key,
}

impl<T> ApiRequest<T> {
    pub(super) fn new(call: Call, form: ResponseKind) -> Self {
        let key = Key::of(call.target());
        Self(Arc::new(Ready { call, form, key }), PhantomData)
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
        let mut call = search.add_to(Call::search("users"));
        if totals {
            call = call.with("include_totals", "true");
        }
        Self::new(fields.add_to(call, "user_id", None), ResponseKind::List("users"))
    }

    /// All users of an e-mail address: `GET /users-by-email`, which compares it case-sensitively.
    #[must_use]
    pub fn users_by_email(email: &Email, fields: &Fields) -> Self {
        let call = Call::to("users-by-email").with("email", email.as_str());
        Self::new(fields.add_to(call, "user_id", Some(USER_FIELDS)), ResponseKind::List("users"))
    }

    /// A search of the logs: `GET /logs` by page. Auth0's total is the length of the page, so it is
    /// not asked for.
    #[must_use]
    pub fn search_logs(search: &LogSearch, fields: &Fields) -> Self {
        Self::new(fields.add_to(search.add_to(Call::search("logs")), "log_id", None), ResponseKind::List("logs"))
    }

    /// The logs of one user: `GET /users/{id}/logs` by page. Without `totals`, [`Page::total`] is `None`. Records come whole: the
    /// endpoint has no `fields`. <https://auth0.com/docs/api/management/v2/users/get-logs-by-user>
    #[must_use]
    pub fn user_logs(id: &UserId, logs: &UserLogs, totals: bool) -> Self {
        let mut call = logs.add_to(Call::below("user-logs", "users", id.as_str(), "logs"));
        if totals {
            call = call.with("include_totals", "true");
        }
        Self::new(call, ResponseKind::List("logs"))
    }

    /// The stream of logs, read on from a checkpoint: `GET /logs` with `from`. Records are whole
    /// and come oldest first, for Auth0 ignores every other parameter there.
    #[must_use]
    pub fn logs_after(checkpoint: &LogCheckpoint) -> Self {
        Self::new(checkpoint.add_to(Call::to("logs")), ResponseKind::List("logs"))
    }
}

impl ApiRequest<Option<Bytes>> {
    /// One user: `GET /users/{id}`. It brings a JSON object as Auth0 sent it, or `None` if there is no such
    /// user.
    #[must_use]
    pub fn user(id: &UserId, fields: &Fields) -> Self {
        Self::new(
            fields.add_to(Call::to_one("user", "users", id.as_str()), "user_id", Some(USER_FIELDS)),
            ResponseKind::User,
        )
    }

    /// One log: `GET /logs/{id}`. It brings a JSON object as Auth0 sent it, or `None` if there is no such log
    /// (any more). It comes whole: of all these endpoints this one has no `fields`, and Auth0 refuses parameters that
    /// an endpoint does not have. <https://auth0.com/docs/api/management/v2/logs/get-logs-by-id>
    #[must_use]
    pub fn log(id: &LogId) -> Self {
        Self::new(Call::to_one("log", "logs", id.as_str()), ResponseKind::Log)
    }
}

/// What a read may bring.
pub trait FromPayload: sealed::FromPayload {}

impl FromPayload for Page {}
impl FromPayload for Option<Bytes> {}

pub(super) mod sealed {
    pub trait FromPayload: Sized {
        fn of(landed: super::Payload) -> Option<Self>;
    }
}

impl sealed::FromPayload for Page {
    fn of(landed: Payload) -> Option<Self> {
        match landed {
            Payload::Page(page) => Some(page),
            Payload::Record(_) => None,
        }
    }
}

impl sealed::FromPayload for Option<Bytes> {
    fn of(landed: Payload) -> Option<Self> {
        match landed {
            Payload::Record(record) => Some(record),
            Payload::Page(_) => None,
        }
    }
}
