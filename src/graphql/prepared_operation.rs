//! Operations that may run, with everything about them that is the same each time: normal form, what they need, what they
//! ask, and how to answer. Front ends send the same few operations all day.

mod cache;

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value as Json;

pub(crate) use self::cache::OperationCache;
use super::audit::summary::AuditSummary;
use super::completion::complete;
use super::error::{GraphqlError, Location};
use super::field_request::{AnyApiRequest, FieldRequest, FieldRequestKind, TailRequest};
use super::field_result::FieldResult;
use super::guarded_fields::{GuardedFieldUse, guarded_field_uses, in_filter};
use super::introspection;
use super::limits::Limiter;
use super::operation::{Name, Operation, OperationType, SelectedField};
use super::permission::{Authority, OwnUser, Permissions, Upstream, authorize, authorize_self, authorize_strictly};
use super::plan::{
    CallCount, ExecutionPlan, PlanCompiler, RequiredKeys, cost, entity_calls, group_calls, root_calls,
    root_field_groups, worst_case,
};
use super::project::json;
use super::required_scopes::RequiredScopes;
use super::schema::federation::{self, Representation, lookups, representations};
use super::schema::local::LocalDocument;
use super::schema::root::{Access, RootField, root_field};
use super::type_system::TypeSystem;
use crate::auth::Caller;
use crate::auth0::ManagementApi;

/// The most authorities for which an operation's plans are kept, those that were asked for last. In practice callers come in two or
/// three kinds.
const KEPT_PLANS: usize = 8;

/// An operation that may run.
pub(crate) struct PreparedOperation {
    pub(crate) operation: Operation,
    pub(crate) requirements: RequiredScopes,
    pub(crate) audit: AuditSummary,
    /// The root fields, in the order in which they are answered.
    pub(crate) roots: Vec<PreparedField>,
    pub(crate) local: Option<LocalDocument>,
    /// The most calls that it can come to.
    pub(crate) calls_at_worst: CallCount,
    /// The one that was asked for last stands last.
    plans: Mutex<Vec<(Authority, Arc<ExecutionPlan>)>>,
}

/// A root field.
pub(crate) struct PreparedField {
    pub(crate) key: Name,
    /// The response key as the answer has it, quotes and colon included.
    pub(crate) written_key: Box<[u8]>,
    pub(crate) location: Location,
    /// True if nothing is answered where it is null.
    pub(crate) is_non_null: bool,
    pub(crate) kind: FieldSource,
}

/// The kind of a root field, by where its answer comes from.
pub(crate) enum FieldSource {
    /// Auth0.
    Upstream(Box<UpstreamField>),
    /// The answer itself: it is the same each time.
    Known(FieldResult),
    /// Joins alone, of records that the arguments name.
    Entities(Vec<Result<Representation, GraphqlError>>),
    /// The gateway.
    Local,
}

/// A root field that asks Auth0.
pub(crate) struct UpstreamField {
    pub(crate) table: &'static RootField,
    pub(crate) request: Result<FieldRequest, GraphqlError>,
    /// Uses, by its arguments, of fields that not everybody may see.
    guarded: Vec<GuardedFieldUse>,
}

/// The way to what a root field asks for.
pub(crate) enum Permitted<'a> {
    /// All of it.
    Any(&'a ManagementApi),
    /// The caller's own user.
    Own(OwnUser<'a>),
}

impl UpstreamField {
    /// The way to Auth0, and what is asked there, for callers who may ask it.
    pub(crate) fn permit<'a>(
        &'a self,
        upstream: &'a Upstream,
        caller: &Caller,
    ) -> Result<(Permitted<'a>, &'a FieldRequest), GraphqlError> {
        let permitted = match self.table.access {
            Access::Of(scope) => Permitted::Any(authorize(upstream, caller, scope)?),
            Access::Strict(scope) => Permitted::Any(authorize_strictly(upstream, caller, scope)?),
            Access::Own => Permitted::Own(authorize_self(upstream, caller)?),
        };
        let request = self.request.as_ref().map_err(Clone::clone)?;
        match self.guarded.iter().find(|used| !caller.holds(used.scope)) {
            Some(used) => Err((*used).into()),
            None => Ok((permitted, request)),
        }
    }
}

impl PreparedOperation {
    /// Works out what is the same each time, if the operation is within the limits.
    pub(crate) fn new(
        mut operation: Operation,
        types: &TypeSystem,
        limiter: &Limiter,
        permissions: Permissions,
    ) -> Result<Self, GraphqlError> {
        operation.fields.iter_mut().for_each(leave_out_unasked);
        let fields = &operation.fields;
        let groups = root_field_groups(fields);
        // Before any argument is read: the work for an operation is bounded by what it may ask.
        let certain = root_calls(fields, &groups, u64::MAX).saturating_add(entity_calls(fields));
        limiter.check_operation(certain, cost(types, &operation))?;
        let calls_at_worst = worst_case(fields, &groups, limiter.upstream_calls().into());
        if calls_at_worst.is_per_parent {
            limiter.check_joins(calls_at_worst.calls, calls_at_worst.largest_page)?;
        }
        let mut roots: Vec<_> = fields.iter().map(|field| PreparedField::new(types, field)).collect();
        note_guarded_fields(fields, &mut roots);
        let guarded = roots.iter().map(|root| root.upstream().map(|upstream| &*upstream.guarded).unwrap_or_default());
        let requirements = RequiredScopes::of(&operation, types, permissions, guarded);
        let local = fields.iter().zip(&roots).filter(|(_, root)| matches!(root.kind, FieldSource::Local));
        let local = LocalDocument::new(types, local.map(|(field, _)| field));
        let audit = AuditSummary::of(&operation);
        Ok(Self { operation, requirements, audit, roots, local, calls_at_worst, plans: Mutex::default() })
    }

    /// The one root field of a subscription, the access that it needs, and its request. None for queries.
    pub(crate) fn subscription(&self) -> Option<(&PreparedField, Access, Result<&TailRequest, GraphqlError>)> {
        if self.operation.kind != OperationType::Subscription {
            return None;
        }
        let root = self.roots.first()?;
        let upstream = root.upstream()?;
        let request = match &upstream.request {
            Ok(FieldRequest { kind: FieldRequestKind::Tail(request), .. }) => Ok(request),
            Ok(_) => Err(GraphqlError::bug("a subscription asks for no tail")),
            Err(refused) => Err(refused.clone()),
        };
        Some((root, upstream.table.access, request))
    }

    /// The bytes of the answers that are known.
    pub(crate) fn known_bytes(&self) -> usize {
        let known = self.roots.iter().map(|root| match &root.kind {
            FieldSource::Known(result) => result.size(),
            FieldSource::Upstream(_) | FieldSource::Entities(_) | FieldSource::Local => 0,
        });
        known.sum()
    }

    /// The search that was made of a root field's `filter`.
    pub(crate) fn generated_q(&self, root: usize) -> Option<&str> {
        let request = self.roots.get(root)?.upstream()?.request.as_ref().ok()?;
        request.generated.as_ref().map(|generated| &*generated.q)
    }

    /// The number of calls that one answer to these root fields, which share it, comes to.
    pub(crate) fn calls_of(&self, roots: &[usize]) -> u32 {
        u32::try_from(group_calls(&self.operation.fields, roots, u64::MAX)).unwrap_or(u32::MAX)
    }

    /// The key of a root field.
    pub(crate) fn key(&self, root: usize) -> Option<&Name> {
        self.roots.get(root).map(|root| &root.key)
    }

    /// The plan for callers of this authority.
    pub(crate) fn plan(&self, authority: Authority) -> Arc<ExecutionPlan> {
        let mut kept = self.plans.lock();
        if let Some(index) = kept.iter().position(|(of, _)| *of == authority) {
            kept[index..].rotate_left(1);
        } else {
            if kept.len() == KEPT_PLANS {
                kept.remove(0);
            }
            kept.push((authority, Arc::new(self.compile(authority))));
        }
        Arc::clone(&kept[kept.len() - 1].1)
    }

    fn compile(&self, authority: Authority) -> ExecutionPlan {
        let mut compiler = PlanCompiler::of(authority, &self.operation.fields);
        let fields =
            self.roots.iter().zip(&self.operation.fields).enumerate().map(|(index, (root, field))| match &root.kind {
                FieldSource::Upstream(upstream) => Some(compiler.root(index, upstream.table.shape, field)),
                FieldSource::Entities(asked) => Some(compiler.entities(index, asked, field)),
                FieldSource::Known(_) | FieldSource::Local => None,
            });
        let fields = fields.collect();
        compiler.finish(fields, |root, keys| self.request(root, keys))
    }

    /// The request of a root field for these keys, if it is the same for every caller.
    fn request(&self, root: usize, keys: &RequiredKeys) -> Option<AnyApiRequest> {
        let UpstreamField { table, request, .. } = self.roots.get(root)?.upstream()?;
        match &request.as_ref().ok()?.kind {
            FieldRequestKind::Shared(prepare) => Some(prepare(&keys.fields(table.shape.object()), keys.total)),
            FieldRequestKind::OwnUser(_) | FieldRequestKind::Connection(_) | FieldRequestKind::Tail(_) => None,
        }
    }
}

/// Reads the searches. What is out of bounds is not asked, and not read either.
fn note_guarded_fields(fields: &[SelectedField], roots: &mut [PreparedField]) {
    let asked: Vec<_> = fields
        .iter()
        .zip(roots)
        .filter_map(|(field, root)| match &mut root.kind {
            FieldSource::Upstream(upstream) if upstream.request.is_ok() => Some((field, &mut upstream.guarded)),
            _ => None,
        })
        .collect();
    let uses = guarded_field_uses(asked.iter().map(|(field, _)| *field));
    for ((_, guarded), uses) in asked.into_iter().zip(uses) {
        guarded.extend(uses);
    }
}

/// Leaves out the fields of types that no representation names, which nobody will be asked for.
fn leave_out_unasked(field: &mut SelectedField) {
    if let Some(asked) = representations(field) {
        let lookups = lookups(&asked);
        field.fields.retain(|field| lookups.iter().any(|(row, _)| field.parent == row.name));
    }
}

/// The value of a root field that is the same each time.
fn known(types: &TypeSystem, field: &SelectedField) -> Option<Result<Json, GraphqlError>> {
    match &field.arguments {
        Err(failure) => Some(Err(failure.clone())),
        Ok(_) if field.name == federation::SERVICE => Some(Ok(federation::service(field))),
        Ok(_) if field.name.starts_with("__") => Some(introspection::answer(types, field)),
        Ok(_) => None,
    }
}

impl PreparedField {
    fn new(types: &TypeSystem, field: &SelectedField) -> Self {
        let key = field.key.clone();
        let mut written_key = Vec::new();
        json::write_string(&key, &mut written_key);
        written_key.push(b':');
        let definition = types.field(&field.parent, &field.name);
        let is_non_null = definition.is_some_and(|definition| definition.ty.is_non_null());
        let kind = match root_field(field) {
            Some(table) => {
                let request = field.arguments.as_ref().map_err(Clone::clone).and_then(table.parse);
                let generated = request.as_ref().ok().and_then(|request| request.generated.as_ref());
                let guarded = generated.map(|generated| in_filter(table.shape.object(), &generated.paths));
                FieldSource::Upstream(Box::new(UpstreamField { table, request, guarded: guarded.unwrap_or_default() }))
            }
            None => match (known(types, field), representations(field)) {
                (Some(value), _) => FieldSource::Known(complete(types, field, value.as_ref().map_err(Clone::clone))),
                (None, Some(asked)) => FieldSource::Entities(asked),
                (None, None) => FieldSource::Local,
            },
        };
        Self { key, written_key: written_key.into(), location: field.location, is_non_null, kind }
    }

    fn upstream(&self) -> Option<&UpstreamField> {
        match &self.kind {
            FieldSource::Upstream(upstream) => Some(upstream),
            FieldSource::Known(_) | FieldSource::Entities(_) | FieldSource::Local => None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
