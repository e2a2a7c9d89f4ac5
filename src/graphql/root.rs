//! A root field on its way to an answer: what it needs is asked once for all its aliases, and projected for each.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_graphql::parser::types::{Field, SelectionSet};
use async_graphql::{Context, Name, PathSegment, ServerError};
use async_graphql_value::Value;
use bytes::Bytes;
use tokio::sync::OnceCell;

use super::error::{ErrorCode, Failure};
use super::explain::Explained;
use super::join::{self, Joins};
use super::json::Malformed;
use super::object::{Object, Page as PageTable, Projected};
use super::operation::fields;
use super::permission::{authority, authorize};
use super::plan::{Forbidden, Needs, Plan, Planner, Plans};
use super::project::{self, Missed, PageFacts};
use super::search_fields::mentions;
use super::user::USER;
use crate::auth::{Caller, Scope};
use crate::auth0::{CallBudget, CallerKey, Deadline, Errand, Error, Fields, LogId, Page};

/// What resolvers know of the operation that they are part of.
pub(crate) struct Session {
    pub(crate) caller: Caller,
    pub(crate) deadline: Deadline,
    /// Whether only answers from after the question will do.
    pub(crate) is_fresh: bool,
    pub(crate) budget: CallBudget,
    /// The calls of this operation, by the response key of the first root field that they serve.
    calls: Mutex<HashMap<Name, Arc<Shared>>>,
    /// What joins below the root fields ask.
    joins: Mutex<Vec<(Name, Arc<Errand>)>>,
}

/// A call, and the root fields that it serves.
struct Shared {
    fields: Vec<Name>,
    errand: Arc<Errand>,
    outcome: OnceCell<Result<Fetched, Failure>>,
}

impl Session {
    pub(crate) fn new(caller: Caller, deadline: Deadline, is_fresh: bool, budget: CallBudget) -> Self {
        Self { caller, deadline, is_fresh, budget, calls: Mutex::default(), joins: Mutex::default() }
    }

    pub(crate) fn of<'a>(ctx: &Context<'a>) -> Result<&'a Self, Failure> {
        ctx.data::<Arc<Self>>().map(|session| &**session).map_err(|_| Failure::internal())
    }

    /// An errand for a join below the root field of this key.
    fn join(&self, field: Name) -> Arc<Errand> {
        let errand = Arc::new(self.errand());
        self.joins.lock().unwrap_or_else(PoisonError::into_inner).push((field, Arc::clone(&errand)));
        errand
    }

    /// What the operation's calls took, by the root fields that they were made for.
    pub(crate) fn explain(&self) -> Vec<Explained> {
        let calls = self.calls();
        let roots = calls.values().map(|call| Explained { fields: call.fields.clone(), effort: call.errand.effort() });
        let joins = self.joins.lock().unwrap_or_else(PoisonError::into_inner);
        let joins =
            joins.iter().map(|(field, errand)| Explained { fields: vec![field.clone()], effort: errand.effort() });
        roots.chain(joins).collect()
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<Name, Arc<Shared>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn errand(&self) -> Errand {
        let errand = Errand::new(self.deadline, CallerKey(self.caller.key()), self.budget.clone());
        if self.is_fresh { errand.fresh() } else { errand }
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

/// A root field.
pub(crate) struct Root<'a> {
    ctx: &'a Context<'a>,
    session: &'a Session,
    field: &'a Field,
}

impl<'a> Root<'a> {
    /// The field that `ctx` is of, if the caller may see all that its arguments name.
    pub(crate) fn new(ctx: &'a Context<'a>) -> Result<Self, Failure> {
        let (session, field) = (Session::of(ctx)?, &ctx.item.node);
        match mentions(field).into_iter().find(|mention| !session.caller.holds(mention.scope)) {
            Some(mention) => Err(mention.into()),
            None => Ok(Self { ctx, session, field }),
        }
    }

    /// Answers with a page.
    pub(crate) async fn page<S, F>(
        self,
        page: &'static PageTable,
        facts: PageFacts<'_>,
        call: impl FnOnce(Needs, Arc<Errand>) -> F,
    ) -> Result<Projected<S>, Failure>
    where
        F: Future<Output = Result<Page, Error>>,
    {
        let plan = |planner: &mut Planner, selection: &SelectionSet| planner.page(page, selection);
        let fetched = self.fetch(plan, call).await?;
        let facts = PageFacts { total: fetched.total, next: fetched.next.as_ref().map(LogId::as_str), ..facts };
        let records = fetched.json.as_deref().unwrap_or(b"[]");
        self.project(plan, records, |plan, joins, out| project::page(plan, records, &facts, joins, out)).await
    }

    /// Answers with all records of a list.
    pub(crate) async fn list<S, F>(
        self,
        object: &'static Object,
        call: impl FnOnce(Needs, Arc<Errand>) -> F,
    ) -> Result<Projected<S>, Failure>
    where
        F: Future<Output = Result<Page, Error>>,
    {
        let plan = |planner: &mut Planner, selection: &SelectionSet| planner.record(object, selection);
        let fetched = self.fetch(plan, call).await?;
        let records = fetched.json.as_deref().unwrap_or(b"[]");
        self.project(plan, records, |plan, joins, out| project::records(plan, records, joins, out)).await
    }

    /// Answers with a single record, or with nothing if there is none.
    pub(crate) async fn record<S, F>(
        self,
        object: &'static Object,
        call: impl FnOnce(Needs, Arc<Errand>) -> F,
    ) -> Result<Option<Projected<S>>, Failure>
    where
        F: Future<Output = Result<Option<Bytes>, Error>>,
    {
        let plan = |planner: &mut Planner, selection: &SelectionSet| planner.record(object, selection);
        let Some(record) = self.fetch(plan, call).await?.json else { return Ok(None) };
        self.project(plan, &record, |plan, joins, out| project::record(plan, &record, joins, out)).await.map(Some)
    }

    /// The root fields that ask the same of the same endpoint: this one, and its aliases.
    fn siblings(&self) -> impl Iterator<Item = &'a Field> {
        let field = self.field;
        fields(&self.ctx.query_env.operation.node.selection_set.node).filter(move |other| is_same_call(other, field))
    }

    /// Makes the call, once for all siblings, with what they need together.
    async fn fetch<P, T, F>(
        &self,
        plan: impl Fn(&mut Planner, &SelectionSet) -> P,
        call: impl FnOnce(Needs, Arc<Errand>) -> F,
    ) -> Result<Fetched, Failure>
    where
        P: Plans,
        T: Into<Fetched>,
        F: Future<Output = Result<T, Error>>,
    {
        let keys: Vec<_> = self.siblings().map(|sibling| sibling.response_key().node.clone()).collect();
        let first = keys.first().unwrap_or(&self.field.response_key().node).clone();
        let shared = {
            let mut calls = self.session.calls();
            let shared = calls.entry(first).or_insert_with(|| {
                let errand = Arc::new(self.session.errand());
                Arc::new(Shared { fields: keys, errand, outcome: OnceCell::new() })
            });
            Arc::clone(shared)
        };
        let outcome = shared.outcome.get_or_init(|| async {
            let mut needs = Needs::default();
            let mut planner = Planner::new(authority(self.ctx)?);
            for sibling in self.siblings() {
                plan(&mut planner, &sibling.selection_set.node).add_needs(&mut needs);
            }
            Ok(call(needs, Arc::clone(&shared.errand)).await?.into())
        });
        outcome.await.clone()
    }

    async fn project<P, S>(
        &self,
        plan: impl Fn(&mut Planner, &SelectionSet) -> P,
        records: &[u8],
        project: impl FnOnce(&P, &Joins, &mut Vec<u8>) -> Result<Vec<Missed>, Malformed>,
    ) -> Result<Projected<S>, Failure> {
        let mut planner = Planner::new(authority(self.ctx)?);
        let plan = plan(&mut planner, &self.field.selection_set.node);
        let joins = self.join(&planner.joins, records).await?;
        let mut out = Vec::new();
        for Missed { path, failure } in project(&plan, &joins, &mut out).map_err(|_| unreadable())? {
            self.report(failure, path);
        }
        for Forbidden { path, denied } in planner.forbidden {
            let path = path.into_iter().map(|key| PathSegment::Field(key.to_string())).collect();
            self.report(denied.into(), path);
        }
        Ok(Projected::new(out))
    }

    async fn join(&self, plans: &[Plan], records: &[u8]) -> Result<Joins, Failure> {
        if plans.is_empty() {
            return Ok(Joins::default());
        }
        let api = authorize(self.ctx, Scope::ReadUsers)?;
        let errand = || self.session.join(self.field.response_key().node.clone());
        join::users(api, &USER, plans, records, errand).await.map_err(|_| unreadable())
    }

    /// Tells the caller of something inside the field that is null.
    fn report(&self, failure: Failure, path: Vec<PathSegment>) {
        let mut error = ServerError::from(failure);
        error.locations.push(self.ctx.item.pos);
        error.path = path;
        error.path.insert(0, PathSegment::Field(self.field.response_key().node.to_string()));
        self.ctx.add_error(error);
    }
}

/// Whether two root fields in normal form are answered by one call.
pub(crate) fn is_same_call(one: &Field, other: &Field) -> bool {
    one.name.node == other.name.node && arguments(one).eq(arguments(other))
}

/// The arguments that say something: an optional one that is null asks the same as one that is absent.
fn arguments(field: &Field) -> impl Iterator<Item = (&Name, &Value)> {
    field.arguments.iter().map(|(name, value)| (&name.node, &value.node)).filter(|(_, value)| **value != Value::Null)
}

impl Needs {
    /// As Auth0's `fields` parameter has it.
    pub(crate) fn fields(&self, object: &Object) -> Fields {
        let known = || object.fields.iter().filter_map(|field| field.keys.first());
        if self.everything && !self.withheld.is_subset(&self.keys) {
            return Fields::AllBut(self.withheld.difference(&self.keys).copied().collect());
        }
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

fn unreadable() -> Failure {
    Failure::new(ErrorCode::UpstreamUnavailable, "Auth0's answer cannot be read. Try again; if it stays, report it.")
}
