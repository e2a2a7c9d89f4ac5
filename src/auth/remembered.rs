//! Tokens that were found good, so that a signature is not checked on every call.

use std::time::Duration;

use aws_lc_rs::digest::{self, SHA256_OUTPUT_LEN};
use moka::sync::Cache;

use super::caller::Caller;
use super::claims::Judged;

/// How long a token is remembered at most, so that one whose key its issuer has withdrawn is found out.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// How many tokens are remembered, at about 300 bytes each. Only good ones get in, so nobody else can push them out.
const CAPACITY: u64 = 10_000;

/// The hash that stands for a token: the memory of a process is no place to keep tokens in.
type Hash = [u8; SHA256_OUTPUT_LEN];

#[derive(Debug)]
pub(crate) struct Remembered(Cache<Hash, Judged>);

impl Remembered {
    pub(crate) fn new() -> Self {
        Self(Cache::builder().max_capacity(CAPACITY).time_to_live(LONGEST).build())
    }

    /// Whose token it is, if it was found good a while ago and still is at `now`, in seconds since 1970.
    pub(crate) fn caller(&self, token: &str, now: f64) -> Option<Caller> {
        self.0.get(&hash(token)).filter(|judged| now < judged.ends_at).map(|judged| judged.caller)
    }

    pub(crate) fn keep(&self, token: &str, judged: Judged) {
        self.0.insert(hash(token), judged);
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
        let remembered = Remembered::new();
        remembered.keep("a.b.c", Judged { caller: Caller::ANONYMOUS, ends_at: 100.0 });
        assert_eq!(remembered.caller("a.b.c", 99.9), Some(Caller::ANONYMOUS));
        assert_eq!(remembered.caller("a.b.c", 100.0), None);
        assert_eq!(remembered.caller("a.b.d", 99.9), None);
    }
}
