//! The phases of a graceful shutdown, and the signal that tells them to connections.

use tokio::sync::watch;

/// Phase of a server's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Requests are taken.
    Serving,
    /// Requests are taken, and `/readyz` says that they soon will not be.
    Stopping,
    /// Requests under way are finished, and no other is begun.
    Draining,
    /// No request is waited for any more.
    Over,
}

/// The shutdown signal. Cheap to clone: all clones share the phase.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown(watch::Sender<Phase>);

impl Shutdown {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Phase::Serving))
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.0.send_replace(phase);
    }

    /// The phases to come, for a connection. It is waited for until this is dropped.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Phase> {
        self.0.subscribe()
    }

    /// Waits until the last connection is gone.
    pub(crate) async fn drained(&self) {
        self.0.closed().await;
    }
}
