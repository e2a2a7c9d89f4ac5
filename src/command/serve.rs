//! `serve`: the gateway.

use std::net::SocketAddr;

use anyhow::Context as _;
use sd_notify::NotifyState;
use tokio::sync::oneshot;

use super::banner::{Banner, Callers};
use super::tenant::OpenTenant;
use super::{CommandError, ShutdownSignals, listen, print, reload};
use crate::app::{App, Settings};
use crate::auth0::ManagementApi;
use crate::config::{self, Serve, Server, Tenant};
use crate::telemetry::Log;

/// Serves until the program is asked to stop, and requests under way are finished or it is asked again.
pub(super) async fn run(serve: Serve, log: Log) -> Result<(), CommandError> {
    // First, so that a signal that comes while starting is not lost.
    let mut signals = ShutdownSignals::new()?;
    let reload_on_hangup = reload::on_hangup()?;
    for warning in serve.warnings() {
        tracing::warn!("{warning}");
    }
    let Serve { tenant, policy, limits, permissions, documents, auth, server, redis, log: _, exposed_files: _ } = serve;
    let Server { address, admin_address, mut http } = server;
    let tenant = OpenTenant::open(tenant).await?;
    let is_meant_to_be_open = auth.allow_anonymous;
    let takes_sandbox_tokens = tenant.tokens.is_some() && auth.tokens.is_none();
    let auth = tenant.auth(auth);
    if takes_sandbox_tokens {
        http.playground_token = tenant.playground_token;
    }
    let callers = Callers::new(&auth, takes_sandbox_tokens);
    let (is_open, playground, has_tls) = (auth.admits_anonymous(), http.playground, http.certificate.is_some());
    let has_allowed_hosts = !http.allowed_hosts.is_empty();
    let settings = Settings {
        tenant: tenant.settings,
        mode: tenant.mode,
        policy,
        limits,
        auth,
        permissions,
        documents,
        http,
        shared_state: redis.map(Into::into),
    };
    let mut app = App::build(settings).context("cannot build the gateway")?;
    if let Some(address) = admin_address {
        let listener = listen(address).await?;
        let address = listener.local_addr()?;
        tracing::info!(%address, "listening for metrics and health");
        app = app.with_admin(listener);
    }
    let listener = listen(address).await?;
    let address = listener.local_addr()?;
    if is_open {
        warn_of_openness(address, is_meant_to_be_open, has_allowed_hosts);
    }
    tracing::info!(%address, "listening");
    let program = config::program_name();
    let banner = Banner {
        program: &program,
        address,
        has_tls,
        playground,
        tenant: &tenant.name,
        callers,
        people: tenant.people,
    };
    print(&banner.text())?;
    let reloading = reload_on_hangup(app.reloader(), log);
    notify(NotifyState::Ready);
    let (stop, stopped) = oneshot::channel();
    let asked_twice = async move {
        signals.next().await;
        notify(NotifyState::Stopping);
        // It ends with the gateway.
        let _ = stop.send(());
        signals.next().await;
    };
    tokio::select! {
        () = app.serve(listener, async { drop(stopped.await) }) => tracing::info!("stopped"),
        () = asked_twice => tracing::warn!("stopped at once, for a second signal: requests under way are cut off"),
    }
    reloading.abort();
    Ok(())
}

/// Tells systemd, if it has started the program and asked for that.
fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd cannot be told of the program's state");
    }
}

/// Tells that the settings are sound, and what is hardly meant. Reading them has read the files that they name.
pub(super) fn check(serve: Serve) -> Result<(), CommandError> {
    let mut told = "The settings are sound.\n".to_owned();
    for warning in serve.warnings() {
        told += &format!("\nWarning: {warning}.\n");
    }
    // Needed although no setting names it, such as the system's root certificates.
    let api = match serve.tenant {
        Tenant::Auth0(settings) => Some(ManagementApi::new(settings, &serve.policy)),
        #[cfg(feature = "sandbox")]
        Tenant::Sandbox { .. } => None,
    };
    api.transpose().context("cannot set up the client of Auth0")?;
    print(&told)?;
    Ok(())
}

fn warn_of_openness(address: SocketAddr, is_meant: bool, has_allowed_hosts: bool) {
    if is_meant {
        tracing::warn!(%address, "ALLOW_ANONYMOUS is yes: whoever reaches this address can read the tenant without credentials");
    }
    if !address.ip().to_canonical().is_loopback() && !has_allowed_hosts {
        tracing::warn!(
            %address,
            "ALLOWED_HOSTS is empty: requests that name this machine otherwise than localhost are answered 421"
        );
    }
}
