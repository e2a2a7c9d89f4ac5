//! What is read: the endpoints, and what they bring.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use chrono::Utc;

use super::call::Call;
use super::envelope::{self, Page};
use super::error::Error;
use super::fields::{Fields, USER_FIELDS};
use super::identifier::{Email, LogId, UserId};
use super::key::Key;
use super::query::{LogCheckpoint, LogSearch, UserSearch};
use super::refusal::{is_absent_log, is_absent_user, refusal};
use super::transport::Transport;
use super::wire::Answer;

/// What a read brought, in Auth0's own bytes.
#[derive(Debug, Clone)]
pub enum Landed {
    Page(Page),
    Record(Option<Bytes>),
}

/// What an endpoint answers with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// A list; in an object, it stands under this key.
    List(&'static str),
    /// A user that may be absent.
    User,
    /// A log that may be absent.
    Log,
}

impl Form {
    pub(crate) fn read(self, answer: &Answer, transport: &Transport) -> Result<Landed, Error> {
        let is_absent = match self {
            Self::List(_) => false,
            Self::User => is_absent_user(answer),
            Self::Log => is_absent_log(answer),
        };
        if is_absent {
            return Ok(Landed::Record(None));
        }
        if !answer.status.is_success() {
            return Err(refusal(answer, transport.domain().host(), Utc::now()));
        }
        match self {
            Self::List(key) => Page::read(&answer.body, key, &answer.headers).map(Landed::Page),
            Self::User | Self::Log => envelope::record(&answer.body).map(|record| Landed::Record(Some(record))),
        }
    }
}

/// A read of the Management API that brings a `T`, ready to be made as often as need be. Cheap to clone.
#[derive(Debug)]
pub struct Read<T>(pub(super) Arc<Ready>, PhantomData<fn() -> T>);

/// What is worked out once, however often it is read.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(super) call: Call,
    pub(super) form: Form,
    pub(super) key: Key,
}

impl<T> Read<T> {
    pub(super) fn new(call: Call, form: Form) -> Self {
        let key = Key::of(call.target());
        Self(Arc::new(Ready { call, form, key }), PhantomData)
    }
}

impl<T> Clone for Read<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), PhantomData)
    }
}

impl Read<Page> {
    /// A search for users: `GET /users`. Without `totals`, [`Page::total`] is `None`.
    ///
    /// The search index lags a little behind: a user of a second ago may be missing.
    #[must_use]
    pub fn users(search: &UserSearch, fields: &Fields, totals: bool) -> Self {
        let mut call = search.add_to(Call::search("users"));
        if totals {
            call = call.with("include_totals", "true");
        }
        Self::new(fields.add_to(call, "user_id", None), Form::List("users"))
    }

    /// All users of an e-mail address: `GET /users-by-email`, which compares it case-sensitively.
    #[must_use]
    pub fn users_by_email(email: &Email, fields: &Fields) -> Self {
        let call = Call::to("users-by-email").with("email", email.as_str());
        Self::new(fields.add_to(call, "user_id", Some(USER_FIELDS)), Form::List("users"))
    }

    /// A search of the logs: `GET /logs` by page. Auth0's total is the length of the page, so it is
    /// not asked for.
    #[must_use]
    pub fn search_logs(search: &LogSearch, fields: &Fields) -> Self {
        Self::new(fields.add_to(search.add_to(Call::search("logs")), "log_id", None), Form::List("logs"))
    }

    /// The stream of logs, read on from a checkpoint: `GET /logs` with `from`. Records are whole
    /// and come oldest first, for Auth0 ignores every other parameter there.
    #[must_use]
    pub fn logs_after(checkpoint: &LogCheckpoint) -> Self {
        Self::new(checkpoint.add_to(Call::to("logs")), Form::List("logs"))
    }
}

impl Read<Option<Bytes>> {
    /// One user: `GET /users/{id}`. It brings a JSON object as Auth0 sent it, or `None` if there is no such
    /// user.
    #[must_use]
    pub fn user(id: &UserId, fields: &Fields) -> Self {
        Self::new(fields.add_to(Call::to_one("user", "users", id.as_str()), "user_id", Some(USER_FIELDS)), Form::User)
    }

    /// One log: `GET /logs/{id}`. It brings a JSON object as Auth0 sent it, or `None` if there is no such log
    /// (any more). It comes whole: of all these endpoints this one has no `fields`, and Auth0 refuses parameters that
    /// an endpoint does not have. <https://auth0.com/docs/api/management/v2/logs/get-logs-by-id>
    #[must_use]
    pub fn log(id: &LogId) -> Self {
        Self::new(Call::to_one("log", "logs", id.as_str()), Form::Log)
    }
}

/// What a read may bring.
pub trait Landing: sealed::Landing {}

impl Landing for Page {}
impl Landing for Option<Bytes> {}

pub(super) mod sealed {
    pub trait Landing: Sized {
        fn of(landed: super::Landed) -> Option<Self>;
    }
}

impl sealed::Landing for Page {
    fn of(landed: Landed) -> Option<Self> {
        match landed {
            Landed::Page(page) => Some(page),
            Landed::Record(_) => None,
        }
    }
}

impl sealed::Landing for Option<Bytes> {
    fn of(landed: Landed) -> Option<Self> {
        match landed {
            Landed::Record(record) => Some(record),
            Landed::Page(_) => None,
        }
    }
}
