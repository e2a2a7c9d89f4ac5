//! The one file that knows every room: it wires them together and serves.

use std::future::Future;
use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::auth::{self, Authenticator};
use crate::auth0::{self, ManagementApi};
use crate::graphql::{self, DocumentSettings, Engine, GatewayMode, Limits};
use crate::http;

/// The gateway, ready to serve.
pub struct App {
    router: axum::Router,
    authenticator: Arc<Authenticator>,
    sockets: http::WebSockets,
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
    /// Which documents are run.
    pub documents: DocumentSettings,
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
            documents: DocumentSettings::default(),
            http: http::Settings::default(),
        }
    }
}

impl App {
    /// Builds a gateway. Needs to be called within a runtime, which keeps its trusted documents up to date.
    pub fn build(settings: Settings) -> Result<Self, BuildError> {
        let Settings { tenant, mode, care, limits, auth, documents, http } = settings;
        let authenticator = Arc::new(Authenticator::new(auth)?);
        let api = ManagementApi::new(tenant, &care)?;
        let engine = Engine::new(api, mode, limits, documents)?;
        if let Some(keep_up) = engine.keep_up() {
            tokio::spawn(keep_up);
        }
        let sockets = http::WebSockets::default();
        let router = http::router(engine, Arc::clone(&authenticator), http, sockets.clone());
        Ok(Self { router, authenticator, sockets })
    }

    /// Serves on `listener` until `shutdown` resolves and the requests under way are answered.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let Self { router, authenticator, sockets } = self;
        // So that the first caller need not wait for the keys, and the operator learns at once if there are none.
        tokio::spawn(async move { authenticator.warm_up().await });
        let closing = sockets.clone();
        let shutdown = async move {
            shutdown.await;
            closing.close();
        };
        axum::serve(listener, router).with_graceful_shutdown(shutdown).await?;
        sockets.closed().await;
        Ok(())
    }
}
