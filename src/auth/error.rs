//! Errors of authentication.

use std::time::Duration;

/// A caller is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthenticationError {
    /// No credentials came, and nobody is let in without.
    MissingCredentials,
    /// More than one credential came.
    AmbiguousCredentials(AmbiguousCredentialsError),
    /// The credentials are not good.
    InvalidCredentials(CredentialsError),
    /// The credentials cannot be verified now: the issuer's keys are not to be had, or not to be asked for again yet.
    KeysUnavailable {
        /// Time after which to try again.
        retry_after: Duration,
    },
}

impl From<CredentialsError> for AuthenticationError {
    fn from(error: CredentialsError) -> Self {
        Self::InvalidCredentials(error)
    }
}

/// A request shows more than one credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmbiguousCredentialsError {
    /// Two tokens, or a token and something else in the same header.
    #[error("There is more than one Authorization header: send one.")]
    TwoTokens,
    /// Two API keys.
    #[error("There is more than one X-API-Key header: send one.")]
    TwoApiKeys,
    /// An error of each kind.
    #[error("There are both an access token and an API key: send one of them.")]
    TokenAndApiKey,
}

impl From<AmbiguousCredentialsError> for AuthenticationError {
    fn from(error: AmbiguousCredentialsError) -> Self {
        Self::AmbiguousCredentials(error)
    }
}

/// Credentials are refused. `Display` is for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum CredentialsError {
    /// A token, where only API keys are taken.
    #[error("The gateway takes API keys, not access tokens.")]
    TokensNotTaken,
    /// An API key that nobody was given.
    #[error("The API key is not known.")]
    UnknownApiKey,
    /// Larger than any token needs to be.
    #[error("The token is larger than 8 KiB.")]
    TooLong,
    /// Opaque, encrypted, or no token at all.
    #[error("The token is not a signed JWT. Auth0 issues one when the gateway's audience is asked for.")]
    NotSigned,
    /// The header or the claims are not what RFC 7515 and RFC 7519 say.
    #[error("The token's header or claims cannot be read.")]
    Malformed,
    /// Not an access token by its `typ`.
    #[error("The token is of another type than at+jwt or JWT.")]
    Type,
    /// An `alg` that is not allowed, or not that of the key.
    #[error("The token is signed with an algorithm that is not allowed: RS256, PS256, ES256 and EdDSA are.")]
    Algorithm,
    /// `crit`, or `b64: false`, which changes what is signed (RFC 7797).
    #[error("The token asks for extensions of JWS that are not supported.")]
    Extension,
    /// The issuer has no key of that `kid`.
    #[error("The token names a key that its issuer does not have.")]
    UnknownKey,
    /// No `kid`, and not exactly one key that fits.
    #[error("The token does not say which of its issuer's keys it is signed with.")]
    AmbiguousKey,
    /// The signature is not the key's.
    #[error("The token's signature is wrong.")]
    Signature,
    /// No `exp`.
    #[error("The token does not say when it expires.")]
    NoExpiry,
    /// `exp` has passed.
    #[error("The token has expired.")]
    Expired,
    /// `nbf` is to come.
    #[error("The token is not valid yet.")]
    NotYetValid,
    /// `iat` is to come.
    #[error("The token was issued in the future.")]
    IssuedInFuture,
    /// Another `iss`.
    #[error("The token is from another issuer.")]
    Issuer,
    /// Another `aud`.
    #[error("The token is for another audience.")]
    Audience,
    /// A `cnf`: the token is of use only with the proof of a key (RFC 7800), and the gateway checks no such proof.
    #[error("The token is bound to a key (cnf), whose proof is not checked here: ask for one that is not.")]
    Bound,
    /// No `sub`.
    #[error("The token does not say whom it is for.")]
    NoSubject,
}
