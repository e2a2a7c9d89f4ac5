//! The filters there are. What can be searched, and how: <https://auth0.com/docs/manage-users/user-search/user-search-query-syntax>,
//! <https://auth0.com/docs/deploy-monitor/logs/log-search-query-syntax>.

use super::FilterKind::{AppMetadata, Count, Flag, IsZero, LogOutcome, Moment, Text, UserMetadata};
use super::{Filter, FilterField, FilterKind};
use crate::auth0::Searched;

const fn field(name: &'static str, path: &'static str, kind: FilterKind, description: &'static str) -> FilterField {
    FilterField { name, path, kind, description }
}

/// Conditions on users.
pub(crate) static USER_FILTER: Filter = Filter {
    name: "UserFilter",
    description: "Conditions on users, of which all must hold.",
    negation: "Not this, of the users who have a date of creation: others are not found.",
    searched: Searched::Users,
    fields: &[
        field("userId", "user_id", Text, "The id, such as `auth0|…`. Auth0 compares it by case."),
        field("email", "email", Text, "The e-mail address, whatever its case."),
        field("emailVerified", "email_verified", Flag, "Whether the address is verified."),
        field("phoneNumber", "phone_number", Text, "The phone number."),
        field("name", "name", Text, "The full name, whatever its case."),
        field("givenName", "given_name", Text, "The given name, whatever its case."),
        field("familyName", "family_name", Text, "The family name, whatever its case."),
        field("nickname", "nickname", Text, "The nickname, whatever its case."),
        field(
            "connection",
            "identities.connection",
            Text,
            "The connection of one of the identities. Auth0 compares it by case.",
        ),
        field(
            "provider",
            "identities.provider",
            Text,
            "The provider of one of the identities, such as `auth0` or `google-oauth2`.",
        ),
        field("organizationId", "organization_id", Text, "An organization that the user is a member of."),
        field("blocked", "blocked", Flag, "Whether an administrator blocked the user. Other blocks are not searched."),
        field("neverLoggedIn", "logins_count", IsZero, "Whether the user has never logged in."),
        field("loginsCount", "logins_count", Count, "How often the user has logged in."),
        field("lastLogin", "last_login", Moment, "When the user last logged in."),
        field("lastIp", "last_ip", Text, "The address from which the user last logged in."),
        field("createdAt", "created_at", Moment, "When the user was created."),
        field("updatedAt", "updated_at", Moment, "When the profile last changed."),
        field(
            "appMetadata",
            "app_metadata",
            AppMetadata,
            "A value in `appMetadata`. Needs the scope `read:users_app_metadata`.",
        ),
        field("userMetadata", "user_metadata", UserMetadata, "A value in `userMetadata`."),
    ],
};

/// Conditions on logs.
pub(crate) static LOG_FILTER: Filter = Filter {
    name: "LogFilter",
    description: "Conditions on logs, of which all must hold. Auth0 compares all of them by case.",
    negation: "Not this, of the logs that have a date: others are not found.",
    searched: Searched::Logs,
    fields: &[
        field("type", "type", Text, "The code of the type, such as `fp`."),
        field("outcome", "type", LogOutcome, "What the type says of the outcome."),
        field("date", "date", Moment, "When it happened."),
        field("userId", "user_id", Text, "The user's id."),
        field("userName", "user_name", Text, "The user's name, which as a rule is the e-mail address."),
        field("clientId", "client_id", Text, "The application's id."),
        field("connection", "connection", Text, "The connection's name."),
        field("ip", "ip", Text, "The client's address."),
        field("hostname", "hostname", Text, "The host that was asked."),
        field("strategy", "strategy", Text, "The connection's strategy, such as `auth0`."),
    ],
};

/// Conditions on logs as they come, of which the gateway judges by itself.
pub(crate) static LOG_TAIL_FILTER: Filter = Filter {
    name: "LogTailFilter",
    description: "Conditions on logs as they come, of which all must hold. All are compared by case, as Auth0 does.",
    negation: "Not this.",
    searched: Searched::Logs,
    fields: &[
        field("type", "type", Text, "The code of the type, such as `fp`."),
        field("outcome", "type", LogOutcome, "What the type says of the outcome."),
        field("userId", "user_id", Text, "The user's id."),
        field("clientId", "client_id", Text, "The application's id."),
        field("connection", "connection", Text, "The connection's name."),
        field("ip", "ip", Text, "The client's address."),
    ],
};
