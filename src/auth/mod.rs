//! Authentication of callers, and their scopes.
//!
//! An [`Authenticator`] makes a [`Caller`] of the [`Credentials`] of a request: an access token (RFC 9068) or an API key. A token passes
//! these stages, each a file: it is parsed (`jws`); its claims are validated (`claims`); its signature is verified with its issuer's keys
//! (`key_set`), which are fetched (`discovery`) and kept (`key_cache`); it is remembered (`verified_tokens`).

mod api_keys;
mod authenticator;
mod caller;
mod claims;
mod discovery;
mod error;
mod issuer;
mod jws;
mod key_cache;
mod key_set;
mod scope;
mod secure_url;
mod settings;
#[cfg(feature = "fuzzing")]
pub mod testing;
mod verified_tokens;

pub(crate) use self::claims::LEEWAY;
pub(crate) use self::discovery::{FetchError, count_keys};
pub(crate) use self::scope::{Replacement, ScopeFacts};

pub use self::api_keys::{ApiKeys, ApiKeysError};
pub use self::authenticator::{Authenticator, BuildError, Credentials};
pub use self::caller::{Caller, Identity};
pub use self::error::{AmbiguousCredentialsError, AuthenticationError, CredentialsError};
pub use self::issuer::{Issuer, IssuerError};
pub use self::scope::{Scope, Scopes};
pub use self::secure_url::{SecureUrl, SecureUrlError};
pub use self::settings::{Settings, TokenSettings};
