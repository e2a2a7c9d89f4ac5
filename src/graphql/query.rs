//! The root of the schema: check the arguments, authorize, call, project.

use async_graphql::{Context, Enum, ID, InputObject, Object};

use super::error::Failure;
use super::gateway::Gateway;
use super::log::{LOG, LOG_BATCH, LOG_PAGE, LogBatchShape, LogPageShape, LogShape};
use super::object::Projected;
use super::permission::{Upstream, authorize, authorize_by_email, authorize_self};
use super::project::PageFacts;
use super::requires_scope::requires_scope;
use super::root::{Root, Session};
use super::user::{USER, USER_PAGE, UserListShape, UserPageShape, UserShape};
use crate::auth::Scope;
use crate::auth0::{Direction, Email, LogCheckpoint, LogId, LogSearch, UserId, UserSearch, UserSort};

/// The root of the schema.
pub(crate) struct Query;

type Answer<S> = Option<Result<Projected<S>, Failure>>;

/// Reads users and logs of an Auth0 tenant. There are no mutations: the gateway is made so that it cannot change anything.
#[Object]
impl Query {
    /// Searches users. Auth0's search lags some seconds behind the users themselves, and reaches 1,000 of them.
    /// Needs the scope `read:users`.
    #[graphql(directive = requires_scope::apply(Scope::ReadUsers.to_string()))]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "What to search for, in Auth0's Lucene syntax: <https://auth0.com/docs/manage-users/user-search/user-search-query-syntax>. All users when absent or blank. A field that needs a scope needs it here too, and so does a term without a field, which is looked for in `app_metadata` as well."
        )]
        q: Option<String>,
        #[graphql(default = 0, desc = "Which page, counted from 0.")] page: i32,
        #[graphql(default = 50, desc = "How many users a page holds, 1 to 100.")] per_page: i32,
        #[graphql(desc = "The order. Auth0's own, which is not documented, when absent.")] sort: Option<UserOrder>,
    ) -> Answer<UserPageShape> {
        let answer = async {
            let api = authorize(ctx, Scope::ReadUsers)?;
            let search = &UserSearch::new(
                q.as_deref(),
                page.into(),
                per_page.into(),
                sort.map(|order| (order.field.into(), order.direction.into())),
            )?;
            let facts = PageFacts {
                page: count(page),
                per_page: count(per_page),
                is_last_reachable: !search.next_is_reachable(),
                ..Default::default()
            };
            Root::new(ctx)?
                .page(&USER_PAGE, facts, |needs, errand| async move {
                    api.users(search, &needs.fields(&USER), needs.total, &errand).await
                })
                .await
        };
        Some(answer.await)
    }

    /// The user with this id, as they are now; null if there is none.
    /// Needs the scope `read:users`.
    #[graphql(directive = requires_scope::apply(Scope::ReadUsers.to_string()))]
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user's id, such as `auth0|…`.")] id: ID,
    ) -> Answer<UserShape> {
        let answer = async {
            let api = authorize(ctx, Scope::ReadUsers)?;
            let id = &UserId::parse(&id)?;
            Root::new(ctx)?
                .record(&USER, |needs, errand| async move { api.user(id, &needs.fields(&USER), &errand).await })
                .await
        };
        answer.await.transpose()
    }

    /// The user whom your access token is for, as they are now; null if there is none any more. Needs the scope `read:users`, unless the gateway
    /// lets callers read their own user without it: see `selfAccess` of `gateway`. Other fields need their scopes all the same.
    async fn me(&self, ctx: &Context<'_>) -> Answer<UserShape> {
        let answer = async {
            let user = &authorize_self(ctx)?;
            Root::new(ctx)?
                .record(&USER, |needs, errand| async move { user.read(&needs.fields(&USER), &errand).await })
                .await
        };
        answer.await.transpose()
    }

    /// The users with this e-mail address, as they are now: several, if they came through several connections.
    /// Needs the scope `read:users`.
    #[graphql(directive = requires_scope::apply(Scope::ReadUsers.to_string()))]
    async fn users_by_email(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The address. Auth0 compares it case-sensitively, and lower-cases the addresses of database users only."
        )]
        email: String,
    ) -> Answer<UserListShape> {
        let answer = async {
            let api = authorize_by_email(ctx)?;
            let email = &Email::parse(&email)?;
            Root::new(ctx)?
                .list(
                    &USER,
                    |needs, errand| async move { api.users_by_email(email, &needs.fields(&USER), &errand).await },
                )
                .await
        };
        Some(answer.await)
    }

    /// Reads logs. Without `from`: the newest, newest first. With it: those that follow that log, oldest first, as far as
    /// the tenant keeps them.
    /// Needs the scope `read:logs`.
    #[graphql(directive = requires_scope::apply(Scope::ReadLogs.to_string()))]
    async fn logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of a log, which is not part of the answer: the `next` of a batch before.")]
        from: Option<ID>,
        #[graphql(default = 50, desc = "How many logs at the most, 1 to 100.")] take: i32,
    ) -> Answer<LogBatchShape> {
        let answer = async {
            let api = authorize(ctx, Scope::ReadLogs)?;
            let root = Root::new(ctx)?;
            match from {
                Some(from) => {
                    let checkpoint = &LogCheckpoint::new(&from, take.into())?;
                    let facts = PageFacts { from: Some(&from), ..Default::default() };
                    root.page(&LOG_BATCH, facts, |_, errand| async move { api.logs_after(checkpoint, &errand).await })
                        .await
                }
                None => {
                    let newest = &LogSearch::newest(take.into())?;
                    root.page(&LOG_BATCH, PageFacts::default(), |needs, errand| async move {
                        api.search_logs(newest, &needs.fields(&LOG), &errand).await
                    })
                    .await
                }
            }
        };
        Some(answer.await)
    }

    /// The log with this id; null if there is none, or no longer.
    /// Needs the scope `read:logs`.
    #[graphql(directive = requires_scope::apply(Scope::ReadLogs.to_string()))]
    async fn log(&self, ctx: &Context<'_>, #[graphql(desc = "The log's id.")] id: ID) -> Answer<LogShape> {
        let answer = async {
            let api = authorize(ctx, Scope::ReadLogs)?;
            let id = &LogId::parse(&id)?;
            Root::new(ctx)?.record(&LOG, |_, errand| async move { api.log(id, &errand).await }).await
        };
        answer.await.transpose()
    }

    /// Searches logs. Auth0's search reaches 1,000 of them; `logs` with `from` reaches all.
    /// Needs the scope `read:logs`.
    #[graphql(directive = requires_scope::apply(Scope::ReadLogs.to_string()))]
    async fn search_logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "What to search for, in Auth0's Lucene syntax for logs: <https://auth0.com/docs/deploy-monitor/logs/log-search-query-syntax>. All logs when absent or blank."
        )]
        q: Option<String>,
        #[graphql(default = 0, desc = "Which page, counted from 0.")] page: i32,
        #[graphql(default = 50, desc = "How many logs a page holds, 1 to 100.")] per_page: i32,
        #[graphql(desc = "The order; newest first when absent.")] sort: Option<LogOrder>,
    ) -> Answer<LogPageShape> {
        let answer = async {
            let api = authorize(ctx, Scope::ReadLogs)?;
            let direction =
                sort.map_or(SortDirection::Desc, |LogOrder { field: LogOrderField::Date, direction }| direction);
            let search = &LogSearch::new(q.as_deref(), page.into(), per_page.into(), direction.into())?;
            let facts = PageFacts {
                page: count(page),
                per_page: count(per_page),
                is_last_reachable: !search.next_is_reachable(),
                ..Default::default()
            };
            Root::new(ctx)?
                .page(&LOG_PAGE, facts, |needs, errand| async move {
                    api.search_logs(search, &needs.fields(&LOG), &errand).await
                })
                .await
        };
        Some(answer.await)
    }

    /// The gateway itself. Asks nothing of Auth0.
    async fn gateway(&self, ctx: &Context<'_>) -> Result<Gateway, Failure> {
        Ok(Gateway::new(&Session::of(ctx)?.caller, Upstream::of(ctx)?))
    }
}

/// In which order users come.
#[derive(InputObject)]
#[graphql(name = "UserSort")]
struct UserOrder {
    /// What they are ordered by.
    field: UserOrderField,
    /// Which way.
    #[graphql(default_with = "SortDirection::Asc")]
    direction: SortDirection,
}

/// What users can be ordered by.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "UserSortField", remote = "UserSort")]
enum UserOrderField {
    /// When they were created.
    CreatedAt,
    /// When their profile last changed.
    UpdatedAt,
    /// When they last logged in.
    LastLogin,
    /// How often they have logged in.
    LoginsCount,
    /// Their e-mail address.
    Email,
    /// Their full name.
    Name,
    /// Their id.
    UserId,
    /// Their user name.
    Username,
    /// Their given name.
    GivenName,
    /// Their family name.
    FamilyName,
    /// Their nickname.
    Nickname,
}

/// In which order logs come.
#[derive(InputObject)]
#[graphql(name = "LogSort")]
struct LogOrder {
    /// What they are ordered by.
    #[graphql(default_with = "LogOrderField::Date")]
    field: LogOrderField,
    /// Which way.
    #[graphql(default_with = "SortDirection::Desc")]
    direction: SortDirection,
}

/// What logs can be ordered by.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "LogSortField")]
enum LogOrderField {
    /// When it happened.
    Date,
}

/// Which way to order.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum SortDirection {
    /// Ascending: the least first.
    Asc,
    /// Descending: the greatest first.
    Desc,
}

impl From<SortDirection> for Direction {
    fn from(direction: SortDirection) -> Self {
        match direction {
            SortDirection::Asc => Self::Ascending,
            SortDirection::Desc => Self::Descending,
        }
    }
}

/// For numbers that were found to be in range.
fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or_default()
}
