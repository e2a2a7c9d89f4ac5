//! Operations that may run, with everything about them that is the same each time: normal form, what they need, what they
//! ask, and how to answer. Front ends send the same few operations all day.

mod operations;

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::parser::types::ExecutableDocument;
use bytes::Bytes;

pub(crate) use self::operations::Operations;
use super::audit::Told;
use super::error::Failure;
use super::guarded_fields::{GuardedFieldUse, guarded_field_uses};
use super::limits::Limiter;
use super::operation::{Arguments, Field, Location, Name, Operation, Value};
use super::permission::{Authority, Permissions};
use super::plan::{Forbidden, JoinPlan, Needs, PagePlan, Plan, Planner, Plans as _};
use super::query::ROOT_FIELDS;
use super::question::{PageAsked, Question, Reading};
use super::requirements::Requirements;
use super::root_field::{RootField, Shape};
use super::type_system::TypeSystem;
use super::{introspection, json, local};

/// For how many authorities an operation's plans are kept. There are four scopes to hold; in practice callers come in two
/// or three kinds.
const KEPT_PLANS: usize = 8;

/// An operation that may run.
pub(crate) struct Prepared {
    pub(crate) operation: Operation,
    pub(crate) requirements: Requirements,
    /// What the audit tells of it.
    pub(crate) told: Told,
    /// The root fields, in the order in which they are answered.
    pub(crate) roots: Vec<Root>,
    /// The root fields that ask Auth0 the same, and so are answered by one call.
    pub(crate) calls: Vec<Vec<usize>>,
    /// What asks nothing of Auth0, for async-graphql to run.
    pub(crate) own: Option<ExecutableDocument>,
    plans: Mutex<Vec<(Authority, Arc<Plans>)>>,
}

/// A root field.
pub(crate) struct Root {
    pub(crate) key: Name,
    /// The response key as the answer has it, quotes and colon included.
    pub(crate) written_key: Box<[u8]>,
    pub(crate) location: Location,
    pub(crate) what: What,
}

/// What a root field is.
pub(crate) enum What {
    /// It asks Auth0.
    Asks(Box<Asks>),
    /// Its answer is known, in JSON.
    Known(Result<Bytes, Failure>),
    /// It is async-graphql's to answer.
    Own,
}

/// A root field that asks Auth0.
pub(crate) struct Asks {
    pub(crate) table: &'static RootField,
    pub(crate) question: Result<(Question, PageAsked), Failure>,
    /// What its arguments use that not everybody may see.
    pub(crate) guarded: Vec<GuardedFieldUse>,
}

/// How to answer an operation for callers of one authority.
pub(crate) struct Plans {
    /// By call.
    pub(crate) calls: Vec<CallPlan>,
    /// By root field; none for those that ask nothing of Auth0.
    pub(crate) roots: Vec<Option<RootPlan>>,
}

/// What to ask of Auth0.
pub(crate) struct CallPlan {
    pub(crate) needs: Needs,
    /// None where the question is out of bounds, or depends on who asks.
    pub(crate) reading: Option<Reading>,
}

/// What to make of what Auth0 answers.
pub(crate) struct RootPlan {
    pub(crate) shaped: Shaped,
    pub(crate) joins: Vec<JoinPlan>,
    pub(crate) forbidden: Vec<Forbidden>,
}

/// A plan for one of the shapes that root fields have.
pub(crate) enum Shaped {
    Page(PagePlan),
    List(Plan),
    Record(Plan),
}

impl Prepared {
    /// Works out what is the same each time, if the operation is within the limits.
    pub(crate) fn new(
        operation: Operation,
        types: &TypeSystem,
        limiter: &Limiter,
        permissions: Permissions,
    ) -> Result<Self, Failure> {
        let fields = &operation.fields;
        let mut calls: Vec<Vec<usize>> = Vec::new();
        for (place, field) in fields.iter().enumerate().filter(|(_, field)| table_of(field).is_some()) {
            match calls.iter_mut().find(|call| is_same_call(&fields[call[0]], field)) {
                Some(call) => call.push(place),
                None => calls.push(vec![place]),
            }
        }
        // Before any argument is read: the work for an operation is bounded by what it may ask.
        limiter.check_operation(types, &operation, calls.len())?;
        let mut roots: Vec<_> = fields.iter().map(|field| Root::new(types, field)).collect();
        note_guarded_fields(fields, &mut roots);
        let guarded = roots.iter().map(|root| match &root.what {
            What::Asks(asks) => &*asks.guarded,
            What::Known(_) | What::Own => &[],
        });
        let requirements = Requirements::of(&operation, types, permissions, guarded);
        let own = fields.iter().zip(&roots).filter(|(_, root)| matches!(root.what, What::Own));
        let own = local::document(types, own.map(|(field, _)| field));
        let told = Told::of(&operation);
        Ok(Self { operation, requirements, told, roots, calls, own, plans: Mutex::default() })
    }

    /// The bytes of the answers that are known.
    pub(crate) fn known_bytes(&self) -> usize {
        let known = self.roots.iter().map(|root| match &root.what {
            What::Known(Ok(json)) => json.len(),
            _ => 0,
        });
        known.sum()
    }

    /// The keys of the root fields that a call is for.
    pub(crate) fn keys_of_call(&self, call: usize) -> impl Iterator<Item = &Name> {
        self.calls.get(call).into_iter().flatten().filter_map(|root| self.key(*root))
    }

    /// The key of a root field.
    pub(crate) fn key(&self, root: usize) -> Option<&Name> {
        self.roots.get(root).map(|root| &root.key)
    }

    /// How to answer callers of this authority.
    pub(crate) fn plans(&self, authority: Authority) -> Arc<Plans> {
        let mut kept = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, plans)) = kept.iter().find(|(of, _)| *of == authority) {
            return Arc::clone(plans);
        }
        let plans = Arc::new(self.plan(authority));
        if kept.len() < KEPT_PLANS {
            kept.push((authority, Arc::clone(&plans)));
        }
        plans
    }

    fn plan(&self, authority: Authority) -> Plans {
        let roots: Vec<_> = self
            .roots
            .iter()
            .zip(&self.operation.fields)
            .map(|(root, field)| match &root.what {
                What::Asks(asks) => Some(RootPlan::new(asks.table.shape, &field.fields, authority)),
                What::Known(_) | What::Own => None,
            })
            .collect();
        let calls = self.calls.iter().map(|call| {
            let mut needs = Needs::default();
            call.iter().filter_map(|root| roots[*root].as_ref()).for_each(|root| root.shaped.add_needs(&mut needs));
            let question = match &self.roots[call[0]].what {
                What::Asks(asks) => asks.question.as_ref().ok(),
                What::Known(_) | What::Own => None,
            };
            CallPlan { reading: question.and_then(|(question, _)| question.read(&needs)), needs }
        });
        let calls = calls.collect();
        Plans { calls, roots }
    }
}

/// Reads the searches. What is out of bounds is not asked, and not read either.
fn note_guarded_fields(fields: &[Field], roots: &mut [Root]) {
    let asked: Vec<_> = fields
        .iter()
        .zip(roots)
        .filter_map(|(field, root)| match &mut root.what {
            What::Asks(asks) if asks.question.is_ok() => Some((field, &mut asks.guarded)),
            _ => None,
        })
        .collect();
    let uses = guarded_field_uses(asked.iter().map(|(field, _)| *field));
    for ((_, guarded), uses) in asked.into_iter().zip(uses) {
        *guarded = uses;
    }
}

fn table_of(field: &Field) -> Option<&'static RootField> {
    ROOT_FIELDS.iter().find(|table| field.name == table.name)
}

impl Root {
    fn new(types: &TypeSystem, field: &Field) -> Self {
        let key = field.key.clone();
        let mut written_key = Vec::new();
        json::write_string(&key, &mut written_key);
        written_key.push(b':');
        let what = match table_of(field) {
            Some(table) => What::Asks(Box::new(Asks { table, question: Question::of(field), guarded: Vec::new() })),
            None if field.name.starts_with("__") => What::Known(known(types, field)),
            None => What::Own,
        };
        Self { key, written_key: written_key.into(), location: field.location, what }
    }
}

fn known(types: &TypeSystem, field: &Field) -> Result<Bytes, Failure> {
    field.arguments.as_ref().map_err(Clone::clone)?;
    introspection::answer(types, field).map(Bytes::from)
}

impl RootPlan {
    fn new(shape: Shape, selection: &[Field], authority: Authority) -> Self {
        let mut planner = Planner::new(authority);
        let shaped = match shape {
            Shape::Page(page) => Shaped::Page(planner.page(page, selection)),
            Shape::List(object) => Shaped::List(planner.record(object, selection)),
            Shape::Record(object) => Shaped::Record(planner.record(object, selection)),
        };
        let Planner { forbidden, joins, .. } = planner;
        Self { shaped, joins, forbidden }
    }
}

impl Shaped {
    fn add_needs(&self, needs: &mut Needs) {
        match self {
            Self::Page(plan) => plan.add_needs(needs),
            Self::List(plan) | Self::Record(plan) => plan.add_needs(needs),
        }
    }
}

/// Whether two root fields in normal form are answered by one call.
pub(crate) fn is_same_call(one: &Field, other: &Field) -> bool {
    one.name == other.name && arguments(one).eq(arguments(other))
}

/// The arguments that say something: an optional one that is null asks the same as one that is absent.
fn arguments(field: &Field) -> impl Iterator<Item = (&Name, &Value)> {
    field.arguments.iter().flat_map(Arguments::iter).filter(|(_, value)| **value != Value::Null)
}

#[cfg(test)]
pub(super) mod tests;
