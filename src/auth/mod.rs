//! Who asks, and what they may see.

use std::fmt;

/// A permission, named as Auth0 names its Management API scopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Scope {
    /// Read users.
    ReadUsers,
    /// Read users' `app_metadata`.
    ReadUsersAppMetadata,
    /// Read the tokens that identity providers issued for users.
    ReadUserIdpTokens,
    /// Read the tenant's logs.
    ReadLogs,
}

impl Scope {
    /// Every scope that the schema knows.
    pub const ALL: [Self; 4] = [Self::ReadUsers, Self::ReadUsersAppMetadata, Self::ReadUserIdpTokens, Self::ReadLogs];

    /// The scope as it stands in a token.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadUsers => "read:users",
            Self::ReadUsersAppMetadata => "read:users_app_metadata",
            Self::ReadUserIdpTokens => "read:user_idp_tokens",
            Self::ReadLogs => "read:logs",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whoever sent a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    scopes: u8,
}

impl Caller {
    /// A caller who showed no credentials. Where such callers are let in at all they may read everything but identity
    /// providers' tokens, which open other services.
    pub const ANONYMOUS: Self = Self::holding(&[Scope::ReadUsers, Scope::ReadUsersAppMetadata, Scope::ReadLogs]);

    const fn holding(scopes: &[Scope]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < scopes.len() {
            bits |= 1 << scopes[at] as u8;
            at += 1;
        }
        Self { scopes: bits }
    }

    /// Whether the caller holds `scope`.
    #[must_use]
    pub const fn holds(self, scope: Scope) -> bool {
        self.scopes & (1 << scope as u8) != 0
    }
}
