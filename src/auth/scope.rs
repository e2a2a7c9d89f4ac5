//! Scopes of callers, named as Auth0 names those of its Management API.

use std::fmt;

/// The facts about a scope.
#[derive(Debug)]
pub(crate) struct ScopeFacts {
    /// The scope as it stands in a token.
    name: &'static str,
    /// The fields that it is for, in words.
    pub(crate) needed_for: &'static str,
    /// True if the gateway fails without it, and not only some fields.
    pub(crate) is_required: bool,
    pub(crate) replacement: Replacement,
}

/// The scope that Auth0 takes from the gateway in place of another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Replacement {
    /// No other.
    Nothing,
    /// This one, by some endpoints.
    InPart(&'static str),
    /// This one, by every endpoint.
    InFull(&'static str),
    /// None is needed: no endpoint is known to ask for the scope.
    Unasked,
}

/// Declares the scopes, each with the facts about it.
macro_rules! scopes {
    ($($(#[$doc:meta])* $scope:ident = $facts:expr;)*) => {
        /// A permission, named as Auth0 names its Management API scopes.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Scope {
            $($(#[$doc])* $scope,)*
        }

        impl Scope {
            /// Every scope that the schema knows.
            pub const ALL: [Self; [$(Self::$scope),*].len()] = [$(Self::$scope),*];

            /// The facts about it.
            pub(crate) const fn facts(self) -> &'static ScopeFacts {
                match self {
                    $(Self::$scope => const { &$facts },)*
                }
            }
        }
    };
}

scopes! {
    /// Read users.
    ReadUsers = ScopeFacts {
        name: "read:users",
        needed_for: "users, user, usersByEmail, me, Log.user, User.permissions, enrollments and blocks",
        is_required: true,
        // <https://auth0.com/docs/api/management/v2/users/get-users> takes either of the two, `usersByEmail` no other:
        // <https://auth0.com/docs/api/management/v2/users-by-email/get-users-by-email>.
        replacement: Replacement::InPart("read:user_idp_tokens"),
    };
    /// Read users' `app_metadata`.
    ReadUsersAppMetadata = ScopeFacts {
        replacement: Replacement::Unasked,
        ..of_fields(
            "read:users_app_metadata",
            "User.appMetadata: asked of callers, not known to be asked of the gateway",
        )
    };
    /// Read the tokens that identity providers issued for users.
    ReadUserIdpTokens = of_fields("read:user_idp_tokens", "tokens in User.identities, which are null without it");
    /// Read the tenant's logs.
    ReadLogs = ScopeFacts {
        name: "read:logs",
        needed_for: "logs, log, searchLogs, User.logs",
        is_required: true,
        // <https://auth0.com/docs/api/management/v2/logs/get-logs>
        replacement: Replacement::InFull("read:logs_users"),
    };
    /// Read the tenant's roles.
    ReadRoles = of_fields("read:roles", OF_ROLES);
    /// Read who has which role.
    ReadRoleMembers = of_fields("read:role_members", OF_ROLES);
    /// Read organizations.
    ReadOrganizations = ScopeFacts {
        // <https://auth0.com/docs/api/management/v2/users/get-user-organizations>, by the words of its 403.
        replacement: Replacement::InFull("read:users"),
        ..of_fields("read:organizations", "User.organizations")
    };
    /// Read the ways in which users can log in.
    ReadAuthenticationMethods = of_fields("read:authentication_methods", "User.authenticationMethods");
    /// Read users' sessions.
    ReadSessions = of_fields("read:sessions", "User.sessions");
    /// Read about users' refresh tokens.
    ReadRefreshTokens = of_fields("read:refresh_tokens", "User.refreshTokens, which shows no token");
}

const OF_ROLES: &str = "User.roles, with read:users, read:roles and read:role_members";

/// A scope that some fields need, and no other replaces.
const fn of_fields(name: &'static str, needed_for: &'static str) -> ScopeFacts {
    ScopeFacts { name, needed_for, is_required: false, replacement: Replacement::Nothing }
}

impl Scope {
    /// The scope as it stands in a token.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.facts().name
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
