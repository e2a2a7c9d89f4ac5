//! A read-only GraphQL gateway for the Auth0 Management API.

pub mod app;
pub mod auth;
pub mod auth0;
pub mod config;
pub mod doctor;
pub mod graphql;
pub mod http;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod telemetry;
