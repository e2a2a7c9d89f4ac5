//! `sandbox`: the made-up tenant, alone or for a gateway.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;

use super::tenant::OpenTenant;
use super::{CommandError, UNAVAILABLE, banner, listen, print, shutdown_signal};
use crate::auth::{Issuer, Scope, TokenSettings};
use crate::auth0::{Domain, Settings};
use crate::config::ServeSandbox;
use crate::graphql::GatewayMode;
use crate::sandbox::{GATEWAY_AUDIENCE, Options, Sandbox, TokenRequest};

/// Lifetime of the playground's token, in seconds: longer than a sandbox is tried out at a stretch.
const PLAYGROUND_TOKEN_LIFETIME: i64 = 30 * 86_400;

/// Runs the sandbox until the program is asked to stop.
pub(super) async fn run(serve: ServeSandbox) -> Result<(), CommandError> {
    let shutdown = shutdown_signal()?;
    let listener = listen(serve.address).await?;
    let sandbox = Sandbox::start(serve.options, listener).await.context("cannot start the sandbox")?;
    print(&banner::sandbox_settings(&sandbox))?;
    shutdown.await;
    Ok(())
}

/// Prints an access token of the sandbox at `url`.
pub(super) async fn print_token(request: TokenRequest, url: &str) -> Result<(), CommandError> {
    let token = request.send(url).await.map_err(|error| CommandError::new(UNAVAILABLE, error))?;
    print(&format!("{token}\n"))?;
    Ok(())
}

/// Starts a sandbox for a gateway.
pub(super) async fn open(options: Options) -> Result<OpenTenant, CommandError> {
    let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let sandbox = Sandbox::start(options, listener).await.context("cannot start the sandbox")?;
    let client = sandbox.client();
    let settings = Settings {
        domain: Domain::parse(&sandbox.url())?,
        audience: sandbox.audience(),
        client_id: client.id,
        client_secret: client.secret,
    };
    let tokens = TokenSettings {
        issuer: Issuer::parse(&sandbox.issuer())?,
        audiences: vec![GATEWAY_AUDIENCE.to_owned()],
        keys: None,
    };
    let scope = Scope::ALL.map(Scope::as_str).join(" ");
    let request = TokenRequest { scope, expires_in: PLAYGROUND_TOKEN_LIFETIME, ..TokenRequest::default() };
    let playground_token = request.send(&sandbox.url()).await.context("the sandbox issues no tokens")?;
    Ok(OpenTenant {
        settings,
        mode: GatewayMode::Sandbox,
        name: "sandbox, made up and in memory".to_owned(),
        people: banner::people(&sandbox.people()),
        tokens: Some(tokens),
        playground_token: Some(playground_token.into()),
        _sandbox: Some(sandbox),
    })
}
