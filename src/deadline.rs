//! Deadlines: the moment at which a caller stops waiting.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The moment at which whoever asked stops waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

/// The deadline came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the deadline has passed")]
pub struct Elapsed;

impl Deadline {
    /// A deadline that far from now.
    #[must_use]
    pub fn within(time: Duration) -> Self {
        // A century, for a time that the clock cannot hold.
        const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
        let now = Instant::now();
        Self(now.checked_add(time).unwrap_or_else(|| now + FOREVER))
    }

    /// The time that is left; zero when it has passed.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Waits for a future, but not beyond the deadline.
    ///
    /// # Errors
    ///
    /// [`Elapsed`] if it was not ready by then.
    pub async fn limit<T>(self, future: impl Future<Output = T>) -> Result<T, Elapsed> {
        tokio::time::timeout_at(self.0, future).await.map_err(|_| Elapsed)
    }
}

/// The latest deadline of all who wait for the same thing.
#[derive(Debug, Clone)]
pub struct SharedDeadline(Arc<Mutex<Deadline>>);

impl SharedDeadline {
    /// Takes in one more who waits.
    pub fn extend(&self, deadline: Deadline) {
        let mut latest = self.0.lock();
        *latest = deadline.max(*latest);
    }

    /// The deadline as it is now; it may move away, never closer.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        *self.0.lock()
    }

    /// The time that is left.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline().remaining()
    }

    /// Waits for a future for as long as anybody does. The caller pins it: pinned here, it would take its size twice.
    ///
    /// # Errors
    ///
    /// [`Elapsed`] if it was not ready by the last deadline.
    pub async fn limit<F: Future + Unpin>(&self, mut future: F) -> Result<F::Output, Elapsed> {
        loop {
            let deadline = self.deadline();
            match deadline.limit(&mut future).await {
                Err(Elapsed) if self.deadline() > deadline => {}
                outcome => return outcome,
            }
        }
    }
}

impl From<Deadline> for SharedDeadline {
    fn from(deadline: Deadline) -> Self {
        Self(Arc::new(Mutex::new(deadline)))
    }
}
