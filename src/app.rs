//! The one file that knows every room: it wires them together and serves.

use std::future::Future;
use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::auth::{self, Authenticator};
use crate::auth0::{self, ManagementApi};
use crate::graphql::{self, Engine, GatewayMode, Limits, Permissions};
use crate::http;

/// The gateway, ready to serve.
pub struct App {
    router: axum::Router,
    authenticator: Arc<Authenticator>,
}

/// Why the gateway cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The means to tell callers apart.
    #[error(transparent)]
    Auth(#[from] auth::BuildError),
    /// The client for Auth0.
    #[error(transparent)]
    Auth0(#[from] auth0::BuildError),
    /// The schema.
    #[error(transparent)]
    Schema(#[from] graphql::BuildError),
}

/// What a gateway is built from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The tenant that it reads.
    pub tenant: auth0::Settings,
    /// What the tenant is.
    pub mode: GatewayMode,
    /// How the tenant is spared.
    pub care: auth0::Care,
    /// What an operation may cost.
    pub limits: Limits,
    /// How callers are told apart.
    pub auth: auth::Settings,
    /// How their scopes are held to.
    pub permissions: Permissions,
    /// How requests are met.
    pub http: http::Settings,
}

impl Settings {
    /// A gateway to `tenant` with the defaults of everything else.
    #[must_use]
    pub fn new(tenant: auth0::Settings) -> Self {
        Self {
            tenant,
            mode: GatewayMode::Tenant,
            care: auth0::Care::default(),
            limits: Limits::default(),
            auth: auth::Settings::default(),
            permissions: Permissions::default(),
            http: http::Settings::default(),
        }
    }
}

impl App {
    /// Builds a gateway.
    pub fn build(settings: Settings) -> Result<Self, BuildError> {
        let Settings { tenant, mode, care, limits, auth, permissions, http } = settings;
        let authenticator = Arc::new(Authenticator::new(auth)?);
        let api = ManagementApi::new(tenant, &care)?;
        let admits_anonymous = authenticator.admits_anonymous();
        let engine = Engine::new(api, graphql::Settings { mode, limits, permissions, admits_anonymous })?;
        Ok(Self { router: http::router(engine, Arc::clone(&authenticator), http), authenticator })
    }

    /// Serves on `listener` until `shutdown` resolves and the requests under way are answered.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let authenticator = self.authenticator;
        // So that the first caller need not wait for the keys, and the operator learns at once if there are none.
        tokio::spawn(async move { authenticator.warm_up().await });
        axum::serve(listener, self.router).with_graceful_shutdown(shutdown).await
    }
}
