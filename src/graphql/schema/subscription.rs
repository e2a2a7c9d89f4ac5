//! The root of subscriptions, as async-graphql has it.

use std::borrow::Cow;
use std::pin::Pin;

use async_graphql::registry::Registry;
use async_graphql::{Context, Response, SubscriptionType};
use futures_util::Stream;

use super::register::register_subscription;
use super::root::{SUBSCRIPTION, SUBSCRIPTION_FIELDS};

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
