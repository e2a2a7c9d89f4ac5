//! The root operation types as async-graphql has them: fields that ask Auth0, and `gateway`, which it answers itself.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, Object, ObjectType, OutputType, Positioned, Response, ServerResult,
    SubscriptionType, Value,
};
use futures_util::Stream;

use super::gateway::Gateway;
use super::register::{register_root_fields, register_subscription};
use super::root::{ROOT_FIELDS, SUBSCRIPTION, SUBSCRIPTION_FIELDS};
use crate::auth::Caller;
use crate::graphql::permission::Upstream;

/// The root of queries.
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
    fn type_name() -> Cow<'static, str> {
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

/// The root of subscriptions, whose fields async-graphql knows, and answers none of.
pub(crate) struct Subscription;

impl SubscriptionType for Subscription {
    fn type_name() -> Cow<'static, str> {
        SUBSCRIPTION.into()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        register_subscription(registry, SUBSCRIPTION, SUBSCRIPTION_FIELDS);
        SUBSCRIPTION.to_owned()
    }

    fn create_field_stream<'a>(
        &'a self,
        _: &'a Context<'_>,
    ) -> Option<Pin<Box<dyn Stream<Item = Response> + Send + 'a>>> {
        None
    }
}
