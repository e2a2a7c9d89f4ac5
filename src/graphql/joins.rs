//! Joined records, level by level: what the slots of one level ask for is fetched together, and opens the slots of the next.
//!
//! There is no loader per record: a page of a hundred logs is one more search for fifty distinct users, where waking a
//! future for each log would cost ten times the rest of the operation.

use std::borrow::Cow;

use futures_util::future::join_all;
use indexmap::IndexMap;

use super::error::{ErrorCode, GraphqlError};
use super::execute::{unprojectable, unreadable};
use super::permission::{Upstream, authorize};
use super::plan::{ExecutionPlan, FetchPlan, JoinPlan, PageArgs, PreparedRequest, Shaped};
use super::project::{self, Each, JoinSlot, Projected, Segment};
use super::schema::object::{ByIds, Fetch};
use super::session::{Purpose, Session};
use crate::auth0::{Fields, LogId, ManagementApi};

/// How long a search by ids may get, in bytes: a third of what Auth0 is known to take in an address, since each byte may become
/// three there.
const LONGEST_SEARCH: usize = 2_500;

/// How many records that a search did not find are looked up one by one. The search lags behind by some seconds, so that
/// few are really to be had; most are gone for good, and each costs a call.
const SINGLE_LOOKUPS: usize = 10;

/// The joined records of an operation.
pub(crate) struct Joins<'p> {
    plan: &'p ExecutionPlan,
    /// By fetch of the plan.
    fetches: Vec<Fetched>,
    /// How many records may still be looked up one by one, so that the calls which are certain to come have theirs.
    lookups: usize,
    /// What a projection may come to in all, in bytes.
    limit: usize,
}

/// What a fetch has brought so far.
struct Fetched {
    /// What is known of each key, in the order in which slots name them.
    known: IndexMap<Box<str>, State, foldhash::fast::RandomState>,
    /// Where what was found for a key stands: in which batch, and where in it.
    found: Vec<(usize, usize)>,
    /// What each join of the fetch made of each batch.
    batches: Vec<Vec<Batch>>,
    /// By join of the fetch and found key: whether its slots have been opened.
    opened: Vec<Vec<bool>>,
}

/// What is known of a key.
enum State {
    /// Nothing yet.
    Sought,
    /// This many of those that were found came before it.
    Found(usize),
    /// There is nothing, or no longer.
    Absent,
    /// Nobody can tell.
    Failed(GraphqlError),
}

/// A projection of records that came together.
struct Batch {
    projected: Projected,
    segments: Vec<Segment>,
}

/// What stands in a slot.
pub(crate) enum Joined<'a> {
    Record(&'a Projected, &'a Segment),
    Absent,
    Failed(&'a GraphqlError),
}

/// A slot that is to be filled: its join, and the number of its key.
type Open = (usize, usize);

/// A call that is to be made for a fetch.
struct Call<'p> {
    fetch: usize,
    /// The numbers of the keys that it is for.
    keys: Vec<usize>,
    request: PreparedRequest,
    page: Option<&'p PageArgs>,
}

/// What a call brought: its records, or a single one, as a JSON array.
struct Answer {
    json: bytes::Bytes,
    total: Option<u64>,
    next: Option<LogId>,
}

impl<'p> Joins<'p> {
    pub(crate) fn new(plan: &'p ExecutionPlan, lookups: usize, limit: usize) -> Self {
        let fetched = |fetch: &FetchPlan| Fetched {
            known: IndexMap::default(),
            found: Vec::new(),
            batches: fetch.joins.iter().map(|_| Vec::new()).collect(),
            opened: fetch.joins.iter().map(|_| Vec::new()).collect(),
        };
        let fetches = plan.fetches.iter().map(fetched).collect();
        Self { plan, fetches, lookups: lookups.min(SINGLE_LOOKUPS), limit }
    }

    /// Fetches what belongs in the slots of `projections`, in the slots of that, and so on.
    pub(crate) async fn resolve(
        &mut self,
        session: &Session,
        upstream: &Upstream,
        projections: impl Iterator<Item = &mut Projected>,
    ) {
        let mut open = Vec::new();
        for projected in projections {
            self.register(&mut projected.slots, &mut open);
        }
        while !open.is_empty() {
            self.fetch(session, upstream).await;
            let level = std::mem::take(&mut open);
            for (join, key) in level {
                self.open(join, key, &mut open);
            }
        }
    }

    pub(crate) fn plan(&self) -> &'p ExecutionPlan {
        self.plan
    }

    /// What stands in a slot of the present plan.
    pub(crate) fn get(&self, slot: &JoinSlot) -> Joined<'_> {
        let Some((fetched, number)) = self.of_join(slot.join) else { return Joined::Absent };
        match fetched.known.get_index(slot.target).map(|(_, state)| state) {
            Some(State::Found(found)) => {
                let place = fetched.found.get(*found).zip(fetched.batches.get(number));
                let record = place.and_then(|((batch, place), batches)| {
                    let Batch { projected, segments } = batches.get(*batch)?;
                    Some((projected, segments.get(*place)?))
                });
                record.map_or(Joined::Absent, |(projected, segment)| Joined::Record(projected, segment))
            }
            Some(State::Failed(failure)) => Joined::Failed(failure),
            Some(State::Sought | State::Absent) | None => Joined::Absent,
        }
    }

    /// What has been fetched for a join, and its number among the joins of that.
    fn of_join(&self, join: usize) -> Option<(&Fetched, usize)> {
        let join = self.plan.joins.get(join)?;
        Some((self.fetches.get(join.fetch)?, join.number))
    }

    /// Takes down what slots ask for.
    fn register(&mut self, slots: &mut [JoinSlot], open: &mut Vec<Open>) {
        for slot in slots {
            let Some(join) = self.plan.joins.get(slot.join) else { continue };
            let Some(fetched) = self.fetches.get_mut(join.fetch) else { continue };
            let entry = fetched.known.entry(std::mem::take(&mut slot.key));
            slot.target = entry.index();
            entry.or_insert(State::Sought);
            open.push((slot.join, slot.target));
        }
    }

    /// Opens the slots of what was found for a key, unless that has been done.
    fn open(&mut self, join: usize, key: usize, open: &mut Vec<Open>) {
        let Some(join) = self.plan.joins.get(join) else { return };
        let Some(fetched) = self.fetches.get_mut(join.fetch) else { return };
        let Some((batch, place)) = fetched.unopened(join.number, key) else { return };
        let Some(Batch { projected, segments }) = self.batch(join, batch) else { return };
        let Some(range) = segments.get(place).map(|segment| segment.slots.clone()) else { return };
        // Out of the batch while they are taken down: they may ask for what stands beside them.
        let mut slots = std::mem::take(&mut projected.slots);
        self.register(slots.get_mut(range).unwrap_or_default(), open);
        if let Some(batch) = self.batch(join, batch) {
            batch.projected.slots = slots;
        }
    }

    fn batch(&mut self, join: &JoinPlan, number: usize) -> Option<&mut Batch> {
        self.fetches.get_mut(join.fetch)?.batches.get_mut(join.number)?.get_mut(number)
    }

    /// Fetches everything that is sought.
    async fn fetch(&mut self, session: &Session, upstream: &Upstream) {
        let mut calls = Vec::new();
        let mut apis = Vec::new();
        for (number, fetch) in self.plan.fetches.iter().enumerate() {
            let sought: Vec<_> = self.fetches[number].sought().collect();
            let api = match fetch.scope.map(|scope| authorize(upstream, &session.caller, scope)) {
                Some(Ok(api)) => Some(api),
                Some(Err(failure)) => {
                    sought.iter().for_each(|key| self.fetches[number].fail(*key, &failure));
                    None
                }
                None => {
                    sought.iter().for_each(|key| self.fetches[number].fail(*key, &GraphqlError::internal()));
                    None
                }
            };
            apis.push(api);
            if api.is_some() && !sought.is_empty() {
                self.plan_calls(number, fetch, sought, &mut calls);
            }
        }
        self.make(session, &apis, calls).await;
        let lookups = self.plan_lookups();
        self.make(session, &apis, lookups).await;
    }

    /// Makes calls, all at once, and takes in what they bring.
    async fn make(&mut self, session: &Session, apis: &[Option<&ManagementApi>], calls: Vec<Call<'p>>) {
        let answers = calls.into_iter().map(|call| {
            let api = apis.get(call.fetch).copied().flatten();
            let roots = self.plan.fetches.get(call.fetch).map(|fetch| fetch.roots.clone());
            let context = session.errand(Purpose::Join(roots.unwrap_or_default()));
            async move {
                let Some(api) = api else { return (call, Err(GraphqlError::internal())) };
                let answer = match &call.request {
                    PreparedRequest::List(read) => api
                        .read(read, &context)
                        .await
                        .map(|page| Some(Answer { json: page.records, total: page.total, next: page.next })),
                    PreparedRequest::Record(read) => api.read(read, &context).await.map(|record| {
                        let json = record.map(|record| [b"[", &record[..], b"]"].concat().into());
                        json.map(|json| Answer { json, total: None, next: None })
                    }),
                };
                (call, answer.map_err(GraphqlError::from))
            }
        });
        for (call, answer) in join_all(answers.collect::<Vec<_>>()).await {
            self.take_in(&call, answer);
        }
    }

    fn take_in(&mut self, call: &Call<'_>, answer: Result<Option<Answer>, GraphqlError>) {
        let outcome = match answer {
            Ok(Some(answer)) => self.project(call, &answer),
            Ok(None) => Ok(()),
            Err(failure) => Err(failure),
        };
        let fetched = &mut self.fetches[call.fetch];
        match outcome {
            Err(failure) => call.keys.iter().for_each(|key| fetched.fail(*key, &failure)),
            // A search may not know yet what there is.
            Ok(()) if matches!(call.request, PreparedRequest::List(_)) && call.page.is_none() => {}
            Ok(()) => call.keys.iter().for_each(|key| fetched.settle(*key)),
        }
    }

    /// Has each join of a fetch make of an answer what it wants.
    fn project(&mut self, call: &Call<'_>, answer: &Answer) -> Result<(), GraphqlError> {
        let plan = self.plan;
        let Some(fetch) = plan.fetches.get(call.fetch) else { return Err(GraphqlError::internal()) };
        let fetched = &mut self.fetches[call.fetch];
        let mut ids: Vec<Option<Cow<'_, str>>> = Vec::new();
        let batch = fetched.batches.first().map_or(0, Vec::len);
        for (number, join) in fetch.joins.iter().enumerate() {
            let join = &plan.joins[*join];
            let (projected, segments) = match (&join.projection.shape, call.page) {
                (_, Some(page)) => {
                    let facts = page.facts(answer.total, answer.next.as_ref());
                    let projected = project::project(&join.projection, &answer.json, &facts, self.limit);
                    let projected = projected.map_err(unprojectable)?;
                    let whole = projected.whole();
                    (projected, vec![whole])
                }
                (Shaped::Record(plan), None) => {
                    let each = project::project_each(plan, join.id, &answer.json, self.limit);
                    let (projected, each) = each.map_err(unprojectable)?;
                    // For each join the same records in the same order.
                    let (names, segments) = each.into_iter().map(|Each { id, segment }| (id, segment)).unzip();
                    ids = names;
                    (projected, segments)
                }
                (Shaped::Page(_) | Shaped::List(..), None) => return Err(unreadable()),
            };
            // Together they may come to no more than one answer.
            self.limit = self.limit.saturating_sub(projected.json.len());
            fetched.batches[number].push(Batch { projected, segments });
        }
        if call.page.is_some() {
            call.keys.iter().for_each(|key| fetched.find(*key, (batch, 0)));
        }
        for (place, id) in ids.into_iter().enumerate() {
            if let Some(key) = id.and_then(|id| fetched.known.get_index_of(&*id)) {
                fetched.find(key, (batch, place));
            }
        }
        Ok(())
    }

    fn plan_calls(&mut self, number: usize, fetch: &'p FetchPlan, sought: Vec<usize>, calls: &mut Vec<Call<'p>>) {
        let fetched = &mut self.fetches[number];
        match (&fetch.relation.fetch, &fetch.request) {
            (Fetch::ByIds(by_ids), _) => {
                let fields = fields(fetch);
                let mut possible = Vec::with_capacity(sought.len());
                for key in sought {
                    match (by_ids.check)(fetched.name(key)) {
                        Ok(true) => possible.push(key),
                        Ok(false) => fetched.settle(key),
                        Err(failure) => fetched.fail(key, &failure),
                    }
                }
                let names: Vec<_> = possible.iter().map(|key| fetched.name(*key)).collect();
                let mut rest = &possible[..];
                let mut refused = Vec::new();
                for Batched { len, search } in batches(by_ids, &names) {
                    let (keys, others) = rest.split_at(len);
                    rest = others;
                    match (by_ids.search)(&search, &fields) {
                        Ok(request) => {
                            calls.push(Call { fetch: number, keys: keys.to_vec(), request, page: None });
                        }
                        Err(failure) => refused.extend(keys.iter().map(|key| (*key, failure.clone()))),
                    }
                }
                refused.into_iter().for_each(|(key, failure)| fetched.fail(key, &failure));
            }
            (Fetch::PerParent(_), Some(request)) => {
                for key in sought {
                    match (request.prepare)(fetched.name(key)) {
                        Some(prepared) => {
                            let page = Some(&request.page);
                            calls.push(Call { fetch: number, keys: vec![key], request: prepared, page });
                        }
                        None => fetched.settle(key),
                    }
                }
            }
            (Fetch::PerParent(_), None) => sought.iter().for_each(|key| fetched.fail(*key, &GraphqlError::internal())),
        }
    }

    /// The look-ups of records that no search found, as far as there is room for them.
    fn plan_lookups(&mut self) -> Vec<Call<'p>> {
        let mut calls = Vec::new();
        for (number, fetch) in self.plan.fetches.iter().enumerate() {
            let Fetch::ByIds(by_ids) = &fetch.relation.fetch else { continue };
            let fetched = &mut self.fetches[number];
            let sought: Vec<_> = fetched.sought().collect();
            if sought.is_empty() {
                continue;
            }
            let fields = fields(fetch);
            for key in sought {
                if self.lookups == 0 {
                    fetched.fail(key, &too_many());
                    continue;
                }
                match (by_ids.single)(fetched.name(key), &fields) {
                    Ok(request) => {
                        self.lookups -= 1;
                        calls.push(Call { fetch: number, keys: vec![key], request, page: None });
                    }
                    Err(failure) => fetched.fail(key, &failure),
                }
            }
        }
        calls
    }
}

impl Fetched {
    /// Where the record stands that was found for a key, if the slots that one of the joins has in it are still to be opened.
    fn unopened(&mut self, number: usize, key: usize) -> Option<(usize, usize)> {
        let (_, State::Found(found)) = self.known.get_index(key)? else { return None };
        let opened = self.opened.get_mut(number)?;
        if opened.len() <= *found {
            opened.resize(found + 1, false);
        }
        let is_open = std::mem::replace(opened.get_mut(*found)?, true);
        self.found.get(*found).copied().filter(|_| !is_open)
    }

    fn sought(&self) -> impl Iterator<Item = usize> {
        let states = self.known.values().enumerate();
        states.filter_map(|(key, state)| matches!(state, State::Sought).then_some(key))
    }

    fn name(&self, key: usize) -> &str {
        self.known.get_index(key).map_or("", |(name, _)| name)
    }

    fn set(&mut self, key: usize, state: State) {
        if let Some((_, known)) = self.known.get_index_mut(key) {
            *known = state;
        }
    }

    fn find(&mut self, key: usize, place: (usize, usize)) {
        self.found.push(place);
        self.set(key, State::Found(self.found.len() - 1));
    }

    fn fail(&mut self, key: usize, failure: &GraphqlError) {
        self.set(key, State::Failed(failure.clone()));
    }

    /// Says that there is nothing for a key, unless something was found.
    fn settle(&mut self, key: usize) {
        if let Some((_, state @ State::Sought)) = self.known.get_index_mut(key) {
            *state = State::Absent;
        }
    }
}

fn fields(fetch: &FetchPlan) -> Fields {
    fetch.keys.fields(fetch.relation.shape.object())
}

fn too_many() -> GraphqlError {
    let message = format!(
        "Auth0's search does not know this user, and more than {SINGLE_LOOKUPS} such users of one answer are not looked up \
         one by one: ask for fewer logs at once, or for the user by id."
    );
    GraphqlError::new(ErrorCode::TooComplex, message).with("measure", "single lookups").with("limit", SINGLE_LOOKUPS)
}

/// So many of the names, to be looked up by one search.
struct Batched {
    len: usize,
    /// In Auth0's Lucene syntax.
    search: String,
}

fn batches(by_ids: &ByIds, names: &[&str]) -> Vec<Batched> {
    let mut names = names;
    let mut batches = Vec::new();
    while !names.is_empty() {
        let mut search = format!("{}:(", by_ids.key);
        let mut len = 0;
        for name in names.iter().take(by_ids.batch) {
            let end = search.len();
            if len > 0 {
                search.push_str(" OR ");
            }
            push_quoted(name, &mut search);
            if len > 0 && search.len() > LONGEST_SEARCH {
                search.truncate(end);
                break;
            }
            len += 1;
        }
        search.push(')');
        batches.push(Batched { len, search });
        names = &names[len..];
    }
    batches
}

/// Appends a phrase in Lucene's syntax: between quotes, only a quote and a backslash mean something.
fn push_quoted(text: &str, search: &mut String) {
    search.push('"');
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest.as_bytes()) {
        search.push_str(&rest[..at]);
        search.push('\\');
        search.push_str(&rest[at..=at]);
        rest = &rest[at + 1..];
    }
    search.push_str(rest);
    search.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::schema::log::LOG;
    use crate::graphql::schema::object::Kind;

    /// How logs find their users.
    fn users() -> &'static ByIds {
        match LOG.field("user").map(|field| &field.kind) {
            Some(Kind::Join(relation)) => match &relation.fetch {
                Fetch::ByIds(by_ids) => by_ids,
                Fetch::PerParent(_) => unreachable!("users are found by their ids"),
            },
            _ => unreachable!("logs have users"),
        }
    }

    #[test]
    fn only_plausible_users_are_sought() {
        let is_sought = |id| (users().check)(id);
        for id in ["auth0|1", "sms|3", "email|john..doe@example.com", "auth0|../1"] {
            assert_eq!(is_sought(id), Ok(true), "{id}");
        }
        for id in ["", "admin", "me@clients"] {
            assert_eq!(is_sought(id), Ok(false), "{id}");
        }
        assert!(is_sought("auth0|\n1").is_err());
    }

    #[test]
    fn batches_are_bounded_in_number_and_length() {
        let lengths = |names: &[String]| {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let batches = batches(users(), &names);
            assert_eq!(batches.iter().map(|batch| batch.len).sum::<usize>(), names.len());
            assert!(batches.iter().all(|batch| batch.search.len() <= LONGEST_SEARCH + 1));
            batches.iter().map(|batch| batch.len).collect::<Vec<_>>()
        };
        assert_eq!(lengths(&(0..120).map(|number| format!("auth0|{number}")).collect::<Vec<_>>()), [50, 50, 20]);
        assert_eq!(
            lengths(&(0..30).map(|number| format!("samlp|{number:0>400}")).collect::<Vec<_>>()),
            [6, 6, 6, 6, 6]
        );
        assert_eq!(lengths(&[]), [0; 0]);
    }

    #[test]
    fn an_id_stays_one_phrase() {
        let search = |ids: &[&str]| batches(users(), ids).pop().map(|batch| batch.search);
        assert_eq!(search(&[r#"ad|a" OR "b\c"#]).as_deref(), Some(r#"user_id:("ad|a\" OR \"b\\c")"#));
        assert_eq!(search(&["auth0|1", "sms|2"]).as_deref(), Some(r#"user_id:("auth0|1" OR "sms|2")"#));
    }
}
