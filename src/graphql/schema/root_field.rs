//! What a root field's table is, and how such tables become a part of the schema.

use async_graphql::registry::{MetaType, Registry};

use super::object::{Argument, Shape, guarded_field, register_builtin_scalars};
use super::query::ROOT_FIELDS;
use crate::auth::Scope;
use crate::graphql::error::GraphqlError;
use crate::graphql::operation::Arguments;
use crate::graphql::plan::Request;

/// A root field: what is asked of Auth0 with which arguments, and what comes of it.
pub(crate) struct RootField {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) access: Access,
    pub(crate) shape: Shape,
    pub(crate) arguments: &'static [Argument],
    /// What it asks with these arguments, which fit their types; refused where they are out of bounds.
    pub(crate) parse: fn(&Arguments) -> Result<Request, GraphqlError>,
}

/// What it takes to be answered.
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
    fn scope(self) -> Option<Scope> {
        match self {
            Self::Of(scope) | Self::Strict(scope) => Some(scope),
            Self::Own => None,
        }
    }
}

/// The root field of this name, if it is one that asks Auth0.
pub(crate) fn root_field(name: &str) -> Option<&'static RootField> {
    ROOT_FIELDS.iter().find(|field| field.name == name)
}

/// Adds `fields` to the registered type `root`, before those that it has.
pub(crate) fn register_root_fields(registry: &mut Registry, root: &str, fields: &'static [RootField]) {
    register_builtin_scalars(registry);
    let ours: Vec<_> = fields
        .iter()
        .map(|field| {
            let ty = field.shape.register(registry);
            let (name, mut meta) =
                guarded_field(registry, field.name, field.description, "\n", field.access.scope(), ty);
            meta.args = field.arguments.iter().map(|argument| argument.register(registry)).collect();
            (name, meta)
        })
        .collect();
    if let Some(MetaType::Object { fields, .. }) = registry.types.get_mut(root) {
        let theirs = std::mem::take(fields);
        fields.extend(ours.into_iter().chain(theirs));
    }
}
