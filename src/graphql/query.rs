//! The root of the schema: check the arguments, authorize, call, project.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::parser::types::Field as SelectedField;
use async_graphql::{Context, Enum, ID, InputObject, Name, Object, PathSegment, ServerError};
use bytes::Bytes;
use tokio::sync::OnceCell;

use super::error::{ErrorCode, Failure};
use super::gateway::Gateway;
use super::log::{LOG, LOG_BATCH, LOG_PAGE, LogBatchShape, LogPageShape, LogShape};
use super::object::{self, Projected};
use super::operation::fields;
use super::plan::{Forbidden, Needs, Planner};
use super::project::{self, PageFacts};
use super::user::{USER, USER_PAGE, UserListShape, UserPageShape, UserShape};
use super::{Upstream, authorize};
use crate::auth::{Caller, Scope};
use crate::auth0::{
    Deadline, Direction, Email, Error, Fields, LogCheckpoint, LogId, LogSearch, Page, UserId, UserSearch, UserSort,
};

/// What a resolver knows of the request that it is part of.
pub(crate) struct Session {
    pub(crate) caller: Caller,
    pub(crate) deadline: Deadline,
    /// The calls of this operation, by the response key of the first root field that they serve.
    calls: Mutex<HashMap<Name, Arc<OnceCell<Result<Fetched, Failure>>>>>,
}

impl Session {
    pub(crate) fn new(caller: Caller, deadline: Deadline) -> Self {
        Self { caller, deadline, calls: Mutex::default() }
    }
}

/// What a call brought: records, or a single one, or nothing where Auth0 knows no such record.
#[derive(Clone)]
struct Fetched {
    json: Option<Bytes>,
    total: Option<u64>,
    next: Option<LogId>,
}

impl From<Page> for Fetched {
    fn from(page: Page) -> Self {
        Self { json: Some(page.records), total: page.total, next: page.next }
    }
}

impl From<Option<Bytes>> for Fetched {
    fn from(json: Option<Bytes>) -> Self {
        Self { json, total: None, next: None }
    }
}

/// The root of the schema.
pub(crate) struct Query;

type Answer<S> = Option<Result<Projected<S>, Failure>>;

/// Reads users and logs of an Auth0 tenant. There are no mutations: the gateway is made so that it cannot change anything.
#[Object]
impl Query {
    /// Searches users. Auth0's search lags some seconds behind the users themselves, and reaches 1,000 of them.
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "What to search for, in Auth0's Lucene syntax: <https://auth0.com/docs/manage-users/user-search/user-search-query-syntax>. All users when absent or blank."
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
                .page(&USER_PAGE, facts, |needs, deadline| async move {
                    api.users(search, &needs.fields(&USER), needs.total, deadline).await
                })
                .await
        };
        Some(answer.await)
    }

    /// The user with this id, as they are now; null if there is none.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user's id, such as `auth0|…`.")] id: ID,
    ) -> Answer<UserShape> {
        let answer = async {
            let api = authorize(ctx, Scope::ReadUsers)?;
            let id = &UserId::parse(&id)?;
            Root::new(ctx)?
                .record(&USER, |needs, deadline| async move { api.user(id, &needs.fields(&USER), deadline).await })
                .await
        };
        answer.await.transpose()
    }

    /// The users with this e-mail address, as they are now: several, if they came through several connections.
    async fn users_by_email(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The address. Auth0 compares it case-sensitively, and lower-cases the addresses of database users only."
        )]
        email: String,
    ) -> Answer<UserListShape> {
        let answer = async {
            let api = authorize(ctx, Scope::ReadUsers)?;
            let email = &Email::parse(&email)?;
            Root::new(ctx)?
                .list(&USER, |needs, deadline| async move {
                    api.users_by_email(email, &needs.fields(&USER), deadline).await
                })
                .await
        };
        Some(answer.await)
    }

    /// Reads logs. Without `from`: the newest, newest first. With it: those that follow that log, oldest first, as far as
    /// the tenant keeps them.
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
                    root.page(
                        &LOG_BATCH,
                        facts,
                        |_, deadline| async move { api.logs_after(checkpoint, deadline).await },
                    )
                    .await
                }
                None => {
                    let newest = &LogSearch::newest(take.into())?;
                    root.page(&LOG_BATCH, PageFacts::default(), |needs, deadline| async move {
                        api.search_logs(newest, &needs.fields(&LOG), deadline).await
                    })
                    .await
                }
            }
        };
        Some(answer.await)
    }

    /// The log with this id; null if there is none, or no longer.
    async fn log(&self, ctx: &Context<'_>, #[graphql(desc = "The log's id.")] id: ID) -> Answer<LogShape> {
        let answer = async {
            let api = authorize(ctx, Scope::ReadLogs)?;
            let id = &LogId::parse(&id)?;
            Root::new(ctx)?
                .record(&LOG, |needs, deadline| async move { api.log(id, &needs.fields(&LOG), deadline).await })
                .await
        };
        answer.await.transpose()
    }

    /// Searches logs. Auth0's search reaches 1,000 of them; `logs` with `from` reaches all.
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
                .page(&LOG_PAGE, facts, |needs, deadline| async move {
                    api.search_logs(search, &needs.fields(&LOG), deadline).await
                })
                .await
        };
        Some(answer.await)
    }

    /// The gateway itself. Asks nothing of Auth0.
    async fn gateway(&self, ctx: &Context<'_>) -> Result<Gateway, Failure> {
        let upstream = ctx.data::<Upstream>().map_err(|_| Failure::internal())?;
        Ok(Gateway::new(&session(ctx)?.caller, upstream))
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

fn session<'a>(ctx: &Context<'a>) -> Result<&'a Session, Failure> {
    ctx.data::<Arc<Session>>().map(|session| &**session).map_err(|_| Failure::internal())
}

/// A root field on its way to an answer.
struct Root<'a> {
    ctx: &'a Context<'a>,
    session: &'a Session,
    field: &'a SelectedField,
}

impl<'a> Root<'a> {
    fn new(ctx: &'a Context<'a>) -> Result<Self, Failure> {
        Ok(Self { ctx, session: session(ctx)?, field: &ctx.item.node })
    }

    async fn page<S, F>(
        self,
        page: &'static object::Page,
        facts: PageFacts<'_>,
        call: impl FnOnce(Needs, Deadline) -> F,
    ) -> Result<Projected<S>, Failure>
    where
        F: Future<Output = Result<Page, Error>>,
    {
        let needs = self.needs(|planner, field, needs| planner.page(page, &field.selection_set.node).add_needs(needs));
        let fetched = self.fetch(needs, call).await?;
        let mut planner = Planner::new(self.session.caller.authority());
        let plan = planner.page(page, &self.field.selection_set.node);
        let facts = PageFacts { total: fetched.total, next: fetched.next.as_ref().map(LogId::as_str), ..facts };
        let mut out = Vec::new();
        let records = fetched.json.as_deref().unwrap_or(b"[]");
        project::page(&plan, records, &facts, &mut out).map_err(|_| unreadable())?;
        self.report(planner.forbidden);
        Ok(Projected::new(out))
    }

    async fn list<S, F>(
        self,
        object: &'static object::Object,
        call: impl FnOnce(Needs, Deadline) -> F,
    ) -> Result<Projected<S>, Failure>
    where
        F: Future<Output = Result<Page, Error>>,
    {
        let needs =
            self.needs(|planner, field, needs| planner.record(object, &field.selection_set.node).add_needs(needs));
        let fetched = self.fetch(needs, call).await?;
        let mut planner = Planner::new(self.session.caller.authority());
        let plan = planner.record(object, &self.field.selection_set.node);
        let mut out = Vec::new();
        project::records(&plan, fetched.json.as_deref().unwrap_or(b"[]"), &mut out).map_err(|_| unreadable())?;
        self.report(planner.forbidden);
        Ok(Projected::new(out))
    }

    async fn record<S, F>(
        self,
        object: &'static object::Object,
        call: impl FnOnce(Needs, Deadline) -> F,
    ) -> Result<Option<Projected<S>>, Failure>
    where
        F: Future<Output = Result<Option<Bytes>, Error>>,
    {
        let needs =
            self.needs(|planner, field, needs| planner.record(object, &field.selection_set.node).add_needs(needs));
        let fetched = self.fetch(needs, call).await?;
        let Some(json) = fetched.json else { return Ok(None) };
        let mut planner = Planner::new(self.session.caller.authority());
        let plan = planner.record(object, &self.field.selection_set.node);
        let mut out = Vec::new();
        project::record(&plan, &json, &mut out).map_err(|_| unreadable())?;
        self.report(planner.forbidden);
        Ok(Some(Projected::new(out)))
    }

    /// The root fields that ask the same of the same endpoint: this one, and its aliases.
    fn siblings(&self) -> impl Iterator<Item = &'a SelectedField> {
        let field = self.field;
        let arguments =
            |field: &'a SelectedField| field.arguments.iter().map(|(name, value)| (&name.node, &value.node));
        fields(&self.ctx.query_env.operation.node.selection_set.node)
            .filter(move |sibling| sibling.name.node == field.name.node && arguments(sibling).eq(arguments(field)))
    }

    /// What the field and its siblings need together.
    fn needs(&self, add: impl Fn(&mut Planner, &SelectedField, &mut Needs)) -> Needs {
        let mut needs = Needs::default();
        let mut planner = Planner::new(self.session.caller.authority());
        for sibling in self.siblings() {
            add(&mut planner, sibling, &mut needs);
        }
        needs
    }

    /// Makes the call, once for all siblings.
    async fn fetch<T, F>(&self, needs: Needs, call: impl FnOnce(Needs, Deadline) -> F) -> Result<Fetched, Failure>
    where
        T: Into<Fetched>,
        F: Future<Output = Result<T, Error>>,
    {
        let first = self.siblings().next().unwrap_or(self.field).response_key().node.clone();
        let cell = {
            let mut calls = self.session.calls.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(calls.entry(first).or_default())
        };
        let deadline = self.session.deadline;
        let fetched = cell.get_or_init(|| async { Ok(call(needs, deadline).await?.into()) }).await;
        fetched.clone()
    }

    /// Tells the caller what was left out, field by field.
    fn report(&self, forbidden: Vec<Forbidden>) {
        for Forbidden { path, scope } in forbidden {
            let message = format!("This field needs the scope `{scope}`, which you do not hold.");
            let failure = Failure::new(ErrorCode::Forbidden, message).with("scope", scope.as_str());
            let mut error = ServerError::from(failure);
            let root = self.field.response_key().node.to_string();
            error.path = std::iter::once(root)
                .chain(path.into_iter().map(|key| key.to_string()))
                .map(PathSegment::Field)
                .collect();
            self.ctx.add_error(error);
        }
    }
}

impl Needs {
    /// As Auth0's `fields` parameter has it.
    fn fields(&self, object: &object::Object) -> Fields {
        let known = || object.fields.iter().filter_map(|field| field.keys.first());
        if self.everything || known().all(|key| self.keys.contains(key)) {
            return Fields::All;
        }
        if self.keys.is_empty() {
            // Nothing of the records is wanted but that they are there. Every table begins with the id.
            return Fields::Only(known().take(1).copied().collect());
        }
        Fields::Only(self.keys.iter().copied().collect())
    }
}

/// For numbers that were found to be in range.
fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

fn unreadable() -> Failure {
    Failure::new(ErrorCode::UpstreamUnavailable, "Auth0's answer cannot be read. Try again; if it stays, report it.")
}
