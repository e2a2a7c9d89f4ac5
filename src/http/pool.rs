//! A pool of a bounded number of members. When it is full, a newcomer replaces the longest idle member of the address that has
//! most, so that nobody keeps others out by being there first, or by being never idle for long.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Share of a full pool that is replaced at once, as a divisor: a search for the longest idle costs a walk through all.
const BATCH: usize = 100;

/// A member that can be told to go.
pub(crate) trait Replaceable {
    /// The moment since which it is idle; none while it must not be replaced.
    fn idle_since(&self) -> Option<Instant>;

    /// Tells it to go.
    fn replace(&self);
}

/// A bounded number of members.
pub(crate) struct Pool<M> {
    most: NonZeroUsize,
    /// Idle time after which a member may be replaced by one of an address that has as many.
    grace: Duration,
    members: Mutex<Members<M>>,
}

struct Members<M> {
    next: u64,
    by_id: HashMap<u64, (Option<IpAddr>, Arc<M>)>,
}

/// All members of the pool are busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all members of the pool are busy")]
pub(crate) struct PoolFullError;

/// A membership, until it is dropped.
pub(crate) struct Membership<M> {
    pool: Arc<Pool<M>>,
    id: u64,
}

impl<M: Replaceable> Pool<M> {
    pub(crate) fn new(most: NonZeroUsize, grace: Duration) -> Arc<Self> {
        Arc::new(Self { most, grace, members: Mutex::new(Members { next: 0, by_id: HashMap::new() }) })
    }

    /// Takes `member` in. Without an address it counts as the only one of its own.
    pub(crate) fn join(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        member: Arc<M>,
    ) -> Result<Membership<M>, PoolFullError> {
        let mut members = self.members.lock();
        if members.by_id.len() >= self.most.get() {
            for id in members.replaceable(self.most.get().div_ceil(BATCH), self.grace, address) {
                if let Some((_, member)) = members.by_id.remove(&id) {
                    member.replace();
                }
            }
        }
        if members.by_id.len() >= self.most.get() {
            return Err(PoolFullError);
        }
        let id = members.next;
        members.next += 1;
        members.by_id.insert(id, (address, member));
        Ok(Membership { pool: Arc::clone(self), id })
    }
}

impl<M> Pool<M> {
    pub(crate) fn len(&self) -> usize {
        self.members.lock().by_id.len()
    }
}

impl<M: Replaceable> Members<M> {
    /// Members that a newcomer may replace, `count` at the most: first of the address that has most, the longest idle first. They
    /// were idle for `grace`, or are of an address that has more than the newcomer's will have.
    fn replaceable(&self, count: usize, grace: Duration, newcomer: Option<IpAddr>) -> Vec<u64> {
        let mut by_address = HashMap::<IpAddr, usize>::new();
        for address in self.by_id.values().filter_map(|(address, _)| *address) {
            *by_address.entry(address).or_default() += 1;
        }
        let number = |address: &Option<IpAddr>| address.and_then(|address| by_address.get(&address)).map_or(1, |n| *n);
        let of_newcomer = newcomer.and_then(|address| by_address.get(&address)).map_or(1, |number| number + 1);
        let now = Instant::now();
        let idle = self.by_id.iter().filter_map(|(id, (address, member))| {
            let (number, since) = (number(address), member.idle_since()?);
            let is_replaceable = number > of_newcomer || now.saturating_duration_since(since) >= grace;
            is_replaceable.then_some((usize::MAX - number, since, *id))
        });
        let mut idle: Vec<_> = idle.collect();
        if count < idle.len() {
            idle.select_nth_unstable(count);
            idle.truncate(count);
        }
        idle.into_iter().map(|(_, _, id)| id).collect()
    }
}

impl<M> Drop for Membership<M> {
    fn drop(&mut self) {
        self.pool.members.lock().by_id.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    struct Member {
        idle_since: Option<Instant>,
        is_replaced: AtomicBool,
    }

    impl Replaceable for Member {
        fn idle_since(&self) -> Option<Instant> {
            self.idle_since
        }

        fn replace(&self) {
            self.is_replaced.store(true, Ordering::Relaxed);
        }
    }

    const NEWCOMER: &str = "192.0.2.9";

    /// The admission of a newcomer, and the index of the member that it replaced.
    fn newcomer(members: &[(&str, Option<u64>)]) -> (bool, Option<usize>) {
        let now = Instant::now();
        let pool = Pool::new(NonZeroUsize::new(members.len()).unwrap(), Duration::from_secs(1));
        let members: Vec<_> = members
            .iter()
            .map(|(address, idle)| {
                let idle_since = idle.map(|seconds| now.checked_sub(Duration::from_secs(seconds)).unwrap());
                let member = Arc::new(Member { idle_since, is_replaced: AtomicBool::new(false) });
                let membership = pool.join(address.parse().ok(), Arc::clone(&member)).unwrap();
                (member, membership)
            })
            .collect();
        let newcomer = Arc::new(Member { idle_since: Some(now), is_replaced: AtomicBool::new(false) });
        let is_taken_in = pool.join(NEWCOMER.parse().ok(), newcomer).is_ok();
        (is_taken_in, members.iter().position(|(member, _)| member.is_replaced.load(Ordering::Relaxed)))
    }

    #[test]
    fn a_newcomer_replaces_the_longest_idle_of_the_address_that_has_most() {
        let (a, b, many) = ("192.0.2.1", "192.0.2.2", "from a trusted proxy");
        for (members, expected) in [
            (&[(a, Some(5)), (a, Some(9)), (b, Some(99))][..], (true, Some(1))),
            (&[(a, None), (a, None), (b, Some(99))], (true, Some(2))),
            (&[(many, Some(99)), (many, Some(99)), (many, Some(99)), (a, Some(2)), (a, Some(3))], (true, Some(4))),
            (&[(a, Some(0)), (b, Some(0))], (false, None)),
            (&[(many, Some(0)), (many, Some(0))], (false, None)),
            // Whoever has more than others is not kept by being busy.
            (&[(b, Some(0)), (a, None), (a, Some(0))], (true, Some(2))),
            (&[(a, None), (a, None), (b, Some(0))], (false, None)),
            (&[(NEWCOMER, Some(0)), (NEWCOMER, Some(0))], (false, None)),
            (&[(a, Some(0)), (a, Some(0)), (NEWCOMER, Some(0))], (false, None)),
            (&[(a, None)], (false, None)),
        ] {
            assert_eq!(newcomer(members), expected, "{members:?}");
        }
    }

    #[test]
    fn whoever_leaves_makes_room() {
        let pool = Pool::new(NonZeroUsize::MIN, Duration::ZERO);
        let member = || Arc::new(Member { idle_since: None, is_replaced: AtomicBool::new(false) });
        let first = pool.join(None, member()).unwrap();
        assert_eq!((pool.join(None, member()).err(), pool.len()), (Some(PoolFullError), 1));
        drop(first);
        assert!(pool.join(None, member()).is_ok());
        assert_eq!(pool.len(), 0);
    }
}
