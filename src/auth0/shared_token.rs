//! The access token that replicas share: fetched by one of them, taken by the others.
//!
//! Whoever finds none takes a lock and asks Auth0; the others look again until it is there. The lock ends by itself, so that a replica
//! that dies with it delays nobody for longer. Without the shared state each asks for itself. A Redis that is slow is waited for, as long as a grant of
//! Auth0's would take, which costs one of those that a tenant pays for; and for longer where nobody waits for the token.

use std::time::Duration;

use chrono::Utc;
use tokio::time::{Instant, sleep};

use super::error::Error;
use super::grant::{AuthenticationApi, Grant};
use super::sealed_token::{SealingKey, TokenHash};
use crate::deadline::Deadline;
use crate::shared_state::{Key, SharedState, SharedStateError};

/// Life of the lock, and the longest wait for whoever has it. A grant takes a few hundred milliseconds as a rule.
const LOCK_LIFE: Duration = Duration::from_secs(2);

/// Most bytes of a token that is shared.
const MOST_BYTES: usize = 64 * 1024;

/// Time between two looks for what another is asking for.
const POLL: Duration = Duration::from_millis(50);

/// A token that is not to be taken again.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stale {
    /// A token that is in use here, and about to expire.
    Aging(TokenHash),
    /// A token that the Management API has refused.
    Refused(TokenHash),
}

/// A source of a token.
enum TokenSource {
    /// Another replica, which has shared one.
    Replica(Grant),
    /// A grant of Auth0's.
    Auth0 {
        /// The lock, unless there is none to be had.
        is_locked: bool,
    },
}

struct SharedTokenAttempt {
    state: SharedState,
    sealing_key: SealingKey,
    token: Key,
    lock: Key,
    /// A text that only this attempt knows.
    owner: [u8; 16],
    /// Longest time that an answer is waited for.
    timeout: Duration,
    unwanted: Option<TokenHash>,
}

/// The token of another replica, or one that is asked for and shared.
pub(crate) async fn obtain(state: &SharedState, api: &AuthenticationApi, stale: Option<Stale>) -> Result<Grant, Error> {
    state.settled().await;
    let Some(attempt) = SharedTokenAttempt::new(state, api, stale) else { return api.grant().await };
    match attempt.source(stale).await.unwrap_or(TokenSource::Auth0 { is_locked: false }) {
        TokenSource::Replica(grant) => Ok(grant),
        TokenSource::Auth0 { is_locked } => {
            let grant = api.grant().await;
            let sealed = grant.as_ref().ok().and_then(|grant| attempt.sealing_key.seal(grant, Utc::now()));
            let sharing = tokio::spawn(async move { attempt.share(sealed, is_locked).await });
            // Callers who wait for the token do not wait for a Redis that is slow: it goes on without them.
            let _ = Deadline::within(state.operation_timeout()).limit(sharing).await;
            grant
        }
    }
}

impl SharedTokenAttempt {
    fn new(state: &SharedState, api: &AuthenticationApi, stale: Option<Stale>) -> Option<Self> {
        let (authentication, client_id, audience) = api.client();
        let sealing_key = SealingKey::derive(authentication.secret_bytes(), client_id, audience)?;
        let mut owner = [0; 16];
        aws_lc_rs::rand::fill(&mut owner).ok()?;
        let token = state.key("token", sealing_key.name());
        let lock = state.key("token-lock", sealing_key.name());
        let unwanted = stale.map(|(Stale::Aging(hash) | Stale::Refused(hash))| hash);
        let timeout = match stale {
            // It goes on serving meanwhile.
            Some(Stale::Aging(_)) => state.background_timeout(),
            Some(Stale::Refused(_)) | None => state.token_timeout(),
        };
        Some(Self { state: state.clone(), sealing_key, token, lock, owner, timeout, unwanted })
    }

    /// The source to have a token from. The first answer that is missed is the last that is waited for.
    async fn source(&self, stale: Option<Stale>) -> Result<TokenSource, SharedStateError> {
        if let Some(Stale::Refused(hash)) = stale {
            self.state.delete_if_begins(&self.token, &hash.beginning(), self.timeout).await?;
        }
        let give_up = Instant::now() + LOCK_LIFE;
        loop {
            if let Some(grant) = self.look().await? {
                return Ok(TokenSource::Replica(grant));
            }
            if self.state.set_if_absent(&self.lock, &self.owner, LOCK_LIFE, self.timeout).await? {
                // It may have come between the look and the lock.
                return Ok(match self.look().await? {
                    Some(grant) => {
                        self.unlock().await;
                        TokenSource::Replica(grant)
                    }
                    None => TokenSource::Auth0 { is_locked: true },
                });
            }
            if Instant::now() >= give_up {
                return Ok(TokenSource::Auth0 { is_locked: false });
            }
            sleep(POLL + POLL.mul_f64(fastrand::f64() / 2.0)).await;
        }
    }

    async fn look(&self) -> Result<Option<Grant>, SharedStateError> {
        let value = self.state.get(&self.token, MOST_BYTES, self.timeout).await?;
        Ok(value.and_then(|value| self.sealing_key.open(&value, Utc::now(), self.unwanted)))
    }

    /// Shares a token, if there is one, and lets the next have the lock.
    async fn share(&self, sealed: Option<(Vec<u8>, Duration)>, is_locked: bool) {
        if let Some((value, life)) = sealed.filter(|(value, _)| value.len() <= MOST_BYTES) {
            // The others ask for themselves then.
            let _ = self.state.set(&self.token, &value, life).await;
        }
        if is_locked {
            self.unlock().await;
        }
    }

    async fn unlock(&self) {
        // It ends by itself.
        let _ = self.state.delete_if_begins(&self.lock, &self.owner, self.timeout).await;
    }
}
