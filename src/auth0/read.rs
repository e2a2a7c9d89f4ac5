//! The way of a read: an answer that is kept, or a call that is under way, or a call of its own.

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
use super::error::Error;
use super::pace::{Class, Question, Seat, Turn};
use super::refusal::{is_absent_log, is_absent_user, refusal};
use super::share::{Flights, Part};
use super::token::TokenCache;
use super::transport::{Answer, Transport};

/// What a read brought, in Auth0's own bytes.
#[derive(Debug, Clone)]
pub(crate) enum Landed {
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
            Landed::Page(page) => page.records.len(),
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

    /// Answers `call`. Everybody sees the tenant through the gateway's one token, so that path and query are all that an
    /// answer depends on; who may ask has been settled before.
    pub(crate) async fn read(&self, call: Call, form: Form, errand: &Errand) -> Result<Landed, Error> {
        let start = Instant::now();
        errand.note(|effort| effort.endpoint = call.endpoint());
        let outcome = self.find(call, form, errand).await;
        errand.note(|effort| effort.took += start.elapsed());
        outcome
    }

    async fn find(&self, call: Call, form: Form, errand: &Errand) -> Result<Landed, Error> {
        let key: Arc<str> = call.target().into();
        if is_kept(&call)
            && !errand.is_fresh
            && let Some((answer, age)) = self.0.cache.get(&key)
        {
            errand.note(|effort| effort.cache_age = Some(age));
            return Ok(answer);
        }
        errand.budget.spend()?;
        self.share(call, form, key, errand).await
    }

    async fn share(&self, call: Call, form: Form, key: Arc<str>, errand: &Errand) -> Result<Landed, Error> {
        let progress = Progress::default();
        let seat = Seat { caller: errand.caller, question: Question::of(&key) };
        let turn = Turn { class: class(&call), seat, priority: errand.priority };
        let may_be_kept = is_kept(&call) && !errand.is_fresh;
        let flight = |patience| {
            let (reader, key, progress) = (self.clone(), Arc::clone(&key), progress.clone());
            async move {
                // A call that was under way when there was nothing kept, and is not any more, has left its answer since.
                if may_be_kept && let Some((answer, age)) = reader.0.cache.get(&key) {
                    progress.found(age);
                    return Ok(answer);
                }
                reader.call(call, form, turn, key, patience, progress).await
            }
        };
        let (part, outcome) = self.0.flights.share(&key, errand.deadline, errand.is_fresh, flight).await;
        errand.note(|effort| match part {
            Part::Started => progress.add_to(effort),
            Part::Joined => effort.is_coalesced = true,
        });
        outcome
    }

    async fn call(
        self,
        call: Call,
        form: Form,
        turn: Turn,
        key: Arc<str>,
        patience: Patience,
        progress: Progress,
    ) -> Result<Landed, Error> {
        let Inner { transport, tokens, cache, .. } = &*self.0;
        let landed =
            transport.get(&call, tokens, turn, patience, progress, |answer| form.read(answer, transport)).await?;
        if is_kept(&call) {
            cache.put(key, &landed);
        }
        Ok(landed)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::super::deadline::Deadline;
    use super::super::domain::Domain;
    use super::super::errand::{CallBudget, CallerKey};
    use super::super::grant::AuthenticationApi;
    use super::super::retry::RetryPolicy;
    use super::*;

    /// Of a tenant that is not there.
    fn reader() -> Reader {
        let domain = Domain::parse("http://127.0.0.1:1").unwrap();
        let audience = domain.default_audience();
        let policy = RetryPolicy { attempts: 1, ..RetryPolicy::default() };
        let transport = Transport::new(domain, policy, 0.0).unwrap();
        let client_secret = SecretString::from("none");
        let api = AuthenticationApi {
            transport: transport.clone(),
            audience,
            client_id: "gateway".to_owned(),
            client_secret,
        };
        Reader::new(transport, TokenCache::new(api), Duration::from_secs(3600))
    }

    fn errand() -> Errand {
        Errand::new(Deadline::within(Duration::from_secs(20)), CallerKey::default(), CallBudget::new(9))
    }

    #[tokio::test]
    async fn who_finds_nothing_kept_and_no_call_under_way_looks_once_more() {
        let reader = reader();
        let call = Call::search("users").with("page", "0");
        let key: Arc<str> = call.target().into();
        let landed = Landed::Record(Some(Bytes::from_static(b"{}")));
        let share = |errand| {
            let (reader, call, key) = (reader.clone(), call.clone(), Arc::clone(&key));
            async move { (reader.share(call, Form::User, key, &errand).await.is_ok(), errand.effort()) }
        };
        assert!(!share(errand()).await.0);
        // The call that was under way ends between the first look, which is past here, and the second.
        reader.0.cache.put(Arc::clone(&key), &landed);
        let (is_answered, effort) = share(errand()).await;
        assert!(is_answered);
        assert_eq!((effort.calls, effort.is_coalesced), (0, false));
        assert!(effort.cache_age.is_some());
        assert!(!share(errand().fresh()).await.0, "a kept answer will not do");
    }
}
