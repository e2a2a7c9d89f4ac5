//! The address of Redis.

use std::fmt;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};

/// An address of Redis or Valkey, with the credentials: `redis://` or, with TLS, `rediss://`. `Debug` shows neither.
#[derive(Clone)]
pub struct RedisUrl(ConnectionInfo);

/// Text that is no address of Redis. `Display` holds nothing of the text, which may have a password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedisUrlError {
    /// Neither of the two schemes, or no URL at all.
    #[error(
        "must be a URL such as redis://HOST:6379 or, with TLS and a user, rediss://USER:PASSWORD@HOST:6379, with what is no letter or digit \
         in the password percent-encoded"
    )]
    NotRedis,
    /// TLS without a look at who is at the other end.
    #[error("must not end with #insecure: with TLS the certificate is verified")]
    Insecure,
}

impl RedisUrl {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// See [`RedisUrlError`].
    pub fn parse(text: &str) -> Result<Self, RedisUrlError> {
        if !["redis://", "rediss://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(RedisUrlError::NotRedis);
        }
        let info = text.into_connection_info().map_err(|_| RedisUrlError::NotRedis)?;
        match info.addr() {
            ConnectionAddr::Tcp(..) | ConnectionAddr::TcpTls { insecure: false, .. } => Ok(Self(info)),
            ConnectionAddr::TcpTls { insecure: true, .. } => Err(RedisUrlError::Insecure),
            _ => Err(RedisUrlError::NotRedis),
        }
    }

    pub(super) fn connection_info(&self) -> ConnectionInfo {
        self.0.clone()
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_user_a_password_and_a_database() {
        let url = RedisUrl::parse("rediss://gateway:p%40ss@redis.example.com:6380/2").unwrap();
        let (info, address) = (url.0.redis_settings(), url.0.addr());
        assert_eq!((info.username(), info.password(), info.db()), (Some("gateway"), Some("p@ss"), 2));
        assert!(matches!(address, ConnectionAddr::TcpTls { host, port: 6380, .. } if host == "redis.example.com"));
        assert!(RedisUrl::parse("redis://127.0.0.1").is_ok());
        assert_eq!(format!("{url:?}"), "RedisUrl([REDACTED])");
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_shown() {
        for (text, expected) in [
            ("redis.example.com:6379", RedisUrlError::NotRedis),
            ("https://hush@example.com", RedisUrlError::NotRedis),
            ("redis://", RedisUrlError::NotRedis),
            ("redis://example.com/hush", RedisUrlError::NotRedis),
            ("unix:///run/redis.sock", RedisUrlError::NotRedis),
            ("rediss://example.com/#insecure", RedisUrlError::Insecure),
        ] {
            let error = RedisUrl::parse(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("hush"));
        }
    }
}
