//! Auth0's buckets and the gateway's callers, on a clock of their own: a minute takes milliseconds.

mod auth0;
mod client;
mod fleet;
mod membership;
mod promises;
mod properties;
mod run;
mod store;
