//! Seals for the logs that replicas tell each other of: whoever reads or writes Redis can neither read them nor make some up.
//!
//! AES-256-GCM under a key that is derived from the client's own secret or private key, which every replica has. A value is the nonce and
//! the ciphertext. The place that it was written for, and the fence of the lease that it was written under, are authenticated along. Pure
//! but for the nonce.

use super::super::super::derived_key::DerivedKey;

/// The purpose of the key.
const PURPOSE: &str = "auth0-graphql: the tail of logs";

/// The key that seals what the replicas of one client tell each other.
pub(super) struct LogSealingKey(DerivedKey);

impl LogSealingKey {
    /// Derives the key. `None` is not known to happen.
    pub(super) fn derive(secret: &[u8], client_id: &str, audience: &str) -> Option<Self> {
        DerivedKey::derive(PURPOSE, secret, client_id, audience).map(Self)
    }

    /// The name under which logs are shared: clients, audiences and secrets have each their own.
    pub(super) fn name(&self) -> &str {
        &self.0.name
    }

    /// Seals a text for a place. `None` is not known to happen.
    pub(super) fn seal(&self, place: &str, fence: &str, text: &[u8]) -> Option<Vec<u8>> {
        self.0.seal(context(place, fence).as_bytes(), text.to_vec())
    }

    /// Opens a value. `None` if it was sealed by another key, for another place or under another fence, or tampered with.
    pub(super) fn open(&self, place: &str, fence: &str, value: &[u8]) -> Option<Vec<u8>> {
        self.0.open(context(place, fence).as_bytes(), value)
    }
}

fn context(place: &str, fence: &str) -> String {
    format!("{place}|{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_replica_of_the_same_client_sealed_for_that_place_and_fence_is_opened() {
        let key = |secret: &str| LogSealingKey::derive(secret.as_bytes(), "an-id", "an-audience").unwrap();
        let text = br#"{"logs":[{"user_name":"ada@example.com"}]}"#;
        let value = key("hush").seal("stream", "7", text).unwrap();
        assert_eq!(key("hush").open("stream", "7", &value).as_deref(), Some(&text[..]));
        assert!(!value.windows(5).any(|part| text.windows(5).any(|plain| plain == part)));
        assert_ne!(value, key("hush").seal("stream", "7", text).unwrap(), "no nonce is used twice");
        assert_eq!(key("another").open("stream", "7", &value), None);
        assert_eq!(key("hush").open("stream", "8", &value), None);
        assert_eq!(key("hush").open("inbox", "7", &value), None);
        for position in 0..value.len() {
            let mut tampered = value.clone();
            tampered[position] ^= 1;
            assert_eq!(key("hush").open("stream", "7", &tampered), None, "byte {position}");
            assert_eq!(key("hush").open("stream", "7", &value[..position]), None, "{position} bytes");
        }
    }
}
