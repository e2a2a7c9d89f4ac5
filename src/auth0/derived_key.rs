//! Keys that all replicas of a gateway have and nobody else: derived from the client's own secret or private key.

use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use data_encoding::HEXLOWER;

const KEY_LEN: usize = 32;

/// A key for AES-256-GCM, of one purpose, client and audience.
pub(crate) struct DerivedKey {
    /// The key.
    pub(crate) key: RandomizedNonceKey,
    /// The name under which things are shared: purposes, clients, audiences and secrets have each their own.
    pub(crate) name: String,
}

impl DerivedKey {
    /// Derives the key by HKDF. `None` is not known to happen.
    pub(crate) fn derive(purpose: &str, secret: &[u8], client_id: &str, audience: &str) -> Option<Self> {
        let mut context = Context::new(&SHA256);
        for part in [client_id, audience] {
            // Lengths go in, so that no two pairs of texts run together to the same.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let identity = context.finish();
        let derived = Salt::new(HKDF_SHA256, purpose.as_bytes()).extract(secret);
        let derive = |part: &[u8]| {
            let mut bytes = [0; KEY_LEN];
            derived.expand(&[part, identity.as_ref()], &AES_256_GCM).ok()?.fill(&mut bytes).ok()?;
            Some(bytes)
        };
        let key = RandomizedNonceKey::new(&AES_256_GCM, &derive(b"key")?).ok()?;
        Some(Self { key, name: HEXLOWER.encode(&derive(b"name")?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_client_audience_and_secret_has_a_name_of_its_own() {
        let name = |purpose, secret: &str, id, audience| {
            DerivedKey::derive(purpose, secret.as_bytes(), id, audience).unwrap().name
        };
        let one = name("p", "hush", "a", "bc");
        assert_eq!(one, name("p", "hush", "a", "bc"));
        for other in [
            name("q", "hush", "a", "bc"),
            name("p", "another", "a", "bc"),
            name("p", "hush", "ab", "c"),
            name("p", "hush", "a", "b"),
        ] {
            assert_ne!(one, other);
        }
    }
}
