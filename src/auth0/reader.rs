//! The read path: a cached answer, a call in flight, or a new one.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Instrument as _;

use super::api_request::ApiRequest;
use super::call_context::{CallContext, StatsHandle};
use super::error::{Error, MisconfigurationError, UnavailableReason};
use super::error_mapping::{is_token_refused, refused_fields};
use super::fields_parameter::{LearnedFields, RefusedFields};
use super::http_client::{UpstreamRequest, UpstreamResponse};
use super::pace::{PaceRequest, ReservationKey};
use super::payload::{FromPayload, Payload};
use super::request_target::{RequestKey, RequestTarget};
use super::response_cache::ResponseCache;
use super::retry::RequestKind;
use super::token::TokenCache;
use super::transport::{Attempts, Transport};
use crate::deadline::SharedDeadline;
use crate::single_flight::{Cancellation, Role, SingleFlight};
use crate::telemetry::TRACE_TARGET;

/// Most tokens of other replicas that are refused one after the other.
const MOST_REFUSALS: u32 = 2;

/// Reads a tenant for many at once. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Reader(Arc<Inner>);

struct Inner {
    transport: Transport,
    tokens: TokenCache,
    in_flight: SingleFlight<RequestKey, Result<Payload, Error>>,
    cache: ResponseCache<Payload>,
    fields: LearnedFields,
}

/// The outcome of a read's attempts, if Auth0 answered.
enum ReadOutcome {
    Payload(Payload),
    /// The token was not taken.
    TokenRefused,
    /// A name in `fields` was not taken. Holds those that are, as far as Auth0 says.
    FieldsRefused(Vec<String>),
}

impl Reader {
    pub(crate) fn new(transport: Transport, tokens: TokenCache, cache_ttl: Duration) -> Self {
        let cache = ResponseCache::new(cache_ttl, Payload::len);
        let in_flight = SingleFlight::new(Cancellation::WithLastWaiter);
        Self(Arc::new(Inner { transport, tokens, in_flight, cache, fields: LearnedFields::default() }))
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.0.transport
    }

    pub(crate) fn tokens(&self) -> &TokenCache {
        &self.0.tokens
    }

    pub(crate) fn refused_fields(&self) -> Vec<RefusedFields> {
        self.0.fields.refused()
    }

    /// Makes the read. Who may ask has been settled before.
    pub(crate) async fn read<T: FromPayload>(
        &self,
        request: &ApiRequest<T>,
        context: &CallContext,
    ) -> Result<T, Error> {
        let start = Instant::now();
        context.note(|stats| stats.endpoint = request.0.endpoint.name);
        let outcome = self.find(&request.0, context).await;
        context.note(|stats| stats.took += start.elapsed());
        // The endpoint of a request answers in the form of its type.
        T::from_payload(outcome?).ok_or(Error::unavailable(UnavailableReason::Unexpected))
    }

    async fn find(&self, request: &Arc<RequestTarget>, context: &CallContext) -> Result<Payload, Error> {
        if let Some((payload, age)) = self.cached(request, context.bypass_cache) {
            context.note(|stats| stats.cache_age = Some(age));
            self.0.transport.metrics().saved_by_cache();
            return Ok(payload);
        }
        context.budget.spend()?;
        // Of whoever shares it; the attempts are below that of who started it.
        let span = tracing::info_span!(target: TRACE_TARGET, "call", endpoint = request.endpoint.name);
        self.share(request, context).instrument(span).await
    }

    /// The answer in the cache, if there is one that will do, and its age.
    fn cached(&self, request: &RequestTarget, bypass_cache: bool) -> Option<(Payload, Duration)> {
        if bypass_cache || request.endpoint.kind != RequestKind::Search {
            return None;
        }
        self.0.cache.get(&request.key).filter(|(payload, _)| payload.is_valid())
    }

    async fn share(&self, request: &Arc<RequestTarget>, context: &CallContext) -> Result<Payload, Error> {
        let stats = StatsHandle::default();
        let reservation = ReservationKey { caller: context.caller, request: request.key.hash() };
        let pace = PaceRequest { class: request.endpoint.class, reservation, priority: context.priority };
        let bypass_cache = context.bypass_cache;
        let work = |deadline| {
            let (reader, request, stats) = (self.clone(), Arc::clone(request), stats.clone());
            async move {
                // A call that was in flight when nothing was cached, and is not any more, has left its answer since.
                if let Some((payload, age)) = reader.cached(&request, bypass_cache) {
                    stats.found(age);
                    reader.transport().metrics().saved_by_cache();
                    return Ok(payload);
                }
                reader.call(&request, pace, deadline, stats).await
            }
        };
        let (key, in_flight) = (&request.key, &self.0.in_flight);
        let waiter = if bypass_cache {
            in_flight.start(key, context.deadline, work)
        } else {
            in_flight.join_or_start(key, context.deadline, work)
        };
        let role = waiter.role;
        if role == Role::Joined {
            self.0.transport.metrics().saved_by_sharing();
        }
        let outcome = waiter.outcome(context.deadline).await;
        context.note(|into| match role {
            Role::Started => stats.add_to(into),
            Role::Joined => into.is_coalesced = true,
        });
        outcome?
    }

    async fn call(
        &self,
        request: &RequestTarget,
        pace: PaceRequest,
        deadline: SharedDeadline,
        stats: StatsHandle,
    ) -> Result<Payload, Error> {
        let mut attempts = Attempts::at_read(request.endpoint.name, request.endpoint.kind, pace, deadline, stats);
        let payload = self.attempt(request, &mut attempts).await?;
        if request.endpoint.kind == RequestKind::Search {
            self.0.cache.put(request.key.clone(), &payload);
        }
        Ok(payload)
    }

    /// Attempts, with another token if one is refused, and without `fields` if they are.
    async fn attempt(&self, request: &RequestTarget, attempts: &mut Attempts) -> Result<Payload, Error> {
        let Inner { transport, tokens, fields, .. } = &*self.0;
        let mut has_fields = !request.field_names.is_empty() && !fields.refuse(request.endpoint, &request.field_names);
        let (mut refusals, mut refused_list) = (0, None);
        loop {
            // Its failure is not tried again here: that was done where the token was asked for.
            let token = tokens.token(attempts.deadline()).await?;
            let most_refusals = if token.is_shared() { MOST_REFUSALS } else { 1 };
            let url = request.url(has_fields, |target| transport.url(target))?;
            let upstream = UpstreamRequest::get(url, Some(token.header()));
            let judge = |response: &UpstreamResponse| {
                if is_token_refused(response) {
                    return Ok(ReadOutcome::TokenRefused);
                }
                let sent = if has_fields { &*request.field_names } else { &[] };
                match refused_fields(response, sent) {
                    Some(list) => Ok(ReadOutcome::FieldsRefused(list)),
                    None => {
                        Payload::read(response, request.endpoint, transport.domain().host()).map(ReadOutcome::Payload)
                    }
                }
            };
            match transport.attempt_until_settled(attempts, || Ok(Cow::Borrowed(&upstream)), judge).await? {
                ReadOutcome::Payload(payload) => {
                    if let Some(list) = refused_list {
                        fields.learn(request.endpoint, &request.field_names, list);
                    }
                    return Ok(payload);
                }
                // It is learned once whole records have come: only then were the fields to blame.
                ReadOutcome::FieldsRefused(list) => {
                    refused_list = Some(list);
                    has_fields = false;
                }
                // Keys are rotated and grants are withdrawn while a token lives: one that is refused is
                // replaced, once. Of those that replicas share, one from before that may still be there.
                ReadOutcome::TokenRefused if refusals >= most_refusals => {
                    let error = Error::misconfigured(MisconfigurationError::TokenRefused);
                    tokens.give_up(&token, error.clone());
                    return Err(error);
                }
                ReadOutcome::TokenRefused => {
                    tokens.invalidate(&token);
                    refusals += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::super::call_context::{CallBudget, CallerKey};
    use super::super::domain::Domain;
    use super::super::endpoints::USERS;
    use super::super::fields_parameter::Fields;
    use super::super::grant::AuthenticationApi;
    use super::super::list_parameters::UserSearch;
    use super::super::retry::RetryPolicy;
    use super::*;
    use crate::deadline::Deadline;

    /// A reader of a tenant that is not there.
    fn reader() -> Reader {
        let domain = Domain::parse("http://127.0.0.1:1").unwrap();
        let audience = domain.default_audience();
        let policy = RetryPolicy { attempts: 1, ..RetryPolicy::default() };
        let transport = Transport::new(domain, policy, 0.0, None).unwrap();
        let authentication = SecretString::from("none").into();
        let api = AuthenticationApi::new(transport.clone(), audience, "gateway".to_owned(), authentication);
        Reader::new(transport, TokenCache::new(api, None), Duration::from_secs(3600))
    }

    fn context() -> CallContext {
        CallContext::new(Deadline::within(Duration::from_secs(20)), CallerKey::default(), CallBudget::new(9))
    }

    #[tokio::test]
    async fn who_finds_nothing_kept_and_no_call_under_way_looks_once_more() {
        let reader = reader();
        let request = ApiRequest::list(&USERS, &UserSearch::new(None, 0, 1, None).unwrap(), &Fields::All).0;
        let payload = Payload::Record(Some(bytes::Bytes::from_static(b"{}")));
        let share = |context| {
            let (reader, request) = (reader.clone(), Arc::clone(&request));
            async move { (reader.share(&request, &context).await.is_ok(), context.stats()) }
        };
        assert!(!share(context()).await.0);
        // The call that was under way ends between the first look, which is past here, and the second.
        reader.0.cache.put(request.key.clone(), &payload);
        let (is_answered, stats) = share(context()).await;
        assert!(is_answered);
        assert_eq!((stats.calls, stats.is_coalesced), (0, false));
        assert!(stats.cache_age.is_some());
        assert!(!share(context().fresh()).await.0, "a kept answer will not do");
    }
}
