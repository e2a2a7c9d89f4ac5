//! The way of a read: an answer that is kept, or a call that is under way, or a call of its own.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use tokio::time::Instant;

use super::cache::AnswerCache;
use super::call::{Call, Kind};
use super::deadline::Patience;
use super::envelope::{self, Page};
use super::errand::{Errand, Progress};
use super::error::{Error, Reason};
use super::fields::Fields;
use super::identifier::{Email, LogId, UserId};
use super::pace::{Class, Question, Seat, Turn};
use super::query::{LogCheckpoint, LogSearch, UserSearch};
use super::refusal::{is_absent_log, is_absent_user, refusal};
use super::rendition::Renditions;
use super::share::{Flights, Part};
use super::token::TokenCache;
use super::transport::{Answer, Transport};

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
    fn read(self, answer: &Answer, transport: &Transport) -> Result<Landed, Error> {
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
pub struct Read<T>(Arc<Ready>, PhantomData<fn() -> T>);

/// What is worked out once, however often it is read.
#[derive(Debug)]
struct Ready {
    call: Call,
    form: Form,
    /// What tells reads apart. Everybody sees the tenant through the gateway's one token, so that path and query are all that
    /// an answer depends on.
    key: Arc<str>,
    question: Question,
}

impl<T> Read<T> {
    fn new(call: Call, form: Form) -> Self {
        let key: Arc<str> = call.target().into();
        let question = Question::of(&key);
        Self(Arc::new(Ready { call, form, key, question }), PhantomData)
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
        Self::new(fields.add_to(call, "user_id"), Form::List("users"))
    }

    /// All users of an e-mail address: `GET /users-by-email`, which compares it case-sensitively.
    #[must_use]
    pub fn users_by_email(email: &Email, fields: &Fields) -> Self {
        let call = Call::to("users-by-email").with("email", email.as_str());
        Self::new(fields.add_to(call, "user_id"), Form::List("users"))
    }

    /// A search of the logs: `GET /logs` by page. Auth0's total is the length of the page, so it is
    /// not asked for.
    #[must_use]
    pub fn search_logs(search: &LogSearch, fields: &Fields) -> Self {
        Self::new(fields.add_to(search.add_to(Call::search("logs")), "log_id"), Form::List("logs"))
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
        Self::new(fields.add_to(Call::to_one("user", "users", id.as_str()), "user_id"), Form::User)
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

mod sealed {
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

/// Whether an answer may be kept for a moment: what Auth0 searches for lags behind by itself.
fn is_kept(call: &Call) -> bool {
    call.kind() == Kind::Search
}

/// In which of the plans' buckets the call counts, where they have several.
fn class(call: &Call) -> Class {
    match call.endpoint() {
        "users" | "user" | "users-by-email" => Class::Users,
        "logs" | "log" => Class::Logs,
        _ => Class::Other,
    }
}

/// Reads a tenant for many at once. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Reader(Arc<Inner>);

struct Inner {
    transport: Transport,
    tokens: TokenCache,
    flights: Flights<Landed>,
    cache: AnswerCache<Landed>,
}

impl Reader {
    pub(crate) fn new(transport: Transport, tokens: TokenCache, cache_ttl: Duration) -> Self {
        let size = |landed: &Landed| match landed {
            Landed::Page(page) => page.records.len() + Renditions::most(page.records.len()),
            Landed::Record(record) => record.as_ref().map_or(0, Bytes::len),
        };
        let cache = AnswerCache::new(cache_ttl, size);
        Self(Arc::new(Inner { transport, tokens, flights: Flights::default(), cache }))
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.0.transport
    }

    pub(crate) fn tokens(&self) -> &TokenCache {
        &self.0.tokens
    }

    /// Makes the read. Who may ask has been settled before.
    pub(crate) async fn read<T: Landing>(&self, read: &Read<T>, errand: &Errand) -> Result<T, Error> {
        let start = Instant::now();
        errand.note(|effort| effort.endpoint = read.0.call.endpoint());
        let outcome = self.find(&read.0, errand).await;
        errand.note(|effort| effort.took += start.elapsed());
        // The form that a read was made with is that of its type.
        T::of(outcome?).ok_or(Error::unavailable(Reason::Unexpected))
    }

    async fn find(&self, read: &Arc<Ready>, errand: &Errand) -> Result<Landed, Error> {
        let Ready { call, key, question, .. } = &**read;
        if is_kept(call)
            && !errand.is_fresh
            && let Some((answer, age)) = self.0.cache.get(key)
        {
            errand.note(|effort| effort.cache_age = Some(age));
            return Ok(answer);
        }
        errand.budget.spend()?;
        let progress = Progress::default();
        let seat = Seat { caller: errand.caller, question: *question };
        let turn = Turn { class: class(call), seat, priority: errand.priority };
        let flight = |patience| self.clone().call(Arc::clone(read), turn, patience, progress.clone());
        let (part, outcome) = self.0.flights.share(key, errand.deadline, errand.is_fresh, flight).await;
        errand.note(|effort| match part {
            Part::Started => progress.add_to(effort),
            Part::Joined => effort.is_coalesced = true,
        });
        outcome
    }

    async fn call(self, read: Arc<Ready>, turn: Turn, patience: Patience, progress: Progress) -> Result<Landed, Error> {
        let Inner { transport, tokens, cache, .. } = &*self.0;
        let Ready { call, form, key, .. } = &*read;
        let landed =
            transport.get(call, tokens, turn, patience, progress, |answer| form.read(answer, transport)).await?;
        if is_kept(call) {
            cache.put(Arc::clone(key), &landed);
        }
        Ok(landed)
    }
}
