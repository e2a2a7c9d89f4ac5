//! A read-only GraphQL gateway for the Auth0 Management API.

pub mod app;
pub mod auth;
pub mod auth0;
pub mod command;
pub mod config;
pub mod deadline;
pub mod graphql;
pub mod http;
mod outbound;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod shared_state;
mod single_flight;
pub mod telemetry;
