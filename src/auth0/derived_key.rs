//! Keys that all replicas of a gateway have and nobody else: derived from the client's own secret or private key.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use data_encoding::HEXLOWER;

const KEY_LEN: usize = 32;

/// A key for AES-256-GCM, of one purpose, client and audience.
pub(crate) struct DerivedKey {
    key: RandomizedNonceKey,
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

    /// Seals a text, and authenticates `context` along: the nonce, then the ciphertext. `None` is not known to happen.
    pub(crate) fn seal(&self, context: &[u8], mut text: Vec<u8>) -> Option<Vec<u8>> {
        let nonce = self.key.seal_in_place_append_tag(Aad::from(context), &mut text).ok()?;
        Some([nonce.as_ref().as_slice(), &text].concat())
    }

    /// Opens what was sealed. `None` if it was sealed by another key or in another context, or tampered with.
    pub(crate) fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = sealed.to_vec();
        let length = self.key.open_in_place(nonce, Aad::from(context), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
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
