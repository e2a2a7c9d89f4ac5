//! The unusual things that Auth0 was seen to send, at known positions.

use super::kind::{Kind, UNKNOWN, named};

/// The unusual thing about a log. A position's last three digits decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Oddity {
    None,
    /// 17: a `type` that no documentation lists.
    UnknownType,
    /// 19: `client_id` is an array.
    ClientIdArray,
    /// 23: `scope` is an array.
    ScopeArray,
    /// 29: `auth0_client` is an array.
    Auth0ClientArray,
    /// 31: `details.error` is an object instead of a text.
    ErrorObject,
    /// 37: the user name is what somebody typed into the form, no user's.
    TypedUserName,
    /// 41: `location_info` is `{}`.
    EmptyLocation,
    /// 43: keys of log streams, `tenant_name` and `$event_schema` among them.
    StreamKeys,
    /// 47: `details` is null.
    NoDetails,
    /// 53: `description` is null, the one null that Auth0's schema admits.
    NoDescription,
}

impl Oddity {
    pub(super) fn at(position: u64) -> Self {
        match position % 1_000 {
            17 => Self::UnknownType,
            19 => Self::ClientIdArray,
            23 => Self::ScopeArray,
            29 => Self::Auth0ClientArray,
            31 => Self::ErrorObject,
            37 => Self::TypedUserName,
            41 => Self::EmptyLocation,
            43 => Self::StreamKeys,
            47 => Self::NoDetails,
            53 => Self::NoDescription,
            _ => Self::None,
        }
    }

    /// The type that shows the oddity best.
    pub(super) fn kind(self) -> Option<&'static Kind> {
        match self {
            Self::UnknownType => Some(&UNKNOWN),
            Self::ClientIdArray => Some(named("feacft")),
            Self::ScopeArray => Some(named("seacft")),
            Self::Auth0ClientArray | Self::EmptyLocation => Some(named("s")),
            Self::ErrorObject => Some(named("f")),
            Self::TypedUserName => Some(named("fu")),
            _ => None,
        }
    }
}
