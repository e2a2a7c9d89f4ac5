//! A read-only GraphQL gateway for the Auth0 Management API.

mod http;
