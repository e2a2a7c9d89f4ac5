//! Root fields that ask Auth0, a row each.

use async_graphql::ID;

use super::filter::{self, Filter, LOG_FILTER, USER_FILTER};
use super::input::{Argument, LogOrder, UserOrder, log_direction, read, user_sort};
use super::log::{LOG, LOG_BATCH, LOG_PAGE};
use super::object::Shape;
use super::user::{USER, USER_PAGE};
use crate::auth::Scope;
use crate::auth0::{ApiRequest, Condition, Email, LONGEST_Q, LogCheckpoint, LogId, LogSearch, UserId, UserSearch};
use crate::graphql::error::{ErrorCode, GraphqlError};
use crate::graphql::field_request::{FieldRequest, GeneratedSearch, PageArgs, Prepare};
use crate::graphql::operation::{Arguments, Value};
use crate::graphql::search_query::SearchQuery;

/// A root field: what is asked of Auth0 with which arguments, and what comes of it.
pub(crate) struct RootField {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) access: Access,
    pub(crate) shape: Shape,
    pub(crate) arguments: &'static [Argument],
    /// The request that it makes with these arguments, which fit their types; refused where they are out of bounds.
    pub(crate) parse: fn(&Arguments) -> Result<FieldRequest, GraphqlError>,
}

/// The conditions for an answer.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    /// The caller and the gateway hold this scope, or Auth0 takes another that the gateway holds for it.
    Of(Scope),
    /// The caller and the gateway hold this scope and no other.
    Strict(Scope),
    /// The caller is a user. What else depends on settings.
    Own,
}

impl Access {
    pub(super) fn scope(self) -> Option<Scope> {
        match self {
            Self::Of(scope) | Self::Strict(scope) => Some(scope),
            Self::Own => None,
        }
    }
}

/// The root field of this name, if it is one that asks Auth0.
pub(crate) fn root_field(name: &str) -> Option<&'static RootField> {
    ROOT_FIELDS.iter().find(|field| field.name == name)
}

/// The root fields that ask Auth0. Each says itself what its arguments ask for.
pub(super) static ROOT_FIELDS: &[RootField] = &[
    RootField {
        name: "users",
        description: "Searches users. Auth0's search lags some seconds behind the users themselves, and reaches 1,000 of them.",
        access: Access::Of(Scope::ReadUsers),
        shape: Shape::Page(&USER_PAGE),
        arguments: &[
            Argument::new::<Option<String>>(
                "q",
                "What to search for, in Auth0's Lucene syntax: <https://auth0.com/docs/manage-users/user-search/user-search-query-syntax>. All users when absent or blank. A field that needs a scope needs it here too, and so does a term without a field, which is looked for in `app_metadata` as well.",
            ),
            Filter::argument(|registry| USER_FILTER.register(registry)),
            Argument::new::<i32>("page", "Which page, counted from 0.").or("0"),
            Argument::new::<i32>("perPage", "How many users a page holds, 1 to 100.").or("50"),
            Argument::new::<Option<UserOrder>>("sort", "The order. Auth0's own, which is not documented, when absent."),
        ],
        parse: |arguments| {
            let (page, per_page): (i32, i32) = (read(arguments, "page")?, read(arguments, "perPage")?);
            let (q, generated) = search(arguments, &USER_FILTER)?;
            let search = UserSearch::new(q.as_deref(), page.into(), per_page.into(), user_sort(arguments))?;
            let asked = PageArgs::of(page, per_page, search.next_is_reachable());
            let request =
                FieldRequest::shared(asked, move |fields, total| ApiRequest::users(&search, fields, total).into());
            Ok(FieldRequest { generated, ..request })
        },
    },
    RootField {
        name: "user",
        description: "The user with this id, as they are now; null if there is none.",
        access: Access::Of(Scope::ReadUsers),
        shape: Shape::Record(&USER),
        arguments: &[Argument::new::<ID>("id", "The user's id, such as `auth0|…`.")],
        parse: |arguments| {
            let id = UserId::parse(&read::<ID>(arguments, "id")?)?;
            Ok(FieldRequest::shared(PageArgs::default(), move |fields, _| ApiRequest::user(&id, fields).into()))
        },
    },
    RootField {
        name: "me",
        description: "The user whom your access token is for, as they are now; null if there is none any more. Needs the scope `read:users`, unless the gateway\nlets callers read their own user without it: see `selfAccess` of `gateway`. Other fields need their scopes all the same.",
        access: Access::Own,
        shape: Shape::Record(&USER),
        arguments: &[],
        parse: |_| {
            Ok(FieldRequest { page: PageArgs::default(), generated: None, prepare: Prepare::OwnUser(ApiRequest::user) })
        },
    },
    RootField {
        name: "usersByEmail",
        description: "The users with this e-mail address, as they are now: several, if they came through several connections.",
        access: Access::Strict(Scope::ReadUsers),
        shape: Shape::List(&USER),
        arguments: &[Argument::new::<String>(
            "email",
            "The address. Auth0 compares it case-sensitively, and lower-cases the addresses of database users only.",
        )],
        parse: |arguments| {
            let email = Email::parse(&read::<String>(arguments, "email")?)?;
            Ok(FieldRequest::shared(PageArgs::default(), move |fields, _| {
                ApiRequest::users_by_email(&email, fields).into()
            }))
        },
    },
    RootField {
        name: "logs",
        description: "Reads logs. Without `from`: the newest, newest first. With it: those that follow that log, oldest first, as far as\nthe tenant keeps them.",
        access: Access::Of(Scope::ReadLogs),
        shape: Shape::Page(&LOG_BATCH),
        arguments: &[
            Argument::new::<Option<ID>>(
                "from",
                "The id of a log, which is not part of the answer: the `next` of a batch before.",
            ),
            Argument::new::<i32>("take", "How many logs at the most, 1 to 100.").or("50"),
        ],
        parse: |arguments| {
            let take: i32 = read(arguments, "take")?;
            let Some(ID(from)) = read(arguments, "from")? else {
                let search = LogSearch::newest(take.into())?;
                return Ok(FieldRequest::shared(PageArgs::default(), move |fields, _| {
                    ApiRequest::search_logs(&search, fields).into()
                }));
            };
            let checkpoint = LogCheckpoint::new(&from, take.into())?;
            Ok(FieldRequest::shared(PageArgs::from(from), move |_, _| ApiRequest::logs_after(&checkpoint).into()))
        },
    },
    RootField {
        name: "log",
        description: "The log with this id; null if there is none, or no longer.",
        access: Access::Of(Scope::ReadLogs),
        shape: Shape::Record(&LOG),
        arguments: &[Argument::new::<ID>("id", "The log's id.")],
        parse: |arguments| {
            let id = LogId::parse(&read::<ID>(arguments, "id")?)?;
            Ok(FieldRequest::shared(PageArgs::default(), move |_, _| ApiRequest::log(&id).into()))
        },
    },
    RootField {
        name: "searchLogs",
        description: "Searches logs. Auth0's search reaches 1,000 of them; `logs` with `from` reaches all.",
        access: Access::Of(Scope::ReadLogs),
        shape: Shape::Page(&LOG_PAGE),
        arguments: &[
            Argument::new::<Option<String>>(
                "q",
                "What to search for, in Auth0's Lucene syntax for logs: <https://auth0.com/docs/deploy-monitor/logs/log-search-query-syntax>. All logs when absent or blank.",
            ),
            Filter::argument(|registry| LOG_FILTER.register(registry)),
            Argument::new::<i32>("page", "Which page, counted from 0.").or("0"),
            Argument::new::<i32>("perPage", "How many logs a page holds, 1 to 100.").or("50"),
            Argument::new::<Option<LogOrder>>("sort", "The order; newest first when absent."),
        ],
        parse: |arguments| {
            let (page, per_page): (i32, i32) = (read(arguments, "page")?, read(arguments, "perPage")?);
            let (q, generated) = search(arguments, &LOG_FILTER)?;
            let search = LogSearch::new(q.as_deref(), page.into(), per_page.into(), log_direction(arguments))?;
            let asked = PageArgs::of(page, per_page, search.next_is_reachable());
            let request = FieldRequest::shared(asked, move |fields, _| ApiRequest::search_logs(&search, fields).into());
            Ok(FieldRequest { generated, ..request })
        },
    },
];

/// The search that `q` and `filter` come to together.
fn search(arguments: &Arguments, filter: &Filter) -> Result<(Option<String>, Option<GeneratedSearch>), GraphqlError> {
    let q: Option<String> = read(arguments, "q")?;
    let given = arguments.get("filter").filter(|given| **given != Value::Null);
    let Some(given) = given else { return Ok((q, None)) };
    let condition = filter::read(filter, given)?;
    let paths = condition.paths().into_iter().map(ToOwned::to_owned).collect();
    let condition = match q.filter(|q| !q.trim().is_empty()) {
        None => condition,
        // What is not read to its end could close the parentheses that are put around it.
        Some(q) if SearchQuery::read(&q).is_none() => {
            let message = "Beside `filter`, `q` has to be simple: `field:value` with AND, OR, NOT and parentheses, no blank after the colon; a \
                           value is a word, a \"phrase\" or a range such as `[1 TO 5]`.";
            return Err(GraphqlError::new(ErrorCode::BadUserInput, message).with("argument", "q"));
        }
        Some(q) => Condition::All(vec![Condition::Query(q), condition]),
    };
    let q = condition.to_query(filter.searched);
    if q.len() > LONGEST_Q {
        let message =
            format!("`filter` is too long: it makes a search of {} bytes, and {LONGEST_Q} are the most.", q.len());
        return Err(GraphqlError::new(ErrorCode::BadUserInput, message).with("argument", "filter"));
    }
    Ok((Some(q.clone()), Some(GeneratedSearch { q, paths })))
}
