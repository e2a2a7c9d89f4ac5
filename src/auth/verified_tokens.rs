//! Tokens that one set of keys has verified, so that a signature is not checked on every call.

use std::time::Duration;

use aws_lc_rs::digest::{self, SHA256_OUTPUT_LEN};
use moka::sync::Cache;

use super::caller::Caller;
use super::claims::ValidClaims;

/// Time after which a token is verified anew. Of no importance for what is let in, since each token's own end is looked at and new keys
/// begin with nothing: so that what nobody sends any more takes no memory.
const TIME_TO_LIVE: Duration = Duration::from_secs(5 * 60);

/// Most tokens that are remembered, at about 300 bytes each. Only good ones get in, so nobody else can push them out.
const CAPACITY: u64 = 10_000;

/// The hash that stands for a token: the memory of a process is no place to keep tokens in.
type Hash = [u8; SHA256_OUTPUT_LEN];

/// Cheap to clone: all clones share the tokens.
#[derive(Debug, Clone)]
pub(crate) struct VerifiedTokens(Cache<Hash, ValidClaims>);

impl VerifiedTokens {
    pub(crate) fn new() -> Self {
        Self(Cache::builder().max_capacity(CAPACITY).time_to_live(TIME_TO_LIVE).build())
    }

    /// The caller of a token that was verified before and has not ended at `now`, in seconds since 1970.
    pub(crate) fn caller(&self, token: &str, now: f64) -> Option<Caller> {
        self.0.get(&hash(token)).filter(|claims| now < claims.ends_at).map(|claims| claims.caller)
    }

    pub(crate) fn insert(&self, token: &str, claims: ValidClaims) {
        self.0.insert(hash(token), claims);
    }
}

fn hash(token: &str) -> Hash {
    let mut hash = [0; SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_remembered_as_itself_and_until_it_ends() {
        let verified = VerifiedTokens::new();
        verified.insert("a.b.c", ValidClaims { caller: Caller::ANONYMOUS, ends_at: 100.0 });
        assert_eq!(verified.caller("a.b.c", 99.9), Some(Caller::ANONYMOUS));
        assert_eq!(verified.caller("a.b.c", 100.0), None);
        assert_eq!(verified.caller("a.b.d", 99.9), None);
    }
}
