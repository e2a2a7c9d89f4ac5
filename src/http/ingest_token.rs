//! The token by which Auth0 pushes logs.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use axum::http::{HeaderMap, header};

use super::authenticate::bearer;

/// Fewest characters of a token: 20 of a random one in hexadecimal are 80 bits.
const SHORTEST_TOKEN: usize = 20;

/// The token that Auth0 shows when it pushes logs. Only its hash is kept. Clones are replaced together.
#[derive(Clone)]
pub struct IngestToken(Arc<ArcSwap<[u8; SHA256_OUTPUT_LEN]>>);

/// A text is no [`IngestToken`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have {SHORTEST_TOKEN} characters or more, ASCII without spaces; this makes one: openssl rand -hex 32")]
pub struct IngestTokenError;

impl IngestToken {
    /// Takes a token.
    ///
    /// # Errors
    ///
    /// A token that could be guessed, or that a header cannot hold. It is not repeated.
    pub fn parse(text: &str) -> Result<Self, IngestTokenError> {
        let is_token = text.len() >= SHORTEST_TOKEN && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_token { Ok(Self(Arc::new(ArcSwap::from_pointee(hash(text))))) } else { Err(IngestTokenError) }
    }

    /// Takes what `other` has now, for this and all its clones.
    pub(crate) fn replace(&self, other: &Self) {
        self.0.store(other.0.load_full());
    }

    /// True if the credentials in these headers are this token, in a time that does not depend on it.
    pub(crate) fn is_shown(&self, headers: &HeaderMap) -> bool {
        let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(authorization), None) = (authorizations.next(), authorizations.next()) else { return false };
        bearer(authorization).is_some_and(|token| verify_slices_are_equal(&**self.0.load(), &hash(token)).is_ok())
    }
}

impl fmt::Debug for IngestToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IngestToken")
    }
}

fn hash(token: &str) -> [u8; SHA256_OUTPUT_LEN] {
    let mut hash = [0; SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const TOKEN: &str = "a token of 20 letters";

    fn is_shown(token: &IngestToken, lines: &[String]) -> bool {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(line).unwrap());
        }
        token.is_shown(&headers)
    }

    #[test]
    fn the_token_is_shown_once_and_whole() {
        let token = TOKEN.replace(' ', "-");
        let own = IngestToken::parse(&token).unwrap();
        for (authorization, expected) in [
            (&[format!("Bearer {token}")][..], true),
            (&[format!("bearer {token}")], true),
            (&[format!("Bearer {token}x")], false),
            (&[format!("Bearer {}", &token[1..])], false),
            (std::slice::from_ref(&token), false),
            (&["Bearer".to_owned()], false),
            (&[format!("Bearer {token}"), format!("Bearer {token}")], false),
            (&[], false),
        ] {
            assert_eq!(is_shown(&own, authorization), expected, "{authorization:?}");
        }
        let (clone, next) = (own.clone(), IngestToken::parse(&token.repeat(2)).unwrap());
        own.replace(&next);
        assert!(!is_shown(&clone, &[format!("Bearer {token}")]));
    }

    #[test]
    fn a_token_that_could_be_guessed_is_refused() {
        for text in ["", "short", TOKEN, "é-token-of-20-letters"] {
            assert!(IngestToken::parse(text).is_err(), "{text}");
        }
    }
}
