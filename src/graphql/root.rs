//! Root fields on their way to an answer: what they need is asked once for all that ask the same, and projected for each.

use async_graphql::{PathSegment, ServerError};
use bytes::Bytes;
use futures_util::future::join_all;

use super::error::{ErrorCode, Failure};
use super::join::{self, Missed};
use super::json::Malformed;
use super::permission::{Upstream, authority, authorize, authorize_self, authorize_strictly};
use super::plan::{Forbidden, JoinPlan};
use super::prepared::{Asks, CallPlan, Prepared, Root, RootPlan, Shaped, What};
use super::project::{self, Gap};
use super::question::{PageAsked, Question, Reading};
use super::root_field::Access;
use super::session::{Purpose, Session};
use super::user::USER;
use crate::auth::Scope;
use crate::auth0::{LogId, Page, Renditions};

/// What became of a root field: JSON, or null where there is none, and what is to be told of it.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) json: Option<Bytes>,
    pub(crate) errors: Vec<ServerError>,
}

/// Answers the root fields of the session's operation that ask Auth0, each at its place.
pub(crate) async fn answer(session: &Session, upstream: &Upstream) -> Vec<Answer> {
    let prepared = &*session.prepared;
    let mut answers: Vec<_> = prepared.roots.iter().map(known).collect();
    let place = |(root, answer): (usize, Answer)| {
        if let Some(slot) = answers.get_mut(root) {
            *slot = answer;
        }
    };
    let run = |call| Call { session, upstream, prepared, call }.run();
    // A single call, which is the rule, needs nobody to look after it.
    if prepared.calls.len() == 1 {
        run(0).await.into_iter().for_each(place);
    } else {
        join_all((0..prepared.calls.len()).map(run)).await.into_iter().flatten().for_each(place);
    }
    answers
}

/// The answer as far as it is known beforehand.
fn known(root: &Root) -> Answer {
    match &root.what {
        What::Known(Ok(json)) => Answer { json: Some(json.clone()), errors: Vec::new() },
        What::Known(Err(failure)) => Answer { json: None, errors: vec![error(failure.clone(), root, Vec::new())] },
        What::Asks(_) | What::Own => Answer::default(),
    }
}

/// A call, and the root fields that it answers.
struct Call<'a> {
    session: &'a Session,
    upstream: &'a Upstream,
    prepared: &'a Prepared,
    call: usize,
}

/// What a call brought: records, or a single one, or nothing where Auth0 knows no such record.
struct Fetched {
    json: Option<Bytes>,
    total: Option<u64>,
    next: Option<LogId>,
    renditions: Renditions,
}

impl From<Page> for Fetched {
    fn from(Page { records, total, next, renditions, .. }: Page) -> Self {
        Self { json: Some(records), total, next, renditions }
    }
}

impl From<Option<Bytes>> for Fetched {
    fn from(json: Option<Bytes>) -> Self {
        Self { json, total: None, next: None, renditions: Renditions::default() }
    }
}

impl<'a> Call<'a> {
    async fn run(self) -> Vec<(usize, Answer)> {
        let asking: Vec<_> = self.asking().collect();
        let Some((_, _, first)) = asking.first() else { return Vec::new() };
        let fetched = self.fetch(first).await;
        let mut answers = Vec::with_capacity(asking.len());
        for (place, root, _) in asking {
            let mut answer = Answer::default();
            let outcome = match &fetched {
                Ok((asked, fetched)) => self.project(place, root, asked, fetched, &mut answer.errors).await,
                Err(failure) => Err(failure.clone()),
            };
            match outcome {
                Ok(json) => answer.json = json,
                Err(failure) => answer.errors.push(error(failure, root, Vec::new())),
            }
            answers.push((place, answer));
        }
        answers
    }

    /// The root fields that the call is for, and their places.
    fn asking(&self) -> impl Iterator<Item = (usize, &'a Root, &'a Asks)> {
        let roots = &self.prepared.roots;
        let members = self.prepared.calls.get(self.call).into_iter().flatten();
        members.filter_map(|place| {
            let root = roots.get(*place)?;
            match &root.what {
                What::Asks(asks) => Some((*place, root, &**asks)),
                What::Known(_) | What::Own => None,
            }
        })
    }

    /// Makes the call, for what all its root fields need together. `asks` is any of them: they ask the same.
    async fn fetch(&self, asks: &'a Asks) -> Result<(&'a PageAsked, Fetched), Failure> {
        let Self { session, upstream, .. } = *self;
        let caller = &session.caller;
        let api = match asks.table.access {
            Access::Of(scope) => Some(authorize(upstream, caller, scope)?),
            Access::Strict(scope) => Some(authorize_strictly(upstream, caller, scope)?),
            Access::Own => None,
        };
        let (question, asked) = asks.question.as_ref().map_err(Clone::clone)?;
        if let Some(used) = asks.guarded.iter().find(|used| !caller.holds(used.scope)) {
            return Err((*used).into());
        }
        let plans = self.prepared.plans(authority(upstream, caller));
        let Some(CallPlan { needs, reading }) = plans.calls.get(self.call) else { return Err(Failure::internal()) };
        let errand = || session.errand(Purpose::Call(self.call));
        let fetched = match (api, question, reading) {
            (_, Question::Me, _) => {
                authorize_self(upstream, caller)?.read(&needs.fields(&USER), &errand()).await?.into()
            }
            (Some(api), _, Some(Reading::List(read))) => api.read(read, &errand()).await?.into(),
            (Some(api), _, Some(Reading::Record(read))) => api.read(read, &errand()).await?.into(),
            _ => return Err(Failure::internal()),
        };
        Ok((asked, fetched))
    }

    /// Makes of what was fetched what one of the root fields wants.
    async fn project(
        &self,
        place: usize,
        root: &Root,
        asked: &PageAsked,
        fetched: &Fetched,
        errors: &mut Vec<ServerError>,
    ) -> Result<Option<Bytes>, Failure> {
        let Some(json) = &fetched.json else { return Ok(None) };
        // Planned anew: what the gateway was granted comes with its token, and that may have come with this very call.
        let plans = self.prepared.plans(authority(self.upstream, &self.session.caller));
        let Some(Some(plan)) = plans.roots.get(place) else { return Err(Failure::internal()) };
        let RootPlan { shaped, joins, forbidden } = plan;
        let projected = match fetched.renditions.get(&plans, place) {
            Some(rendition) => rendition,
            None => {
                let (projected, gaps) = project(shaped, json, asked, fetched).map_err(|_| {
                    // An error is shared, and never kept.
                    fetched.renditions.spoil();
                    unreadable()
                })?;
                if joins.is_empty() {
                    let projected = Bytes::from(projected);
                    fetched.renditions.keep(plans.clone(), place, &projected, json.len());
                    projected
                } else {
                    // What is joined is as old as it is by itself: this is not kept.
                    let (joined, missed) = self.join(place, joins, &projected, &gaps).await?;
                    errors.extend(missed.into_iter().map(|Missed { path, failure }| error(failure, root, path)));
                    joined.into()
                }
            }
        };
        for Forbidden { path, denied } in forbidden {
            let path = path.iter().map(|key| PathSegment::Field(key.to_string())).collect();
            errors.push(error((*denied).into(), root, path));
        }
        Ok(Some(projected))
    }

    /// What was projected, its gaps filled with what `joins` make of the users that belong there.
    async fn join(
        &self,
        place: usize,
        joins: &[JoinPlan],
        projected: &[u8],
        gaps: &[Gap<'_, '_>],
    ) -> Result<(Vec<u8>, Vec<Missed>), Failure> {
        let api = authorize(self.upstream, &self.session.caller, Scope::ReadUsers)?;
        let errand = || self.session.errand(Purpose::Join(place));
        let users = join::users(api, &USER, joins, gaps, errand).await.map_err(|_| unreadable())?;
        Ok(users.fill(gaps, projected))
    }
}

fn project<'p, 'a>(
    shaped: &'p Shaped,
    json: &'a [u8],
    asked: &PageAsked,
    fetched: &Fetched,
) -> Result<(Vec<u8>, Vec<Gap<'p, 'a>>), Malformed> {
    let mut out = Vec::new();
    let gaps = match shaped {
        Shaped::Page(plan) => project::page(plan, json, &asked.facts(fetched.total, fetched.next.as_ref()), &mut out)?,
        Shaped::List(plan) => project::records(plan, json, &mut out)?,
        Shaped::Record(plan) => project::record(plan, json, &mut out)?,
    };
    Ok((out, gaps))
}

/// What a caller is told of something inside a root field, or of the field itself where the path is empty, that is null.
fn error(failure: Failure, root: &Root, path: Vec<PathSegment>) -> ServerError {
    let mut error = ServerError::from(failure);
    error.locations.push(root.location.into());
    error.path = path;
    error.path.insert(0, PathSegment::Field(root.key.to_string()));
    error
}

fn unreadable() -> Failure {
    Failure::new(ErrorCode::UpstreamUnavailable, "Auth0's answer cannot be read. Try again; if it stays, report it.")
}
