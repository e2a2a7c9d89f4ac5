//! How long somebody waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::error::Error;

/// The moment at which whoever asked stops waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

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
    pub(crate) async fn limit<T>(self, future: impl Future<Output = T>) -> Result<T, Error> {
        tokio::time::timeout_at(self.0, future).await.map_err(|_| Error::Timeout)
    }
}

/// How long those who wait for a call are willing to: as long as the most patient of them.
#[derive(Debug, Clone)]
pub(crate) struct Patience(Arc<Mutex<Deadline>>);

impl Patience {
    pub(crate) fn extend(&self, deadline: Deadline) {
        let mut longest = self.lock();
        *longest = deadline.max(*longest);
    }

    /// The deadline as it is now; it may move away, never closer.
    pub(crate) fn deadline(&self) -> Deadline {
        *self.lock()
    }

    /// The time that is left.
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline().remaining()
    }

    /// Waits for a future for as long as anybody is willing to. Who calls pins it: here, it would take its place twice.
    pub(crate) async fn limit<F: Future + Unpin>(&self, mut future: F) -> Result<F::Output, Error> {
        loop {
            let deadline = self.deadline();
            match deadline.limit(&mut future).await {
                Err(_) if self.deadline() > deadline => {}
                outcome => return outcome,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Deadline> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Deadline> for Patience {
    fn from(deadline: Deadline) -> Self {
        Self(Arc::new(Mutex::new(deadline)))
    }
}
