//! Scopes of callers, named as Auth0 names those of its Management API.

use std::fmt;

/// A permission, named as Auth0 names its Management API scopes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
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
    /// Read the tenant's roles.
    ReadRoles,
    /// Read who has which role.
    ReadRoleMembers,
    /// Read organizations.
    ReadOrganizations,
    /// Read the ways in which users can log in.
    ReadAuthenticationMethods,
    /// Read users' sessions.
    ReadSessions,
    /// Read about users' refresh tokens.
    ReadRefreshTokens,
}

impl Scope {
    /// Every scope that the schema knows.
    pub const ALL: [Self; 10] = [
        Self::ReadUsers,
        Self::ReadUsersAppMetadata,
        Self::ReadUserIdpTokens,
        Self::ReadLogs,
        Self::ReadRoles,
        Self::ReadRoleMembers,
        Self::ReadOrganizations,
        Self::ReadAuthenticationMethods,
        Self::ReadSessions,
        Self::ReadRefreshTokens,
    ];

    /// The scope as it stands in a token.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadUsers => "read:users",
            Self::ReadUsersAppMetadata => "read:users_app_metadata",
            Self::ReadUserIdpTokens => "read:user_idp_tokens",
            Self::ReadLogs => "read:logs",
            Self::ReadRoles => "read:roles",
            Self::ReadRoleMembers => "read:role_members",
            Self::ReadOrganizations => "read:organizations",
            Self::ReadAuthenticationMethods => "read:authentication_methods",
            Self::ReadSessions => "read:sessions",
            Self::ReadRefreshTokens => "read:refresh_tokens",
        }
    }

    /// The scope of that name. Names are compared letter by letter, as OAuth has it (RFC 6749, 3.3).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes(u16);

impl Scopes {
    /// The set of these scopes.
    #[must_use]
    pub const fn of(scopes: &[Scope]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < scopes.len() {
            bits |= bit(scopes[at]);
            at += 1;
        }
        Self(bits)
    }

    /// True if `scope` is in the set.
    #[must_use]
    pub const fn holds(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }

    /// True if no scope is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The scopes of this set that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The scopes in the set, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.holds(*scope))
    }
}

const fn bit(scope: Scope) -> u16 {
    1 << scope as u8
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | bit(scope)))
    }
}

/// The scopes as they stand in a token.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { " " };
            write!(f, "{separator}{scope}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        let scopes = Scopes::of(&[Scope::ReadLogs, Scope::ReadUsers]);
        assert_eq!(scopes.to_string(), "read:users read:logs");
        assert!(!scopes.holds(Scope::ReadUserIdpTokens));
        assert_eq!(Scope::ALL.into_iter().collect::<Scopes>(), Scopes::of(&Scope::ALL));
        assert_eq!(Scopes::default().to_string(), "");
        assert!(Scopes::default().is_empty() && !scopes.is_empty());
        assert_eq!(scopes.without(Scopes::of(&[Scope::ReadUsers])), Scopes::of(&[Scope::ReadLogs]));
        assert!(scopes.without(Scopes::of(&Scope::ALL)).is_empty());
    }

    #[test]
    fn names_are_compared_letter_by_letter() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
        }
        for name in ["", "READ:USERS", "read:users ", "read:user", "update:users"] {
            assert_eq!(Scope::parse(name), None, "{name:?}");
        }
    }
}
