//! How what a log records came out.

use async_graphql::Enum;

/// What a log says of the outcome of what it records.
#[derive(Enum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogOutcome {
    /// What was attempted worked.
    Success,
    /// What was attempted failed, or was refused.
    Failure,
    /// It worked, or may have, and somebody should look.
    Warning,
    /// Auth0 says neither, or the gateway does not know the type.
    Other,
}

impl LogOutcome {
    const ALL: [Self; 4] = [Self::Success, Self::Failure, Self::Warning, Self::Other];

    /// The outcome of this enum value.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// The enum value as GraphQL writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Warning => "WARNING",
            Self::Other => "OTHER",
        }
    }
}
