//! The access token as replicas share it: sealed, so that whoever reads the shared state cannot read the tenant.
//!
//! AES-256-GCM under a key that is derived from the client's own secret or private key, which every replica has. A value is a version,
//! the token's hash, by which a token that was refused is deleted, the nonce and the ciphertext. Pure but for the nonce.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use reqwest::header::HeaderValue;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::derived_key::DerivedKey;
use super::freshness::LONGEST_LIFE;
use super::grant::Grant;

/// Version of the value, its first byte.
const VERSION: u8 = 1;

const HASH_LEN: usize = 32;

/// The purpose of the key.
const PURPOSE: &str = "auth0-graphql: the shared token";

/// Least time that a token must have left to be taken: with less it would end on its way.
const SHORTEST_REST: Duration = Duration::from_secs(2);

/// Most that the clocks of two replicas may differ by. It is added to a life that is as long as Auth0 lets one be: seen from a clock that is
/// behind, it is longer.
const MOST_SKEW: Duration = Duration::from_secs(5 * 60);

/// The hash of a token, which tells nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TokenHash([u8; HASH_LEN]);

impl TokenHash {
    pub(crate) fn of(header: &HeaderValue) -> Self {
        let mut hash = [0; HASH_LEN];
        hash.copy_from_slice(digest(&SHA256, header.as_bytes()).as_ref());
        Self(hash)
    }

    /// The beginning of the value that holds the token.
    pub(crate) fn beginning(self) -> Vec<u8> {
        [&[VERSION][..], &self.0].concat()
    }
}

/// The key that seals the tokens of one client for one audience.
pub(crate) struct SealingKey(DerivedKey);

#[derive(Serialize, Deserialize)]
struct Content {
    header: String,
    /// Seconds since 1970. The replicas' clocks may differ: the refresh ahead of a token's end leaves room for that.
    expires_at: i64,
    scopes: Option<Vec<String>>,
}

impl SealingKey {
    /// Derives the key. `None` is not known to happen.
    pub(crate) fn derive(secret: &[u8], client_id: &str, audience: &str) -> Option<Self> {
        DerivedKey::derive(PURPOSE, secret, client_id, audience).map(Self)
    }

    /// The name under which the token is shared.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// Seals a grant, whose life is counted from the moment at which it was asked for.
    pub(crate) fn seal(&self, grant: &Grant, now: DateTime<Utc>) -> Option<(Vec<u8>, Duration)> {
        let rest = grant.life.checked_sub(grant.asked_at.elapsed()).filter(|rest| *rest >= SHORTEST_REST)?;
        let content = Content {
            header: grant.header.to_str().ok()?.to_owned(),
            expires_at: now.timestamp() + i64::try_from(rest.as_secs()).ok()?,
            scopes: grant.scopes.clone(),
        };
        let mut value = TokenHash::of(&grant.header).beginning();
        value.append(&mut self.0.seal(&value, serde_json::to_vec(&content).ok()?)?);
        Some((value, rest))
    }

    /// Opens a value. One that is of another version or key, was tampered with, has expired or is not wanted is as good as none.
    pub(crate) fn open(&self, value: &[u8], now: DateTime<Utc>, unwanted: Option<TokenHash>) -> Option<Grant> {
        let (beginning, sealed) = value.split_at_checked(1 + HASH_LEN)?;
        let opened = self.0.open(beginning, sealed)?;
        let Content { header, expires_at, scopes } = serde_json::from_slice(&opened).ok()?;
        let mut header = HeaderValue::try_from(header).ok()?;
        header.set_sensitive(true);
        let hash = TokenHash::of(&header);
        let is_whole = beginning == hash.beginning();
        let life = Duration::from_secs(u64::try_from(expires_at.checked_sub(now.timestamp())?).ok()?);
        let is_wanted =
            is_whole && unwanted != Some(hash) && (SHORTEST_REST..=LONGEST_LIFE + MOST_SKEW).contains(&life);
        is_wanted.then(|| Grant {
            header,
            asked_at: Instant::now(),
            life: life.min(LONGEST_LIFE),
            scopes,
            is_shared: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::freshness::{Freshness, Lifespan};
    use super::*;

    const TOKEN: &str = "Bearer e30.e30.made-up";

    fn key(secret: &str) -> SealingKey {
        SealingKey::derive(secret.as_bytes(), "an-id", "https://example.us.auth0.com/api/v2/").unwrap()
    }

    fn grant(seconds: u64) -> Grant {
        let scopes = Some(vec!["read:users".to_owned()]);
        let (header, life) = (HeaderValue::from_static(TOKEN), Duration::from_secs(seconds));
        Grant { header, asked_at: Instant::now(), life, scopes, is_shared: false }
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_replica_seals_another_opens() {
        let now = DateTime::UNIX_EPOCH;
        let (value, life) = key("hush").seal(&grant(86_400), now).unwrap();
        assert_eq!(life, Duration::from_secs(86_400));
        let opened = key("hush").open(&value, now + Duration::from_secs(400), None).unwrap();
        assert_eq!((opened.header.as_bytes(), opened.life), (TOKEN.as_bytes(), Duration::from_secs(86_000)));
        assert!(opened.header.is_sensitive() && opened.is_shared);
        assert_eq!(opened.scopes, Some(vec!["read:users".to_owned()]));
        assert!(!value.windows(5).any(|part| TOKEN.as_bytes().windows(5).any(|token| token == part)));
        assert_ne!(value, key("hush").seal(&grant(86_400), now).unwrap().0, "no nonce is used twice");
    }

    #[tokio::test(start_paused = true)]
    async fn replicas_whose_clocks_are_a_minute_apart_share_a_token_and_replace_it_before_it_ends() {
        let (now, minute) = (DateTime::UNIX_EPOCH + LONGEST_LIFE, Duration::from_secs(60));
        for life in [Duration::from_secs(600), Duration::from_secs(86_400), LONGEST_LIFE] {
            let (value, _) = key("hush").seal(&grant(life.as_secs()), now).unwrap();
            for (clock, seen) in [(now + minute, life - minute), (now, life), (now - minute, life + minute)] {
                let opened = key("hush").open(&value, clock, None).unwrap();
                assert_eq!(opened.life, seen.min(LONGEST_LIFE));
                // By the time at which it ends, each of them has asked for the next one.
                let lifespan = Lifespan::new(opened.asked_at, opened.life, 0.0);
                assert_ne!(lifespan.at(opened.asked_at + life), Freshness::Fresh, "{life:?} by {clock}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_trusted_or_used_is_as_good_as_none() {
        let now = DateTime::UNIX_EPOCH;
        let key_of = key("hush");
        let (value, _) = key_of.seal(&grant(600), now).unwrap();
        assert!(key_of.open(&value, now, None).is_some());
        for position in 0..value.len() {
            let mut tampered = value.clone();
            tampered[position] ^= 1;
            assert!(key_of.open(&tampered, now, None).is_none(), "byte {position}");
            assert!(key_of.open(&value[..position], now, None).is_none(), "{position} bytes");
        }
        assert!(key("another").open(&value, now, None).is_none(), "another secret");
        let other = SealingKey::derive(b"hush", "an-id", "https://other.us.auth0.com/api/v2/").unwrap();
        assert!(other.open(&value, now, None).is_none(), "another audience");
        let unwanted = TokenHash::of(&HeaderValue::from_static(TOKEN));
        assert!(key_of.open(&value, now, Some(unwanted)).is_none(), "one that was refused");
        for seconds in [599, 600, 601, 100_000] {
            assert!(key_of.open(&value, now + Duration::from_secs(seconds), None).is_none(), "after {seconds} s");
        }
        assert!(key_of.open(&value, now - LONGEST_LIFE - MOST_SKEW, None).is_none(), "a life beyond reason");
        assert!(key_of.seal(&grant(1), now).is_none(), "one that is about to end is not shared");
    }
}
