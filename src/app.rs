//! The one file that knows every room: it wires them together and serves.

use std::future::Future;
use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::auth::{self, Authenticator};
use crate::auth0::{self, ManagementApi};
use crate::graphql::{self, Engine, GatewayMode, Limits};
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

impl App {
    /// Builds a gateway to the tenant of `auth0`, for the callers of `auth`.
    pub fn build(
        auth0: auth0::Settings,
        auth: auth::Settings,
        mode: GatewayMode,
        http: http::Settings,
    ) -> Result<Self, BuildError> {
        let authenticator = Arc::new(Authenticator::new(auth)?);
        let api = ManagementApi::new(auth0)?;
        let engine = Engine::new(api, mode, Limits::default())?;
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
