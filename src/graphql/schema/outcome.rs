//! The GraphQL enum `LogOutcome`.

use async_graphql::Enum;

/// The outcome of what a log records.
#[derive(Enum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogOutcome {
    /// The attempt succeeded.
    Success,
    /// The attempt failed, or was refused.
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
