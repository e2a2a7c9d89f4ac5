//! Who asks, and what they may see.
//!
//! An [`Authenticator`] makes a [`Caller`] of the [`Credentials`] that came with a request: an access token (RFC 9068) or an API key. A
//! token passes these stages, each a file: it is taken apart and its header judged (`jws`); its claims are judged (`claims`); its
//! signature is verified with its issuer's keys (`key_set`), which are fetched (`discovery`) and kept (`key_cache`); it is
//! `remembered`. What can be wrong is in `fault`.

mod address;
mod api_keys;
mod authenticator;
mod caller;
mod claims;
mod discovery;
mod fault;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod issuer;
mod jws;
mod key_cache;
mod key_set;
mod remembered;
mod scope;

pub use self::address::{Address, AddressError};
pub(crate) use self::claims::LEEWAY;
pub(crate) use self::discovery::{FetchError, count_keys};

pub use self::api_keys::{ApiKeys, ApiKeysError};
pub use self::authenticator::{Authenticator, BuildError, Credentials, Settings, TokenSettings};
pub use self::caller::{Caller, Identity};
pub use self::fault::{Fault, Rejection};
pub use self::issuer::{Issuer, IssuerError};
pub use self::scope::{Scope, Scopes};
