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
