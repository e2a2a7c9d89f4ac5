//! Documents that clients had another replica keep.

use std::time::Duration;

use super::persisted::sha256;
use super::source::{DocumentSource, Sources};
use crate::shared_state::{MapBounds, SharedState};

/// The map in the shared state.
const MAP: &str = "documents";

/// Bounds of the map: with the longest texts it takes 16 MB.
const BOUNDS: MapBounds = MapBounds { entries: 500, bytes: LONGEST, life: Duration::from_secs(24 * 60 * 60) };

/// Longest text that is shared. A longer one is sent to each replica once.
const LONGEST: usize = 32 << 10;

impl Sources {
    /// Makes a document known here that is asked for by its hash alone, if another replica knows it. True if the request registers one.
    pub(crate) async fn recall(&self, shared: &SharedState, source: &DocumentSource) -> bool {
        let DocumentSource::Persisted { hash, text } = source else { return false };
        if !is_sha256(hash) || !self.persists() || self.knows(hash) {
            return false;
        }
        if text.is_some() {
            return true;
        }
        let found = shared.get_from(MAP, hash, BOUNDS).await.ok().flatten();
        // The shared state decides nothing: a text that is not the hash's is none, and one that is, is validated like a client's.
        if let Some(text) = found.filter(|text| sha256(text) == *hash) {
            self.keep(hash, &text);
        }
        false
    }

    /// Shares a document, if it was found valid and is kept here by now.
    pub(crate) async fn share(&self, shared: &SharedState, source: &DocumentSource) {
        if let DocumentSource::Persisted { hash, text: Some(text) } = source
            && text.len() <= LONGEST
            && self.knows(hash)
        {
            // Where that fails, clients send the text to each replica.
            let _ = shared.put_into(MAP, hash, text, BOUNDS).await;
        }
    }
}

/// True for a hash as [`sha256`] writes it.
fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
