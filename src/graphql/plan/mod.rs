//! Planning, from the normal form: the calls that an operation makes, and what becomes of their answers. Pure.

mod call_count;
mod compiler;
mod cost;
mod grouping;
mod required_keys;

use std::sync::Arc;

pub(crate) use self::call_count::{
    CallCount, JoinCount, entity_calls, group_calls, join_counts, root_calls, worst_case,
};
pub(crate) use self::compiler::PlanCompiler;
pub(crate) use self::cost::cost;
pub(crate) use self::grouping::root_field_groups;
use self::grouping::{is_same_call, non_null};
pub(crate) use self::required_keys::RequiredKeys;
use super::error::{GraphqlError, Location};
use super::field_request::{AnyApiRequest, JoinRequest};
use super::operation::Name;
use super::permission::MissingScopeError;
use super::project::json;
use super::schema::joins::{ByIds, Join};
use super::schema::object::{ConnectionType, Field, Guard, Kind, Object, PageKind};
use crate::auth::Scopes;

/// The plan of an operation, for callers of one authority.
#[derive(Default)]
pub(crate) struct ExecutionPlan {
    /// The calls of the root fields, in their order, and then those of the joins. What asks the same shares one.
    pub(crate) calls: Vec<CallPlan>,
    /// The projections of the root fields. None for those that ask nothing of Auth0.
    pub(crate) fields: Vec<Option<Projection>>,
    pub(crate) joins: Vec<JoinPlan>,
}

/// A call to Auth0, or several that differ in the records that they are about.
pub(crate) struct CallPlan {
    pub(crate) request: CallRequest,
    pub(crate) keys: RequiredKeys,
    /// The root fields that share it, or below which its joins stand.
    pub(crate) roots: Arc<[usize]>,
    /// The joins that share it.
    pub(crate) joins: Vec<usize>,
}

/// The request of a call.
pub(crate) enum CallRequest {
    /// A request of root fields. None where the arguments are out of bounds, or the request depends on who asks.
    Root(Option<AnyApiRequest>),
    /// Searches of a join for records by their ids.
    ByIds(&'static Join, &'static ByIds),
    /// A request of a join for each parent.
    PerParent(&'static Join, JoinRequest),
}

impl CallPlan {
    /// The join whose records it is for. None for a call of root fields.
    pub(crate) fn join(&self) -> Option<&'static Join> {
        match self.request {
            CallRequest::Root(_) => None,
            CallRequest::ByIds(row, _) | CallRequest::PerParent(row, _) => Some(row),
        }
    }
}

impl ExecutionPlan {
    /// The calls of the root fields.
    pub(crate) fn root_calls(&self) -> impl Iterator<Item = &CallPlan> {
        self.calls.iter().take_while(|call| call.join().is_none())
    }
}

/// The projection of a call's response into the value of one field.
pub(crate) struct Projection {
    pub(crate) shape: ShapePlan,
    /// Fields that stand as null, and why.
    pub(crate) withheld: Vec<Withheld>,
    /// The paths of the lists of records, by their numbers.
    pub(crate) list_paths: Vec<PathTemplate>,
}

/// A plan for one of the shapes that answers have.
pub(crate) enum ShapePlan {
    Page(PagePlan),
    /// A list, with its number.
    List(RecordPlan, usize),
    Record(RecordPlan),
    /// A connection, with the records' object and the keys that their order goes by.
    Connection(RecordPlan, &'static ConnectionType),
    /// A list of records that were named by their keys.
    Entities(Vec<EntityPlan>),
}

/// The plan for a record that was named by its key.
pub(crate) enum EntityPlan {
    /// The record that this one of the plan's joins has for the key.
    Join(usize, Box<str>),
    /// This one of the projection's withheld fields.
    Withheld(usize),
}

/// A field that joins records of another endpoint to those that it stands in.
pub(crate) struct JoinPlan {
    pub(crate) projection: Projection,
    /// Its path in the projection that it is a part of.
    pub(crate) path: PathTemplate,
    /// The join in whose projection it stands; none where that is a root field's.
    pub(crate) parent: Option<usize>,
    /// The root field below which it stands.
    pub(crate) root_index: usize,
    /// The slot of the joined record's id, where it is found by that.
    pub(crate) id_slot: usize,
    /// The one of the plan's calls that brings its records.
    pub(crate) call_index: usize,
    /// Its index among the call's joins.
    pub(crate) index_in_call: usize,
}

/// A path in a projection, with the place of each of its fields in the document. List indices are known when it is run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PathTemplate(pub(crate) Box<[PathStep]>);

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PathStep {
    Key(Name, Location),
    Index,
}

/// A field that is null whatever Auth0 answers.
#[derive(Debug)]
pub(crate) struct Withheld {
    pub(crate) path: PathTemplate,
    pub(crate) reason: WithheldReason,
}

/// The reason why a field is withheld.
#[derive(Debug)]
pub(crate) enum WithheldReason {
    MissingScope(MissingScopeError),
    /// Its arguments are out of bounds, or a condition among its fields is null.
    Refused(GraphqlError),
}

impl WithheldReason {
    /// The error of the field.
    pub(crate) fn report(&self) -> GraphqlError {
        match self {
            Self::MissingScope(denied) => denied.report(),
            Self::Refused(failure) => failure.clone(),
        }
    }
}

/// The projection of one record.
pub(crate) struct RecordPlan {
    pub(crate) object: &'static Object,
    pub(crate) fields: Vec<OutputField<Output>>,
    /// The keys whose values are needed; a key's place here is its slot.
    pub(crate) keys: Vec<&'static str>,
    /// The slots of an id without which there is no record.
    pub(crate) id: Option<Slots>,
    /// The one of the projection's withheld fields that every record is.
    pub(crate) withheld: Option<usize>,
}

/// The projection of a page.
pub(crate) struct PagePlan {
    pub(crate) fields: Vec<OutputField<PageOutput>>,
    /// The part of a record that the cursor is read from: keys, and no fields.
    pub(crate) cursor: RecordPlan,
    /// The one of the projection's withheld fields that the page is.
    pub(crate) withheld: Option<usize>,
}

/// One entry of the answer.
pub(crate) struct OutputField<O> {
    /// The bytes before its value: the response key, between the brace or the comma in front of it and the colon.
    pub(crate) lead: Box<[u8]>,
    /// True if the answer is null where its value would be.
    pub(crate) is_non_null: bool,
    pub(crate) output: O,
}

impl<O> OutputField<O> {
    fn push(fields: &mut Vec<Self>, key: &Name, is_non_null: bool, output: O) {
        let mut lead = vec![if fields.is_empty() { b'{' } else { b',' }];
        json::write_string(key, &mut lead);
        lead.push(b':');
        fields.push(Self { lead: lead.into(), is_non_null, output });
    }

    /// The end of the object that has these entries.
    pub(crate) fn end(fields: &[Self]) -> &'static [u8] {
        if fields.is_empty() { b"{}" } else { b"}" }
    }
}

/// The value of one entry of a record.
pub(crate) enum Output {
    Typename(&'static str),
    /// The first of these slots that holds a value, as this kind gives it out.
    Value(Slots, &'static Kind),
    /// An object. Where one that is none would be kept from this caller, it is told of under this number.
    Object(Slots, RecordPlan, Option<usize>),
    /// A list of objects, with its number. True if what is no list would be kept from this caller, and is to be told of.
    Objects(Slots, RecordPlan, usize, bool),
    /// The record that this one of the plan's joins has for the value in these slots.
    Join(Slots, usize),
    /// Everything that the table does not know, as far as there is no guard, and of what it knows only that which this caller may see.
    Attributes(Scopes, Option<&'static Guard>),
    /// This one of the projection's withheld fields.
    Withheld(usize),
}

/// The value of one entry of a page.
pub(crate) enum PageOutput {
    Typename(&'static str),
    /// The records, the number of their list, and the slots of the cursor.
    Nodes(RecordPlan, usize, Slots),
    Fact(PageKind),
}

/// Places in [`RecordPlan::keys`], the preferred one first.
pub(crate) type Slots = Box<[u16]>;

impl RecordPlan {
    fn slots(&mut self, keys: &'static [&'static str]) -> Slots {
        // A table has some fifty keys.
        keys.iter().map(|key| u16::try_from(self.slot_for(key)).unwrap_or(u16::MAX)).collect()
    }

    /// The slot of `key`, whose value is needed.
    fn slot_for(&mut self, key: &'static str) -> usize {
        self.slot(key).unwrap_or_else(|| {
            self.keys.push(key);
            self.keys.len() - 1
        })
    }

    /// The slot of `key`, if its value is needed.
    pub(crate) fn slot(&self, key: &str) -> Option<usize> {
        self.keys.iter().position(|known| *known == key)
    }

    /// True if the answer takes in keys that the table does not know.
    pub(crate) fn keeps_unknown(&self) -> bool {
        self.fields.iter().any(|field| matches!(field.output, Output::Attributes(..)))
    }
}

/// True if nothing that may stand in the field's value is kept from whoever may see this much. An identity where a list of them
/// should be has tokens in it all the same.
pub(crate) fn may_see_all_of(field: &Field, authority: Scopes) -> bool {
    let inner = match &field.kind {
        Kind::Object(inner) | Kind::Objects(inner) => inner.fields,
        Kind::Guarded(guard) | Kind::Attributes(Some(guard)) if !guard.is_lifted_for(authority) => return false,
        _ => &[],
    };
    field.scope.is_none_or(|scope| authority.holds(scope)) && inner.iter().all(|field| may_see_all_of(field, authority))
}
