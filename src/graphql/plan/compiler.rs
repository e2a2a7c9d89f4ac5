//! The compiler of plans, from an operation in normal form.

use std::sync::Arc;

use super::{
    CallPlan, CallRequest, EntityPlan, ExecutionPlan, JoinPlan, Output, OutputField, PageOutput, PagePlan, PathStep,
    PathTemplate, Projection, RecordPlan, RequiredKeys, ShapePlan, Withheld, WithheldReason, may_see_all_of, non_null,
    root_field_groups,
};
use crate::graphql::error::GraphqlError;
use crate::graphql::field_request::AnyApiRequest;
use crate::graphql::operation::{Arguments, SelectedField};
use crate::graphql::permission::Authority;
use crate::graphql::schema::federation::{Representation, lookups};
use crate::graphql::schema::joins::{Fetch, Join, join};
use crate::graphql::schema::object::{Field, Guard, Kind, Object, PageKind, PageType, Shape};

/// Makes a plan for what one caller may be shown, and notes what has to be left out. Selections are in normal form: fields with
/// distinct response keys.
pub(crate) struct PlanCompiler {
    authority: Authority,
    calls: Vec<CallPlan>,
    joins: Vec<Option<JoinPlan>>,
    /// The calls of joins, with the arguments of each.
    join_calls: Vec<(usize, Arguments)>,
    /// The root field that is being planned.
    root: usize,
    /// The join whose projection is being planned, if it is one's.
    within: Option<usize>,
    /// The guard of the record that the present one is in.
    guard: Option<&'static Guard>,
    state: ProjectionState,
}

/// The state of the projection that is being planned.
#[derive(Default)]
struct ProjectionState {
    path: Vec<PathStep>,
    withheld: Vec<Withheld>,
    list_paths: Vec<PathTemplate>,
}

impl ProjectionState {
    fn path(&self) -> PathTemplate {
        PathTemplate(self.path.clone().into())
    }

    /// Adds a list at the present path, and gives its number.
    fn add_list(&mut self) -> usize {
        let path = self.path();
        self.list_paths.push(path);
        self.list_paths.len() - 1
    }
}

impl PlanCompiler {
    /// A compiler of projections alone.
    pub(crate) fn new(authority: impl Into<Authority>) -> Self {
        Self {
            authority: authority.into(),
            calls: Vec::new(),
            joins: Vec::new(),
            join_calls: Vec::new(),
            root: 0,
            within: None,
            guard: None,
            state: ProjectionState::default(),
        }
    }

    /// A compiler of the plan for an operation of these root fields.
    pub(crate) fn of(authority: Authority, fields: &[SelectedField]) -> Self {
        let calls = root_field_groups(fields).into_iter().map(|roots| CallPlan {
            request: CallRequest::Root(None),
            keys: RequiredKeys::default(),
            roots,
            joins: Vec::new(),
        });
        Self { calls: calls.collect(), ..Self::new(authority) }
    }

    /// The projection of the root field of this index.
    pub(crate) fn root(&mut self, root: usize, shape: Shape, field: &SelectedField) -> Projection {
        self.root = root;
        self.projection(shape, field)
    }

    /// The projection of the root field of this index, which asks for records by their keys.
    pub(crate) fn entities(
        &mut self,
        root: usize,
        representations: &[Result<Representation, GraphqlError>],
        field: &SelectedField,
    ) -> Projection {
        self.root = root;
        let outer = std::mem::take(&mut self.state);
        self.state.path.push(PathStep::Index);
        let planned = lookups(representations).into_iter().map(|(row, _)| {
            let join = self.joined(row, Ok(&Arguments::default()), field);
            (row, join.map_err(|reason| self.withhold(reason)))
        });
        let planned: Vec<_> = planned.collect();
        let entities = representations.iter().map(|asked| match asked {
            Ok(Representation { row, key }) => {
                match planned.iter().find_map(|(planned, join)| std::ptr::eq(*planned, *row).then_some(*join)) {
                    Some(Ok(join)) => EntityPlan::Join(join, key.clone()),
                    Some(Err(withheld)) => EntityPlan::Withheld(withheld),
                    None => EntityPlan::Withheld(
                        self.withhold(WithheldReason::Refused(GraphqlError::bug("a representation has no join"))),
                    ),
                }
            }
            Err(refused) => EntityPlan::Withheld(self.withhold(WithheldReason::Refused(refused.clone()))),
        });
        let shape = ShapePlan::Entities(entities.collect());
        let ProjectionState { withheld, list_paths, .. } = std::mem::replace(&mut self.state, outer);
        Projection { shape, withheld, list_paths }
    }

    /// The whole plan, once all its root fields have their projections. `request` makes the request of a root field, if it is the
    /// same for every caller.
    pub(crate) fn finish(
        self,
        fields: Vec<Option<Projection>>,
        request: impl Fn(usize, &RequiredKeys) -> Option<AnyApiRequest>,
    ) -> ExecutionPlan {
        let Self { mut calls, joins, .. } = self;
        let joins: Vec<_> = joins.into_iter().flatten().collect();
        for call in &mut calls {
            for join in &call.joins {
                joins[*join].projection.add_keys(&mut call.keys);
            }
            match &mut call.request {
                CallRequest::Root(ready) => {
                    let projections = call.roots.iter().filter_map(|root| fields.get(*root)?.as_ref());
                    projections.for_each(|projection| projection.add_keys(&mut call.keys));
                    // They ask the same: any of them speaks for all.
                    *ready = call.roots.first().and_then(|root| request(*root, &call.keys));
                }
                CallRequest::ByIds(row, _) => {
                    call.keys.keys.insert(row.shape.object().id_key());
                }
                CallRequest::PerParent(..) => {}
            }
        }
        ExecutionPlan { calls, fields, joins }
    }

    /// The projection of this shape, of which `field` tells what is selected.
    fn projection(&mut self, shape: Shape, field: &SelectedField) -> Projection {
        let outer = std::mem::take(&mut self.state);
        let shape = match shape {
            Shape::Page(page) => ShapePlan::Page(self.page(page, field)),
            Shape::List(object) => {
                let number = self.state.add_list();
                ShapePlan::List(self.elements(object, field), number)
            }
            Shape::Record(object) => ShapePlan::Record(self.record(object, field)),
            Shape::Connection(connection) => ShapePlan::Connection(self.record(connection.object, field), connection),
        };
        let ProjectionState { withheld, list_paths, .. } = std::mem::replace(&mut self.state, outer);
        Projection { shape, withheld, list_paths }
    }

    fn page(&mut self, page: &'static PageType, field: &SelectedField) -> PagePlan {
        let withheld = self.failure(page.name, field);
        let mut fields = Vec::new();
        for field in &field.fields {
            let output = match page.field(&field.name) {
                Some(row) if row.kind == PageKind::Nodes => self.at(field, |compiler| {
                    let number = compiler.state.add_list();
                    let mut plan = compiler.elements(page.object, field);
                    let cursor = plan.slots(page.cursor);
                    PageOutput::Nodes(plan, number, cursor)
                }),
                Some(row) => PageOutput::Fact(row.kind),
                None if field.name == "__typename" => PageOutput::Typename(page.name),
                // Validation has refused fields that the type does not have.
                None => continue,
            };
            OutputField::push(&mut fields, &field.key, matches!(output, PageOutput::Nodes(..)), output);
        }
        let (object, keys) = (page.object, page.cursor.to_vec());
        let cursor = RecordPlan { object, fields: Vec::new(), keys, id: None, withheld: None };
        PagePlan { fields, cursor, withheld }
    }

    /// The plan for each record of a list.
    fn elements(&mut self, object: &'static Object, field: &SelectedField) -> RecordPlan {
        self.state.path.push(PathStep::Index);
        let plan = self.record(object, field);
        self.state.path.pop();
        plan
    }

    fn record(&mut self, object: &'static Object, field: &SelectedField) -> RecordPlan {
        let withheld = self.failure(object.name, field);
        let mut plan = RecordPlan { object, fields: Vec::new(), keys: Vec::new(), id: None, withheld };
        for field in field.fields.iter().filter(|field| field.parent == object.name) {
            let row = object.field(&field.name);
            let output = match row {
                Some(row) => self.at(field, |compiler| compiler.output(row, field, &mut plan)),
                None if field.name == "__typename" => Output::Typename(object.name),
                None => match join(object, &field.name) {
                    Some(row) => self.at(field, |compiler| compiler.join(row, field, &mut plan)),
                    None => continue,
                },
            };
            OutputField::push(&mut plan.fields, &field.key, row.is_some_and(|row| row.is_non_null), output);
        }
        plan
    }

    fn output(&mut self, row: &'static Field, field: &SelectedField, plan: &mut RecordPlan) -> Output {
        if let Some(denied) = row.scope.and_then(|scope| self.authority.check(scope).err()) {
            return Output::Withheld(self.withhold(WithheldReason::MissingScope(denied)));
        }
        match &row.kind {
            Kind::Attributes(guard) => {
                // An object within a record in which secrets live has room for them, too.
                let guard = guard.or(self.guard).filter(|guard| !guard.is_lifted_for(self.authority.caller));
                Output::Attributes(self.authority.caller, guard)
            }
            Kind::Object(inner) => {
                let number = self.is_kept_back(row, plan.object).then(|| self.state.add_list());
                let inner = self.inside(plan.object, |compiler| compiler.record(inner, field));
                Output::Object(plan.slots(row.keys), inner, number)
            }
            Kind::Objects(inner) => {
                let (number, is_kept_back) = (self.state.add_list(), self.is_kept_back(row, plan.object));
                let inner = self.inside(plan.object, |compiler| compiler.elements(inner, field));
                Output::Objects(plan.slots(row.keys), inner, number, is_kept_back)
            }
            Kind::Guarded(guard) if guard.is_lifted_for(self.authority.caller) => {
                Output::Value(plan.slots(row.keys), &Kind::Json)
            }
            kind => {
                let slots = plan.slots(row.keys);
                if row.is_non_null && matches!(kind, Kind::Id) {
                    plan.id = Some(slots.clone());
                }
                Output::Value(slots, kind)
            }
        }
    }

    /// True if a value that has no form for this field of `object` is not in `attributes` either.
    fn is_kept_back(&self, row: &'static Field, object: &'static Object) -> bool {
        let guard = object.guard().or(self.guard).filter(|guard| !guard.is_lifted_for(self.authority.caller));
        guard.is_some() || !may_see_all_of(row, self.authority.caller)
    }

    /// Plans what is within records of `object`.
    fn inside<T>(&mut self, object: &'static Object, plan: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.guard;
        self.guard = object.guard().or(outer);
        let planned = plan(self);
        self.guard = outer;
        planned
    }

    /// Withholds what stands at the present path, and gives its number.
    fn withhold(&mut self, reason: WithheldReason) -> usize {
        let path = self.state.path();
        self.state.withheld.push(Withheld { path, reason });
        self.state.withheld.len() - 1
    }

    /// Withholds objects of this type at the present path, if they are errors.
    fn failure(&mut self, object: &str, field: &SelectedField) -> Option<usize> {
        field.failure(object).map(|failure| self.withhold(WithheldReason::Refused(failure.clone())))
    }

    fn join(&mut self, row: &'static Join, field: &SelectedField, plan: &mut RecordPlan) -> Output {
        match self.joined(row, field.arguments.as_ref(), field) {
            Ok(join) => Output::Join(plan.slots(row.keys), join),
            Err(reason) => Output::Withheld(self.withhold(reason)),
        }
    }

    /// The number of the join that this row makes at the present path.
    fn joined(
        &mut self,
        row: &'static Join,
        arguments: Result<&Arguments, &GraphqlError>,
        field: &SelectedField,
    ) -> Result<usize, WithheldReason> {
        if let Some(denied) = row.scopes.iter().find_map(|scope| self.authority.check(*scope).err()) {
            return Err(WithheldReason::MissingScope(denied));
        }
        let call = arguments.map_err(Clone::clone).and_then(|arguments| self.join_call(row, arguments));
        let call = call.map_err(WithheldReason::Refused)?;
        let join = self.joins.len();
        // The joins within it come behind it.
        self.joins.push(None);
        let (parent, guard) = (self.within.replace(join), self.guard.take());
        let mut projection = self.projection(row.shape, field);
        (self.within, self.guard) = (parent, guard);
        let id_slot = match &mut projection.shape {
            ShapePlan::Record(plan) => plan.slot_for(plan.object.id_key()),
            ShapePlan::Page(_) | ShapePlan::List(..) | ShapePlan::Connection(..) | ShapePlan::Entities(_) => 0,
        };
        let shared = &mut self.calls[call];
        shared.joins.push(join);
        if !shared.roots.contains(&self.root) {
            shared.roots = shared.roots.iter().copied().chain([self.root]).collect();
        }
        let index_in_call = shared.joins.len() - 1;
        let (path, root_index) = (self.state.path(), self.root);
        self.joins[join] =
            Some(JoinPlan { projection, path, parent, root_index, id_slot, call_index: call, index_in_call });
        Ok(join)
    }

    /// The call that asks this, another join's if there is one.
    fn join_call(&mut self, row: &'static Join, arguments: &Arguments) -> Result<usize, GraphqlError> {
        let is_same = |(call, known): &&(usize, Arguments)| {
            self.calls[*call].join().is_some_and(|known| std::ptr::eq(known, row))
                && non_null(known).eq(non_null(arguments))
        };
        if let Some((known, _)) = self.join_calls.iter().find(is_same) {
            return Ok(*known);
        }
        let request = match &row.fetch {
            Fetch::ByIds(by_ids) => CallRequest::ByIds(row, by_ids),
            Fetch::PerParent(parse) => CallRequest::PerParent(row, parse(arguments)?),
        };
        let call = self.calls.len();
        self.calls.push(CallPlan { request, keys: RequiredKeys::default(), roots: Arc::default(), joins: Vec::new() });
        self.join_calls.push((call, arguments.clone()));
        Ok(call)
    }

    /// Plans what stands at `field`.
    fn at<T>(&mut self, field: &SelectedField, plan: impl FnOnce(&mut Self) -> T) -> T {
        self.state.path.push(PathStep::Key(field.key.clone(), field.location));
        let planned = plan(self);
        self.state.path.pop();
        planned
    }
}
