//! The WebSockets that are open: how many, and their end when the gateway stops.

use std::sync::Arc;

use tokio::sync::watch;

/// The open WebSockets of a gateway. The server that a WebSocket came from has let go of it, so that it is these that tell
/// when all have ended. Cheap to clone.
#[derive(Clone, Debug)]
pub struct WebSockets(Arc<watch::Sender<bool>>);

/// The place of one WebSocket among the others, held for as long as it is open.
#[derive(Debug)]
pub(crate) struct Place(watch::Receiver<bool>);

impl Default for WebSockets {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl WebSockets {
    /// Asks every WebSocket to answer what is under way and to close. None is opened any more.
    pub fn close(&self) {
        self.0.send_replace(true);
    }

    /// Waits until none is open. Each ends within the time that a request may take, and some seconds for its goodbye.
    pub async fn closed(&self) {
        self.0.closed().await;
    }

    /// A place, if fewer than `most` are taken and the gateway is not about to stop.
    pub(crate) fn enter(&self, most: usize) -> Option<Place> {
        let place = Place(self.0.subscribe());
        // Counted afterwards, so that of two that come at once at most one too many is sent away, and none let in.
        (self.0.receiver_count() <= most && !*self.0.borrow()).then_some(place)
    }
}

impl Place {
    /// Waits until the gateway is to stop.
    pub(crate) async fn closing(&mut self) {
        // Without a gateway there is nothing to serve either.
        let _ = self.0.wait_for(|is_closing| *is_closing).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_are_limited_and_given_back() {
        let sockets = WebSockets::default();
        let first = sockets.enter(2).unwrap();
        let mut second = sockets.enter(2).unwrap();
        assert!(sockets.enter(2).is_none());
        drop(first);
        let third = sockets.enter(2).unwrap();
        drop(third);
        sockets.close();
        second.closing().await;
        assert!(sockets.enter(2).is_none(), "none is opened any more");
        drop(second);
        sockets.closed().await;
    }
}
