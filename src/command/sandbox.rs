//! `sandbox`: the made-up tenant alone.

use anyhow::Context as _;

use super::{CommandError, UNAVAILABLE, banner, listen, print, shutdown_signal};
use crate::config::ServeSandbox;
use crate::sandbox::{Options, PublicKey, Sandbox, TokenRequest};

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

/// Prints an access token of the sandbox at `url`.
pub(super) async fn print_token(request: TokenRequest, url: &str) -> Result<(), CommandError> {
    let token = request.send(url).await.map_err(|error| CommandError::new(UNAVAILABLE, error))?;
    print(&format!("{token}\n"))?;
    Ok(())
}
