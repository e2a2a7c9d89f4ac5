//! The root of the schema as async-graphql has it: root fields that ask Auth0, and `gateway`, which it answers itself.

use std::sync::Arc;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, Object, ObjectType, OutputType, Positioned, ServerResult, Value,
};

use super::gateway::Gateway;
use super::register::register_root_fields;
use super::root::ROOT_FIELDS;
use crate::auth::Caller;
use crate::graphql::permission::Upstream;

/// The root of the schema.
pub(crate) struct Query;

/// The part of the root that async-graphql answers.
struct Local;

/// Reads users and logs of an Auth0 tenant. There are no mutations: the gateway is made so that it cannot change anything.
#[Object(name = "Query")]
impl Local {
    /// The gateway itself. Asks nothing of Auth0.
    async fn gateway(&self, ctx: &Context<'_>) -> async_graphql::Result<Gateway> {
        Ok(Gateway::new(ctx.data::<Caller>()?, ctx.data::<Arc<Upstream>>()?))
    }
}

impl OutputType for Query {
    fn type_name() -> std::borrow::Cow<'static, str> {
        Local::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        let name = Local::create_type_info(registry);
        register_root_fields(registry, &Local::type_name(), ROOT_FIELDS);
        name
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        Local.resolve(ctx, field).await
    }
}

impl ContainerType for Query {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        Local.resolve_field(ctx).await
    }
}

impl ObjectType for Query {}
