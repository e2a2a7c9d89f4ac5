//! Joins: fields that stand for records of another endpoint, a row each.

use super::input::{Argument, LogOrder, log_direction, read};
use super::log::{LOG, LOG_PAGE};
use super::object::{Object, Shape};
use super::user::USER;
use super::user_lists::{
    AUTHENTICATION_METHODS, BLOCKS, ENROLLMENTS, ORGANIZATIONS, PERMISSIONS, REFRESH_TOKENS, ROLES, SESSIONS,
};
use crate::auth::Scope;
use crate::auth0::endpoints::{self, Endpoint, ListOfUser};
use crate::auth0::{ApiRequest, Direction, Fields, ListPart, LogId, LogSearch, UserId, UserLogs, UserSearch};
use crate::graphql::error::{ErrorCode, GraphqlError};
use crate::graphql::field_request::{AnyApiRequest, JoinRequest, PageArgs};
use crate::graphql::operation::Arguments;

/// A field that joins records of another endpoint to those that it stands in.
pub(crate) struct Join {
    pub(crate) parent: &'static Object,
    /// The keys of the parent's record under which the value stands that the join goes by, the preferred one first.
    pub(crate) keys: &'static [&'static str],
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    /// The scopes that a caller must hold, every one.
    pub(crate) scopes: &'static [Scope],
    pub(crate) arguments: &'static [Argument],
    pub(crate) shape: Shape,
    pub(crate) fetch: Fetch,
}

/// The way to joined records.
pub(crate) enum Fetch {
    /// Records by their ids, many at once.
    ByIds(ByIds),
    /// One call for each parent, as the join's arguments say.
    PerParent(fn(&Arguments) -> Result<JoinRequest, GraphqlError>),
}

/// Records that a search finds by their ids.
pub(crate) struct ByIds {
    /// The endpoint of the search.
    pub(crate) endpoint: &'static Endpoint,
    /// The most ids of one search.
    pub(crate) batch: usize,
    /// The ids' field in Auth0's search.
    pub(crate) key: &'static str,
    /// The search for this, in Auth0's Lucene syntax.
    pub(crate) search: fn(&str, &Fields) -> Result<AnyApiRequest, GraphqlError>,
    /// True if there can be a record of the id that stands under a key. An error where there can be one, and it cannot be asked for.
    pub(crate) check: fn(&'static str, &str) -> Result<bool, GraphqlError>,
    /// The read of one of them, which knows what the search does not know yet.
    pub(crate) single: fn(&str, &Fields) -> Result<AnyApiRequest, GraphqlError>,
}

/// The join of this name in records of `parent`.
pub(crate) fn join(parent: &Object, name: &str) -> Option<&'static Join> {
    joins_of(parent).find(|join| join.name == name)
}

/// The joins in records of `parent`.
pub(crate) fn joins_of(parent: &Object) -> impl Iterator<Item = &'static Join> {
    JOINS.iter().filter(move |join| std::ptr::eq(join.parent, parent))
}

/// The parent of the joins by which a federation gateway finds records: a representation, of which nothing is known but its key.
pub(crate) static ENTITY: Object =
    Object { name: "_Entity", description: "A record that is named by its key.", fields: &[] };

/// The most users that one search looks up.
const USERS_AT_ONCE: usize = 50;

/// The most logs that one search looks up, by ids of 56 digits.
const LOGS_AT_ONCE: usize = 40;

const PAGED: &[Argument] = &[
    Argument::new::<i32>("page", "Which page, counted from 0.").or("0"),
    Argument::new::<i32>("perPage", "How many records a page holds, 1 to 100.").or("50"),
];

const CHECKPOINTED: &[Argument] = &[
    Argument::new::<Option<String>>(
        "from",
        "Where to read on: the `next` of an answer before. From the first when absent.",
    ),
    Argument::new::<i32>("take", "How many records at the most, 1 to 100.").or("50"),
];

static JOINS: &[Join] = &[
    Join {
        parent: &LOG,
        keys: &["user_id"],
        name: "user",
        description: "The user, as Auth0's search has them, which lags some seconds behind the user themselves; null if the log names \
             none, or one that is gone. All users of an answer are looked up together.",
        scopes: &[Scope::ReadUsers],
        arguments: &[],
        shape: Shape::Record(&USER),
        // After a failed login the id is whatever the request said: without a bar it is nobody's.
        fetch: Fetch::ByIds(users(|_, id| {
            Ok(id.contains('|') && UserId::parse(id).map_err(|_| no_id()).map(|_| true)?)
        })),
    },
    Join {
        parent: &ENTITY,
        keys: &["id", "userId"],
        name: USER.name,
        description: "The user, as Auth0's search has them.",
        scopes: &[Scope::ReadUsers],
        arguments: &[],
        shape: Shape::Record(&USER),
        fetch: Fetch::ByIds(users(|key, id| Ok(UserId::parse_argument(key, id).map(|_| id.contains('|'))?))),
    },
    Join {
        parent: &ENTITY,
        keys: &["logId", "id"],
        name: LOG.name,
        description: "The log, as Auth0's search has it.",
        scopes: &[Scope::ReadLogs],
        arguments: &[],
        shape: Shape::Record(&LOG),
        fetch: Fetch::ByIds(ByIds {
            endpoint: &endpoints::LOG_SEARCH.endpoint,
            batch: LOGS_AT_ONCE,
            key: "log_id",
            search: |q, fields| {
                let search = LogSearch::new(Some(q), 0, LOGS_AT_ONCE as i64, Direction::Descending)?;
                Ok(ApiRequest::list(&endpoints::LOG_SEARCH, &search, fields).into())
            },
            check: |key, id| {
                Ok(LogId::parse_argument(key, id).map(|_| id.bytes().all(|byte| byte.is_ascii_alphanumeric()))?)
            },
            single: |id, fields| Ok(ApiRequest::record(&endpoints::LOG, &LogId::parse(id)?, fields).into()),
        }),
    },
    Join {
        parent: &USER,
        keys: &["user_id"],
        name: "logs",
        description: "What the user did and what was done to them, newest first when `sort` is absent. It is one more call to Auth0 for \
             each user: ask for few users at once.",
        scopes: &[Scope::ReadLogs],
        arguments: &[
            Argument::new::<i32>("page", "Which page, counted from 0.").or("0"),
            Argument::new::<i32>("perPage", "How many logs a page holds, 1 to 100.").or("50"),
            Argument::new::<Option<LogOrder>>("sort", "The order; newest first when absent."),
        ],
        shape: Shape::Page(&LOG_PAGE),
        fetch: Fetch::PerParent(|arguments| {
            let (page, per_page): (i32, i32) = (read(arguments, "page")?, read(arguments, "perPage")?);
            let logs = UserLogs::new(page.into(), per_page.into(), log_direction(arguments))?;
            Ok(JoinRequest::of_user(
                &endpoints::USER_LOGS,
                PageArgs::of(page, per_page, logs.next_is_reachable()),
                logs,
            ))
        }),
    },
    Join {
        parent: &USER,
        keys: &["user_id"],
        name: "roles",
        description: "The roles that the user was given. One more call to Auth0 for each user.",
        scopes: &[Scope::ReadUsers, Scope::ReadRoles, Scope::ReadRoleMembers],
        arguments: PAGED,
        shape: Shape::Page(&ROLES),
        fetch: Fetch::PerParent(|arguments| paged(&endpoints::USER_ROLES, arguments)),
    },
    Join {
        parent: &USER,
        keys: &["user_id"],
        name: "permissions",
        description: "What the user may do with APIs, by roles or directly. One more call to Auth0 for each user.",
        scopes: &[Scope::ReadUsers],
        arguments: PAGED,
        shape: Shape::Page(&PERMISSIONS),
        fetch: Fetch::PerParent(|arguments| paged(&endpoints::USER_PERMISSIONS, arguments)),
    },
    Join {
        parent: &USER,
        keys: &["user_id"],
        name: "organizations",
        description: "The organizations that the user is a member of. One more call to Auth0 for each user.",
        scopes: &[Scope::ReadOrganizations],
        arguments: PAGED,
        shape: Shape::Page(&ORGANIZATIONS),
        fetch: Fetch::PerParent(|arguments| paged(&endpoints::USER_ORGANIZATIONS, arguments)),
    },
    Join {
        parent: &USER,
        keys: &["user_id"],
        name: "authenticationMethods",
        description: "The ways in which the user can log in. One more call to Auth0 for each user.",
        scopes: &[Scope::ReadAuthenticationMethods],
        arguments: PAGED,
        shape: Shape::Page(&AUTHENTICATION_METHODS),
        fetch: Fetch::PerParent(|arguments| paged(&endpoints::USER_AUTHENTICATION_METHODS, arguments)),
    },
    Join {
        parent: &USER,
        keys: &["user_id"],
        name: "enrollments",
        description: "The user's enrollments in multi-factor authentication. Auth0 gives out the first that is confirmed. One more call for each user.",
        scopes: &[Scope::ReadUsers],
        arguments: &[],
        shape: Shape::Page(&ENROLLMENTS),
        fetch: Fetch::PerParent(|_| Ok(whole(&endpoints::USER_ENROLLMENTS))),
    },
    Join {
        parent: &USER,
        keys: &["user_id"],
        name: "sessions",
        description: "The user's sessions. One more call to Auth0 for each user.",
        scopes: &[Scope::ReadSessions],
        arguments: CHECKPOINTED,
        shape: Shape::Page(&SESSIONS),
        fetch: Fetch::PerParent(|arguments| checkpointed(&endpoints::USER_SESSIONS, arguments)),
    },
    Join {
        parent: &USER,
        keys: &["user_id"],
        name: "refreshTokens",
        description: "What is known about the user's refresh tokens. One more call to Auth0 for each user.",
        scopes: &[Scope::ReadRefreshTokens],
        arguments: CHECKPOINTED,
        shape: Shape::Page(&REFRESH_TOKENS),
        fetch: Fetch::PerParent(|arguments| checkpointed(&endpoints::USER_REFRESH_TOKENS, arguments)),
    },
    Join {
        parent: &USER,
        keys: &["user_id"],
        name: "blocks",
        description: "The blocks that failed logins have put on the user; `blocked` tells of those that an administrator has. One more call to Auth0 for each user.",
        scopes: &[Scope::ReadUsers],
        arguments: &[],
        shape: Shape::Page(&BLOCKS),
        fetch: Fetch::PerParent(|_| Ok(whole(&endpoints::USER_BLOCKS))),
    },
];

/// The way to users by their ids, of which `check` tells whether they can be somebody's.
const fn users(check: fn(&'static str, &str) -> Result<bool, GraphqlError>) -> ByIds {
    ByIds {
        endpoint: &endpoints::USERS.endpoint,
        batch: USERS_AT_ONCE,
        key: "user_id",
        search: |q, fields| {
            let search = UserSearch::new(Some(q), 0, USERS_AT_ONCE as i64, None)?;
            Ok(ApiRequest::list(&endpoints::USERS, &search, fields).into())
        },
        check,
        single: |id, fields| Ok(ApiRequest::record(&endpoints::USER, &UserId::parse(id)?, fields).into()),
    }
}

fn paged(endpoint: &'static ListOfUser<ListPart>, arguments: &Arguments) -> Result<JoinRequest, GraphqlError> {
    let (page, per_page): (i32, i32) = (read(arguments, "page")?, read(arguments, "perPage")?);
    let part = ListPart::page(page.into(), per_page.into())?;
    Ok(JoinRequest::of_user(endpoint, PageArgs::of(page, per_page, part.next_is_reachable()), part))
}

fn checkpointed(endpoint: &'static ListOfUser<ListPart>, arguments: &Arguments) -> Result<JoinRequest, GraphqlError> {
    let take: i32 = read(arguments, "take")?;
    Ok(JoinRequest::of_user(
        endpoint,
        PageArgs::default(),
        ListPart::checkpoint(read(arguments, "from")?, take.into())?,
    ))
}

fn whole(endpoint: &'static ListOfUser<ListPart>) -> JoinRequest {
    JoinRequest::of_user(endpoint, PageArgs::default(), ListPart::whole())
}

fn no_id() -> GraphqlError {
    let message =
        "The log names a user by an id that cannot be looked up: it is longer than any, or holds control characters.";
    GraphqlError::new(ErrorCode::BadUserInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plausible_users_are_sought() {
        let Some(Join { fetch: Fetch::ByIds(users), .. }) = join(&LOG, "user") else {
            unreachable!("logs find their users by ids")
        };
        for id in ["auth0|1", "sms|3", "email|john..doe@example.com", "auth0|../1"] {
            assert_eq!((users.check)("user_id", id), Ok(true), "{id}");
        }
        for id in ["", "admin", "me@clients"] {
            assert_eq!((users.check)("user_id", id), Ok(false), "{id}");
        }
        assert!((users.check)("user_id", "auth0|\n1").is_err());
    }
}
