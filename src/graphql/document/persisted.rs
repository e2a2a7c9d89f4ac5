//! Automatic persisted queries: texts that clients had the gateway keep by their hash, so that they need not send them again.
//!
//! This saves bytes and makes short GETs; it keeps nothing out, for anybody can have anything kept.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use moka::sync::Cache;

/// The most bytes that are kept, hashes included. The text asked for least goes first, and is sent again when it is wanted.
const KEPT: u64 = 4 << 20;

pub(crate) struct PersistedQueries {
    texts: Cache<Arc<str>, Arc<str>>,
}

impl Default for PersistedQueries {
    fn default() -> Self {
        let weight = |hash: &Arc<str>, text: &Arc<str>| u32::try_from(hash.len() + text.len()).unwrap_or(u32::MAX);
        Self { texts: Cache::builder().weigher(weight).max_capacity(KEPT).build() }
    }
}

impl PersistedQueries {
    pub(crate) fn get(&self, hash: &str) -> Option<Arc<str>> {
        self.texts.get(hash)
    }

    /// `hash` must be the text's.
    pub(crate) fn keep(&self, hash: &str, text: &str) {
        self.texts.insert(hash.into(), text.into());
    }
}

/// A text's SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let hash = digest(&SHA256, text.as_bytes());
    let digits = hash.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_as_everybody_else_writes_it() {
        // `printf abc | sha256sum`.
        assert_eq!(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let kept = PersistedQueries::default();
        for number in 0..300 {
            let text = format!("{{ __typename }} #{number:>40000}");
            kept.keep(&sha256(&text), &text);
        }
        kept.texts.run_pending_tasks();
        assert!((1..=KEPT).contains(&kept.texts.weighted_size()), "{}", kept.texts.weighted_size());
    }
}
