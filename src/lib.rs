//! A read-only GraphQL gateway for the Auth0 Management API.

#[cfg(feature = "sandbox")]
pub mod sandbox;
