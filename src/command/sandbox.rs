//! `sandbox`: the made-up tenant alone.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::{CommandError, UNAVAILABLE, banner, listen, print, shutdown_signal};
use crate::config::ServeSandbox;
use crate::sandbox::{Options, PublicKey, Sandbox, TokenRequest};

/// Longest time that a sandbox on this machine may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Runs the sandbox until the program is asked to stop.
pub(super) async fn run(serve: ServeSandbox) -> Result<(), CommandError> {
    let shutdown = shutdown_signal()?;
    let ServeSandbox { address, options, assertion_key_file, log: _ } = serve;
    let client_key = assertion_key_file.as_deref().map(PublicKey::of_private_key_file).transpose()?;
    let listener = listen(address).await?;
    let sandbox = Sandbox::start(Options { client_key, ..options }, listener);
    let sandbox = sandbox.await.context("cannot start the sandbox")?;
    print(&banner::sandbox_settings(&sandbox, assertion_key_file.as_deref()))?;
    shutdown.await;
    Ok(())
}

/// A token that a sandbox did not give.
#[derive(Debug, thiserror::Error)]
enum TokenError {
    /// No answer at the URL.
    #[error(
        "no sandbox answers at {url}. Start one with `auth0-graphql sandbox`, or give the address that `serve --sandbox` printed"
    )]
    Unreachable {
        /// The URL that was asked.
        url: String,
        /// The cause.
        #[source]
        source: reqwest::Error,
    },
    /// An answer of something that is no sandbox.
    #[error("what answers at {url} is not a sandbox")]
    NotASandbox {
        /// The URL that was asked.
        url: String,
    },
}

/// Prints an access token of the sandbox at `url`, such as `http://127.0.0.1:4000`.
pub(super) async fn print_token(request: TokenRequest, url: &str) -> Result<(), CommandError> {
    let token = token(&request, url).await.map_err(|error| CommandError::new(UNAVAILABLE, error))?;
    print(&format!("{token}\n"))?;
    Ok(())
}

async fn token(request: &TokenRequest, url: &str) -> Result<String, TokenError> {
    let url = url.trim_end_matches('/');
    let unreachable = |source: reqwest::Error| TokenError::Unreachable { url: url.to_owned(), source };
    let not_a_sandbox = || TokenError::NotASandbox { url: url.to_owned() };
    let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build().map_err(unreachable)?;
    let request = client.post(format!("{url}/_sandbox/tokens")).json(request);
    let response = request.send().await.map_err(|error| unreachable(error.without_url()))?;
    let body: Value = response.json().await.map_err(|_| not_a_sandbox())?;
    body["access_token"].as_str().map(str::to_owned).ok_or_else(not_a_sandbox)
}
