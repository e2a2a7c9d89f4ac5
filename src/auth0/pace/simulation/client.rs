//! Clients, and what became of their requests.

use std::time::Duration;

use super::super::{CallerKey, Priority, RateClass};

/// A client that asks for calls, one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    pub(super) class: RateClass,
    pub(super) caller: CallerKey,
    pub(super) priority: Priority,
    /// Time that it waits for an answer.
    pub(super) patience: Duration,
    /// The time of its first request, and the number of all.
    pub(super) starts: Duration,
    pub(super) calls: u32,
    /// The replica that it asks.
    pub(super) replica: usize,
}

impl Client {
    /// A client that never stops asking.
    pub(super) fn busy(class: RateClass, caller: u64) -> Self {
        Self {
            class,
            caller: CallerKey(caller),
            priority: Priority::Interactive,
            patience: Duration::from_secs(10),
            starts: Duration::ZERO,
            calls: u32::MAX,
            replica: 0,
        }
    }

    /// A client that never stops asking a replica.
    pub(super) fn busy_at(replica: usize, class: RateClass, caller: u64) -> Self {
        Self { replica, ..Self::busy(class, caller) }
    }
}

/// The end of a request for a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum End {
    Answered,
    Limited { retry_after: Duration },
    PaceError { retry_after: Duration },
    Lost,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) client: usize,
    pub(super) asked: Duration,
    /// The time at which it was dispatched or refused.
    pub(super) decided: Duration,
    pub(super) end: End,
}
