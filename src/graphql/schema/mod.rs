//! The schema, and async-graphql with it: object tables, root fields, inputs, registration, and SDL.

pub(crate) mod connection;
pub(crate) mod federation;
pub(crate) mod filter;
pub(crate) mod gateway;
pub(crate) mod input;
pub(crate) mod joins;
pub(crate) mod local;
pub(crate) mod log;
pub(crate) mod log_type;
pub(crate) mod object;
pub(crate) mod outcome;
mod register;
pub(crate) mod requires_scope;
pub(crate) mod root;
mod root_types;
pub(crate) mod scalar;
pub(crate) mod user;
mod user_lists;

use async_graphql::{EmptyMutation, SDLExportOptions, SchemaBuilder};

use self::root_types::{Query, Subscription};

/// The schema, as async-graphql has it.
pub(crate) type Schema = async_graphql::Schema<Query, EmptyMutation, Subscription>;

/// The schema in GraphQL's schema definition language.
#[must_use]
pub fn sdl() -> String {
    write_sdl(&schema().finish())
}

/// Description of the schema itself. async-graphql has no place for it.
const DESCRIPTION: &str = "Users and logs of an Auth0 tenant, read through the Auth0 Management API. There are no \
    mutations: the gateway cannot write.";

pub(crate) fn write_sdl(schema: &Schema) -> String {
    let options = SDLExportOptions::new().include_specified_by().prefer_single_line_descriptions();
    schema.sdl_with_options(options).replace("\nschema {", &format!("\n\"{DESCRIPTION}\"\nschema {{"))
}

/// The schema, to be finished.
pub(crate) fn schema() -> SchemaBuilder<Query, EmptyMutation, Subscription> {
    async_graphql::Schema::build(Query, EmptyMutation, Subscription)
}
