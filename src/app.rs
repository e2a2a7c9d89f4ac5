//! Placeholder: the wiring of the rooms.

use std::future::Future;
use std::io;

use tokio::net::TcpListener;

use crate::config::Config;

/// The gateway, ready to serve.
pub struct App;

impl App {
    /// Builds the gateway.
    ///
    /// # Errors
    ///
    /// When a room cannot be built.
    pub fn build(_config: &Config) -> Result<Self, io::Error> {
        Ok(Self)
    }

    /// Serves until `shutdown` resolves.
    ///
    /// # Errors
    ///
    /// When the listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        axum::serve(listener, axum::Router::new())
            .with_graceful_shutdown(shutdown)
            .await
    }
}
