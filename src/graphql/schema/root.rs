//! Root fields that ask Auth0, a row each.

use async_graphql::ID;

use super::connection::{LOG_CONNECTION, USER_CONNECTION};
use super::filter::{self, Filter, LOG_FILTER, LOG_TAIL_FILTER, USER_FILTER};
use super::input::{Argument, LogOrder, SortDirection, UserOrder, log_direction, read, user_sort};
use super::log::{LOG, LOG_BATCH, LOG_PAGE};
use super::object::Shape;
use super::user::{USER, USER_PAGE};
use crate::auth::Scope;
use crate::auth0::{
    ApiRequest, ArgumentError, ArgumentProblem, Condition, Direction, Email, Keyset, LONGEST_Q, LogCheckpoint, LogId,
    LogSearch, UserId, UserSearch, endpoints,
};
use crate::graphql::error::{ErrorCode, GraphqlError};
use crate::graphql::field_request::{
    ConnectionRequest, FieldRequest, FieldRequestKind, GeneratedSearch, PageArgs, TailRequest,
};
use crate::graphql::operation::{Arguments, LARGEST_FIRST, SelectedField, Value};
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

/// The row of a root field, if it is one that asks Auth0.
pub(crate) fn root_field(field: &SelectedField) -> Option<&'static RootField> {
    let rows = if field.parent == SUBSCRIPTION { SUBSCRIPTION_FIELDS } else { ROOT_FIELDS };
    rows.iter().find(|row| field.name == row.name)
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
                "What to search for, in Auth0's Lucene syntax: <https://auth0.com/docs/manage-users/user-search/user-search-query-syntax>. All users when absent or blank. A field that needs a scope needs it here too, and so does a term without a field, which is looked for in `app_metadata` and `organization_id` as well.",
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
            let request = FieldRequest::shared(asked, move |fields, total| {
                ApiRequest::list(&endpoints::USERS, &search.clone().with_total(total), fields).into()
            });
            Ok(FieldRequest { generated, ..request })
        },
    },
    RootField {
        name: "usersConnection",
        description: "Walks all users that a search finds, however many they are, in the order of their creation. Nobody who is there all the time is left \
                      out or comes twice, whoever is created, changed or deleted meanwhile. Users of the last minute come later: Auth0's search lags \
                      behind. Those whose profile has no date of creation cannot be walked.",
        access: Access::Of(Scope::ReadUsers),
        shape: Shape::Connection(&USER_CONNECTION),
        arguments: &[
            FIRST,
            AFTER,
            Argument::new::<Option<String>>(
                "q",
                "What to search for, as for `users`, but simple: `field:value` with AND, OR, NOT and parentheses.",
            ),
            Filter::argument(|registry| USER_FILTER.register(registry)),
            Argument::new::<SortDirection>("direction", "Which way: the oldest first, or the newest.").or("ASC"),
        ],
        parse: |arguments| {
            let direction = match arguments.get("direction") {
                Some(Value::Enum(name)) if name == "DESC" => Direction::Descending,
                _ => Direction::Ascending,
            };
            connection(arguments, &USER_FILTER, |condition| Keyset::users(condition, direction))
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
            Ok(FieldRequest::record(&endpoints::USER, id))
        },
    },
    RootField {
        name: "me",
        description: "The user whom your access token is for, as they are now; null if there is none any more. Needs the scope `read:users`, unless the gateway\nlets callers read their own user without it: see `selfAccess` of `gateway`. Other fields need their scopes all the same.",
        access: Access::Own,
        shape: Shape::Record(&USER),
        arguments: &[],
        parse: |_| {
            Ok(FieldRequest {
                page: PageArgs::default(),
                generated: None,
                kind: FieldRequestKind::OwnUser(&endpoints::USER),
            })
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
            Ok(FieldRequest::list(&endpoints::USERS_BY_EMAIL, PageArgs::default(), email))
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
                return Ok(FieldRequest::list(&endpoints::LOG_SEARCH, PageArgs::default(), search));
            };
            let checkpoint = LogCheckpoint::new(&from, take.into())?;
            Ok(FieldRequest::list(&endpoints::LOG_STREAM, PageArgs::from(from), checkpoint))
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
            Ok(FieldRequest::record(&endpoints::LOG, id))
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
            Ok(FieldRequest { generated, ..FieldRequest::list(&endpoints::LOG_SEARCH, asked, search) })
        },
    },
    RootField {
        name: "logsConnection",
        description: "Walks all logs that a search finds, newest first, as far back as the tenant keeps them. To read on from the oldest, or to \
                      follow what comes in, there is `logs` with `from`.",
        access: Access::Of(Scope::ReadLogs),
        shape: Shape::Connection(&LOG_CONNECTION),
        arguments: &[
            FIRST,
            AFTER,
            Argument::new::<Option<String>>(
                "q",
                "What to search for, as for `searchLogs`, but simple: `field:value` with AND, OR, NOT and parentheses.",
            ),
            Filter::argument(|registry| LOG_FILTER.register(registry)),
        ],
        parse: |arguments| connection(arguments, &LOG_FILTER, Keyset::logs),
    },
];

/// The name of the root of subscriptions.
pub(super) const SUBSCRIPTION: &str = "Subscription";

/// The root fields of subscriptions.
pub(super) static SUBSCRIPTION_FIELDS: &[RootField] = &[RootField {
    name: "logs",
    description: "The tenant's logs as they come, each once, in the order of their ids. Auth0 shows a log some seconds after what it tells of. One that\nbecomes visible behind others comes out of order, and its response has `extensions.late`.",
    access: Access::Of(Scope::ReadLogs),
    shape: Shape::Record(&LOG),
    arguments: &[
        Argument::new::<Option<ID>>(
            "from",
            "The id of a log: those that follow it come first, as far as the tenant keeps them. From now on when absent. Whoever \
             resumes gives the greatest id that came.",
        ),
        Filter::tail_argument(|registry| LOG_TAIL_FILTER.register(registry)),
    ],
    parse: |arguments| {
        let from: Option<ID> = read(arguments, "from")?;
        let from = from.map(|from| LogId::parse_position("from", &from)).transpose()?;
        let given = arguments.get("filter").filter(|given| **given != Value::Null);
        let condition = given.map(|given| filter::read(&LOG_TAIL_FILTER, given)).transpose()?;
        let kind = FieldRequestKind::Tail(TailRequest { from, condition });
        Ok(FieldRequest { page: PageArgs::default(), generated: None, kind })
    },
}];

const FIRST: Argument = Argument::new::<i32>(
    "first",
    "How many at the most, 1 to 500. A page takes a call to Auth0 for each hundred, and is shorter where the operation has no more \
     calls left, or where the last few would take one more: `hasNextPage` tells whether there are more.",
)
.or("50");

const AFTER: Argument = Argument::new::<Option<String>>(
    "after",
    "Where to go on: the `endCursor` of a page before, or any `cursor`, with the same `q`, `filter` and `direction`. From the first when absent.",
);

/// A page of a connection, as its arguments have it.
fn connection(
    arguments: &Arguments,
    filter: &Filter,
    keyset: impl Fn(Option<Condition>) -> Result<Keyset, ArgumentError>,
) -> Result<FieldRequest, GraphqlError> {
    let first: i32 = read(arguments, "first")?;
    let in_range = usize::try_from(first).ok().filter(|first| (1..=LARGEST_FIRST).contains(&(*first as u64)));
    let first = in_range.ok_or_else(|| {
        let message = format!("`first` must be from 1 to {LARGEST_FIRST}, but is {first}");
        GraphqlError::new(ErrorCode::BadUserInput, message).with("argument", "first")
    })?;
    let condition = condition(arguments, filter)?;
    let generated = condition.as_ref().map(|condition| generated(condition, filter));
    let keyset = keyset(condition).map_err(|invalid| match (&generated, &invalid.problem) {
        (Some(generated), ArgumentProblem::TooLong { most }) if given_filter(arguments).is_some() => {
            too_long(generated.q.len(), *most)
        }
        _ => invalid.into(),
    })?;
    let after: Option<String> = read(arguments, "after")?;
    let from = match after {
        None => keyset.start(),
        Some(cursor) => keyset.position(&cursor)?,
    };
    let kind = FieldRequestKind::Connection(ConnectionRequest { keyset, from, first });
    Ok(FieldRequest { page: PageArgs::default(), generated, kind })
}

/// The search that `q` and `filter` come to together. A `q` that stands alone is Auth0's to read.
fn search(arguments: &Arguments, filter: &Filter) -> Result<(Option<String>, Option<GeneratedSearch>), GraphqlError> {
    if given_filter(arguments).is_none() {
        return Ok((read(arguments, "q")?, None));
    }
    let Some(generated) = condition(arguments, filter)?.map(|condition| generated(&condition, filter)) else {
        return Ok((None, None));
    };
    if generated.q.len() > LONGEST_Q {
        return Err(too_long(generated.q.len(), LONGEST_Q));
    }
    Ok((Some(generated.q.clone()), Some(generated)))
}

/// The condition that `q` and `filter` come to together, to stand beside others.
fn condition(arguments: &Arguments, filter: &Filter) -> Result<Option<Condition>, GraphqlError> {
    condition_of(read(arguments, "q")?, given_filter(arguments), filter)
}

/// The same, of values that are no arguments.
pub(crate) fn condition_of(
    q: Option<String>,
    given: Option<&Value>,
    filter: &Filter,
) -> Result<Option<Condition>, GraphqlError> {
    let q = match q.filter(|q| !q.trim().is_empty()) {
        // A query that is not read to its end could close the parentheses that are put around it.
        Some(q) if SearchQuery::read(&q).is_none() => {
            let message = "Beside `filter`, and in a connection, `q` has to be simple: `field:value` with AND, OR, NOT and parentheses, no blank \
                           after the colon; a value is a word, a \"phrase\" or a range such as `[1 TO 5]`.";
            return Err(GraphqlError::new(ErrorCode::BadUserInput, message).with("argument", "q"));
        }
        q => q.map(Condition::Query),
    };
    let filter = given.map(|given| filter::read(filter, given)).transpose()?;
    Ok(match (q, filter) {
        (Some(q), Some(filter)) => Some(Condition::All(vec![q, filter])),
        (q, filter) => q.or(filter),
    })
}

fn given_filter(arguments: &Arguments) -> Option<&Value> {
    arguments.get("filter").filter(|given| **given != Value::Null)
}

fn generated(condition: &Condition, filter: &Filter) -> GeneratedSearch {
    let paths = condition.paths().into_iter().map(ToOwned::to_owned).collect();
    GeneratedSearch { q: condition.to_query(filter.searched), paths }
}

fn too_long(len: usize, most: usize) -> GraphqlError {
    let message = format!("`filter` is too long: it makes a search of {len} bytes, and {most} are the most.");
    GraphqlError::new(ErrorCode::BadUserInput, message).with("argument", "filter")
}
