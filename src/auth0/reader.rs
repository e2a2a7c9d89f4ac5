//! The way of a read: an answer that is kept, or a call that is under way, or a call of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::cache::AnswerCache;
use super::context::{CallContext, StatsHandle};
use super::error::{Error, Reason};
use super::key::Key;
use super::pace::{Class, Seat, Turn};
use super::read::{ApiRequest, FromPayload, Payload, Ready};
use super::rendition::Renditions;
use super::request::{Call, Kind};
use super::token::TokenCache;
use super::transport::Transport;
use crate::deadline::SharedDeadline;
use crate::single_flight::{Cancellation, Role, SingleFlight};

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
    flights: SingleFlight<Key, Result<Payload, Error>>,
    cache: AnswerCache<Payload>,
}

impl Reader {
    pub(crate) fn new(transport: Transport, tokens: TokenCache, cache_ttl: Duration) -> Self {
        let size = |landed: &Payload| match landed {
            Payload::Page(page) => page.records.len() + Renditions::most(page.records.len()),
            Payload::Record(record) => record.as_ref().map_or(0, Bytes::len),
        };
        let cache = AnswerCache::new(cache_ttl, size);
        Self(Arc::new(Inner { transport, tokens, flights: SingleFlight::new(Cancellation::WithLastWaiter), cache }))
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.0.transport
    }

    pub(crate) fn tokens(&self) -> &TokenCache {
        &self.0.tokens
    }

    /// Makes the read. Who may ask has been settled before.
    pub(crate) async fn read<T: FromPayload>(&self, read: &ApiRequest<T>, context: &CallContext) -> Result<T, Error> {
        let start = Instant::now();
        context.note(|stats| stats.endpoint = read.0.call.endpoint());
        let outcome = self.find(&read.0, context).await;
        context.note(|stats| stats.took += start.elapsed());
        // The form that a read was made with is that of its type.
        T::of(outcome?).ok_or(Error::unavailable(Reason::Unexpected))
    }

    async fn find(&self, read: &Arc<Ready>, context: &CallContext) -> Result<Payload, Error> {
        if let Some((answer, age)) = self.kept(read, context.is_fresh) {
            context.note(|stats| stats.cache_age = Some(age));
            return Ok(answer);
        }
        context.budget.spend()?;
        self.share(read, context).await
    }

    /// The answer that is kept, if one is and will do, and its age.
    fn kept(&self, Ready { call, key, .. }: &Ready, is_fresh: bool) -> Option<(Payload, Duration)> {
        if is_fresh || !is_kept(call) {
            return None;
        }
        self.0.cache.get(key).filter(|(answer, _)| match answer {
            Payload::Page(page) => !page.renditions.is_spoiled() && !page.identity.is_invalid(),
            Payload::Record(_) => true,
        })
    }

    async fn share(&self, read: &Arc<Ready>, context: &CallContext) -> Result<Payload, Error> {
        let Ready { call, key, .. } = &**read;
        let progress = StatsHandle::default();
        let seat = Seat { caller: context.caller, question: key.question() };
        let turn = Turn { class: class(call), seat, priority: context.priority };
        let is_fresh = context.is_fresh;
        let flight = |patience| {
            let (reader, read, progress) = (self.clone(), Arc::clone(read), progress.clone());
            async move {
                // A call that was under way when there was nothing kept, and is not any more, has left its answer since.
                if let Some((answer, age)) = reader.kept(&read, is_fresh) {
                    progress.found(age);
                    return Ok(answer);
                }
                reader.call(read, turn, patience, progress).await
            }
        };
        let flights = &self.0.flights;
        let waiter = if is_fresh {
            flights.start(key, context.deadline, flight)
        } else {
            flights.join_or_start(key, context.deadline, flight)
        };
        let role = waiter.role;
        let outcome = waiter.outcome(context.deadline).await;
        context.note(|stats| match role {
            Role::Started => progress.add_to(stats),
            Role::Joined => stats.is_coalesced = true,
        });
        outcome?
    }

    async fn call(
        self,
        read: Arc<Ready>,
        turn: Turn,
        patience: SharedDeadline,
        progress: StatsHandle,
    ) -> Result<Payload, Error> {
        let Inner { transport, tokens, cache, .. } = &*self.0;
        let Ready { call, form, key, .. } = &*read;
        let landed =
            transport.get(call, tokens, turn, patience, progress, |answer| form.read(answer, transport)).await?;
        if is_kept(call) {
            cache.put(key.clone(), &landed);
        }
        Ok(landed)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::super::context::{CallBudget, CallerKey};
    use super::super::domain::Domain;
    use super::super::envelope::Page;
    use super::super::grant::AuthenticationApi;
    use super::super::read::ResponseKind;
    use super::super::retry::RetryPolicy;
    use super::*;
    use crate::deadline::Deadline;

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

    fn context() -> CallContext {
        CallContext::new(Deadline::within(Duration::from_secs(20)), CallerKey::default(), CallBudget::new(9))
    }

    #[tokio::test]
    async fn who_finds_nothing_kept_and_no_call_under_way_looks_once_more() {
        let reader = reader();
        let read = ApiRequest::<Page>::new(Call::search("users").with("page", "0"), ResponseKind::List("users")).0;
        let landed = Payload::Record(Some(Bytes::from_static(b"{}")));
        let share = |context| {
            let (reader, read) = (reader.clone(), Arc::clone(&read));
            async move { (reader.share(&read, &context).await.is_ok(), context.stats()) }
        };
        assert!(!share(context()).await.0);
        // The call that was under way ends between the first look, which is past here, and the second.
        reader.0.cache.put(read.key.clone(), &landed);
        let (is_answered, stats) = share(context()).await;
        assert!(is_answered);
        assert_eq!((stats.calls, stats.is_coalesced), (0, false));
        assert!(stats.cache_age.is_some());
        assert!(!share(context().fresh()).await.0, "a kept answer will not do");
    }
}
