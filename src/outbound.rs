//! Outbound HTTP: what the gateway's own clients have in common.

use reqwest::{Client, ClientBuilder, redirect};

/// The gateway's `User-Agent`.
const USER_AGENT: &str = concat!("auth0-graphql/", env!("CARGO_PKG_VERSION"));

/// Begins an HTTP client. It follows no redirect, which would carry credentials to wherever it points.
pub(crate) fn client_builder(is_loopback: bool) -> ClientBuilder {
    let builder = Client::builder().user_agent(USER_AGENT).redirect(redirect::Policy::none());
    // No proxy knows the way to this machine's loopback.
    if is_loopback { builder.no_proxy() } else { builder }
}
