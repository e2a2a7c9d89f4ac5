//! API keys: for machines that have no access token. The gateway knows their hashes only.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{self, SHA256_OUTPUT_LEN};
use data_encoding::HEXLOWER_PERMISSIVE;

use super::caller::Caller;
use super::scope::{Scope, Scopes};

/// Least bytes of a key: a shorter one could be guessed from its hash, for whoever gets to see that. 20 characters of a random key in hexadecimal are 80 bits.
pub(crate) const MIN_LENGTH: usize = 20;

/// Most bytes of a key: none needs as much, and each is hashed.
const MAX_LENGTH: usize = 1_024;

const MAX_NAME_LENGTH: usize = 64;

/// The API keys that open the gateway.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ApiKeys(Vec<ApiKey>);

#[derive(Clone, PartialEq, Eq)]
struct ApiKey {
    name: Arc<str>,
    hash: [u8; SHA256_OUTPUT_LEN],
    scopes: Scopes,
}

/// A text is no list of API keys. Hashes are not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeysError {
    /// An entry lacks a part.
    #[error(
        "holds an entry (number {0}) that is not of the form name:hash:scopes, such as reports:<64 hexadecimal digits>:read:users read:logs"
    )]
    Form(usize),
    /// A name is empty, long, or has other characters than a log takes without quotes.
    #[error("holds an entry (number {0}) whose name is not of 1 to 64 letters, digits, dots, hyphens and underscores")]
    Name(usize),
    /// A hash is not one.
    #[error(
        "has for {0} no SHA-256 of the key: that is 64 hexadecimal digits, as `openssl dgst -sha256 -r` prints them"
    )]
    Hash(String),
    /// A scope is not in the schema. It is not repeated: behind a wrong separator it may be the next entry, hash and all.
    #[error(
        "grants {0} a scope that the gateway does not know; it knows {known}. Spaces go between scopes, commas between keys",
        known = Scopes::of(&Scope::ALL)
    )]
    Scope(String),
    /// A key without scopes opens nothing.
    #[error("grants {0} no scope: name some of {known}", known = Scopes::of(&Scope::ALL))]
    NoScope(String),
    /// The same name twice.
    #[error("has the name {0} twice")]
    NameTwice(String),
    /// The same key twice.
    #[error("has one hash for both {0} and {1}: give each its own key")]
    KeyTwice(String, String),
}

impl ApiKeys {
    /// Reads `name:hash:scopes` entries separated by commas; the hash is the SHA-256 of the key in hexadecimal, scopes are separated by
    /// spaces.
    ///
    /// # Errors
    ///
    /// See [`ApiKeysError`].
    pub fn parse(text: &str) -> Result<Self, ApiKeysError> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let mut keys: Vec<ApiKey> = Vec::new();
        for (index, entry) in entries.enumerate() {
            let key = ApiKey::parse(entry, index + 1)?;
            if keys.iter().any(|other| other.name == key.name) {
                return Err(ApiKeysError::NameTwice(key.name.to_string()));
            }
            if let Some(other) = keys.iter().find(|other| other.hash == key.hash) {
                return Err(ApiKeysError::KeyTwice(other.name.to_string(), key.name.to_string()));
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every scope that one of them has.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = Scope> {
        self.0.iter().flat_map(|key| key.scopes.iter())
    }

    /// The caller who holds `key`, if it is one of these.
    pub(crate) fn caller(&self, key: &str) -> Option<Caller> {
        if !(MIN_LENGTH..=MAX_LENGTH).contains(&key.len()) {
            return None;
        }
        let hash = digest::digest(&digest::SHA256, key.as_bytes());
        // Each comparison takes the same time whatever it finds, so that how long it takes tells nothing of any hash.
        let known = self.0.iter().find(|known| verify_slices_are_equal(&known.hash, hash.as_ref()).is_ok())?;
        Some(Caller::of_api_key(&known.name, known.scopes))
    }
}

impl ApiKey {
    fn parse(entry: &str, number: usize) -> Result<Self, ApiKeysError> {
        let mut parts = entry.splitn(3, ':').map(str::trim);
        let (Some(name), Some(hash), Some(scopes)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(ApiKeysError::Form(number));
        };
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if !(1..=MAX_NAME_LENGTH).contains(&name.len()) || !name.bytes().all(legal) {
            return Err(ApiKeysError::Name(number));
        }
        let hash = HEXLOWER_PERMISSIVE.decode(hash.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
        let hash = hash.ok_or_else(|| ApiKeysError::Hash(name.to_owned()))?;
        let unknown = || ApiKeysError::Scope(name.to_owned());
        let scopes = scopes
            .split_whitespace()
            .map(|scope| Scope::parse(scope).ok_or_else(unknown))
            .collect::<Result<Scopes, _>>()?;
        if scopes == Scopes::default() {
            return Err(ApiKeysError::NoScope(name.to_owned()));
        }
        Ok(Self { name: name.into(), hash, scopes })
    }
}

/// The keys without their hashes.
impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|key| (&key.name, &key.scopes))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Identity;

    const KEY: &str = "a key of the tests, long";

    fn hash_of(key: &str) -> String {
        let hash = digest::digest(&digest::SHA256, key.as_bytes());
        HEXLOWER_PERMISSIVE.encode(hash.as_ref())
    }

    #[test]
    fn a_key_is_found_by_its_hash_and_holds_its_scopes() {
        let hash = hash_of(KEY);
        let other = "00".repeat(32);
        let text = format!(" reports:{}:read:logs  read:users ,\n ci.2:{other}:read:users,", hash.to_uppercase());
        let keys = ApiKeys::parse(&text).unwrap();
        let caller = keys.caller(KEY).unwrap();
        assert_eq!(caller.identity(), &Identity::ApiKey { name: "reports".into() });
        assert_eq!(caller.authority(), Scopes::of(&[Scope::ReadUsers, Scope::ReadLogs]));
        for wrong in ["", "a key of the tests, lonG", &KEY[1..], &hash, &KEY.repeat(100)] {
            assert_eq!(keys.caller(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_key_that_could_be_guessed_opens_nothing() {
        let keys = ApiKeys::parse(&format!("weak:{}:read:logs", hash_of("password"))).unwrap();
        assert_eq!(keys.caller("password"), None);
    }

    #[test]
    fn what_is_wrong_is_told_and_no_hash_is_repeated() {
        let hash = hash_of(KEY);
        let zeros = "0".repeat(64);
        for (text, expected) in [
            ("reports", "holds an entry (number 1) that is not of the form"),
            (&format!("reports:{hash}"), "holds an entry (number 1) that is not of the form"),
            (&format!("a:{zeros}:read:logs,re ports:{hash}:read:logs"), "holds an entry (number 2) whose name"),
            (&format!(":{hash}:read:logs"), "holds an entry (number 1) whose name"),
            (&format!("reports:{}:read:logs", &hash[1..]), "has for reports no SHA-256"),
            (&format!("reports:{}é:read:logs", &hash[2..]), "has for reports no SHA-256"),
            (&format!("reports:{hash}:read:logs update:users"), "grants reports a scope that"),
            (&format!("reports:{zeros}:read:logs;ci:{hash}:read:logs"), "grants reports a scope that"),
            (&format!("reports:{hash}: "), "grants reports no scope"),
            (&format!("a:{hash}:read:logs,a:{zeros}:read:logs"), "has the name a twice"),
            (&format!("a:{hash}:read:logs,b:{hash}:read:users"), "has one hash for both a and b"),
        ] {
            let fault = ApiKeys::parse(text).unwrap_err().to_string();
            assert!(fault.starts_with(expected), "{text}: {fault}");
            assert!(!fault.contains(&hash[..8]), "{fault}");
        }
        assert!(ApiKeys::parse(" , ").unwrap().is_empty());
    }

    #[test]
    fn debug_shows_no_hash() {
        let hash = hash_of(KEY);
        let shown = format!("{:?}", ApiKeys::parse(&format!("reports:{hash}:read:logs")).unwrap());
        assert!(shown.contains("reports") && !shown.contains(&hash[..8]), "{shown}");
    }
}
