//! Micro-benchmarks of the way to Auth0, without Auth0. Built with the feature `bench` only, and promised to
//! nobody.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use tokio::time::Instant;

use super::call_context::{CallerKey, Priority};
use super::domain::Domain;
use super::grant::{AuthenticationApi, Grant};
use super::pace::{Class, Governor, PaceRequest, PaceSettings, RequestHash, ReservationKey};
use super::page::Page;
use super::request_target::RequestKey;
use super::retry::RetryPolicy;
use super::token::TokenCache;
use super::transport::Transport;
use crate::deadline::Deadline;
use crate::single_flight::{Cancellation, SingleFlight};

/// Steps between a request and its call, ready to be used. Needs a Tokio runtime around it.
pub struct Steps {
    tokens: TokenCache,
    governor: Governor,
    in_flight: SingleFlight<RequestKey, Bytes>,
    /// The headers that Auth0 sends with each answer, of a bucket that is nearly full.
    headers: HeaderMap,
    deadline: Deadline,
}

/// A step could not be set up, or failed.
#[derive(Debug)]
pub struct BenchError;

impl Steps {
    /// The steps of a client that holds a token for a day. It calls nobody.
    pub fn new() -> Result<Self, BenchError> {
        let domain = Domain::parse("tenant.example.com").map_err(|_| BenchError)?;
        let transport = Transport::new(domain, RetryPolicy::default(), 0.0, None).map_err(|_| BenchError)?;
        let audience = "https://tenant.example.com/api/v2/".to_owned();
        let authentication = SecretString::from("made up").into();
        let api = AuthenticationApi::new(transport, audience, "made up".to_owned(), authentication);
        let grant = Grant {
            header: HeaderValue::from_static("Bearer made.up"),
            asked_at: Instant::now(),
            life: Duration::from_secs(24 * 60 * 60),
            scopes: None,
            is_shared: false,
        };
        let headers =
            [("x-ratelimit-limit", "50"), ("x-ratelimit-remaining", "48"), ("x-ratelimit-reset", "1790000001")]
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Ok(Self {
            tokens: TokenCache::holding(api, grant),
            governor: Governor::new(PaceSettings { reserve: 0.0, queue: 1_000 }),
            in_flight: SingleFlight::new(Cancellation::WithLastWaiter),
            headers: HeaderMap::from_iter(headers),
            deadline: Deadline::within(Duration::from_secs(60 * 60)),
        })
    }

    /// Takes the token that a call would carry.
    pub async fn token(&self) -> Result<HeaderValue, BenchError> {
        self.tokens.token(&self.deadline.into()).await.map(|token| token.header()).map_err(|_| BenchError)
    }

    /// Takes a turn, as one of many callers, and learns from the answer.
    pub async fn turn(&self, caller: u64) -> Result<(), BenchError> {
        let reservation = ReservationKey { caller: CallerKey(caller), request: RequestHash::of("/api/v2/users") };
        let turn = PaceRequest { class: Class::Users, reservation, priority: Priority::Interactive };
        let permit = self.governor.admit(turn, self.deadline).await.map_err(|_| BenchError)?;
        permit.answered(StatusCode::OK, &self.headers);
        Ok(())
    }

    /// Asks the same question for so many at once: one call is made for all of them.
    pub async fn share(&self, waiters: usize) -> usize {
        let key = RequestKey::of("/api/v2/users");
        let ask = || {
            let waiter = self.in_flight.join_or_start(&key, self.deadline, |_| async {
                tokio::task::yield_now().await;
                Bytes::from_static(b"[]")
            });
            waiter.outcome(self.deadline)
        };
        join_all((0..waiters).map(|_| ask())).await.iter().filter(|answer| answer.is_ok()).count()
    }
}

/// Finds the records in a body: how many bytes they are.
pub fn find_records(body: &Bytes) -> Result<usize, BenchError> {
    Page::read(body, "users", &HeaderMap::new()).map(|page| page.records.len()).map_err(|_| BenchError)
}
