//! What a WebSocket has of the server that it was opened by.

use std::sync::Arc;

use axum::http::{Extensions, Version};
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::http::connection::{Carrier, Phase};

/// The place of a WebSocket among the connections, and the server's word on how long it may last. It is counted, and waited
/// for when the gateway stops, until this is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    carrier: Arc<Carrier>,
    version: Version,
    phase: watch::Receiver<Phase>,
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Place {
    /// The place of the WebSocket that is opened by a request of this version with these extensions; none if all are taken.
    pub(crate) fn take(extensions: &Extensions, version: Version) -> Option<Self> {
        let carrier = extensions.get::<Arc<Carrier>>()?;
        let permit = carrier.place(version)?;
        Some(Self { carrier: Arc::clone(carrier), version, phase: carrier.phase(), _permit: permit })
    }

    /// Keeps the connection, where it goes on under the WebSocket, until what is given back is dropped. It is the WebSocket's
    /// business then whether its client is still there.
    pub(crate) fn keep_connection(&self) -> impl Drop + use<> {
        self.carrier.begin(self.version)
    }

    /// Waits until the gateway is to stop.
    pub(crate) async fn stopping(&mut self) {
        // Without a server there is nothing to serve either.
        let _ = self.phase.wait_for(|phase| *phase != Phase::Serving).await;
    }

    /// Waits until there is no time left.
    pub(crate) async fn over(mut self) {
        let _ = self.phase.wait_for(|phase| *phase == Phase::Over).await;
    }
}
