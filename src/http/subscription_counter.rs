//! The number of subscriptions, of each caller and of all.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::error::HttpError;
use super::rate_limit::RateLimitKey;
use super::settings::SubscriptionSettings;

/// The subscriptions that there are, of all callers.
pub(crate) struct SubscriptionCounter {
    settings: SubscriptionSettings,
    by_caller: Mutex<HashMap<RateLimitKey, usize>>,
}

/// A permit for one subscription, until it is dropped.
pub(crate) struct SubscriptionPermit {
    counter: Arc<SubscriptionCounter>,
    caller: RateLimitKey,
}

impl SubscriptionCounter {
    pub(crate) fn new(settings: SubscriptionSettings) -> Arc<Self> {
        Arc::new(Self { settings, by_caller: Mutex::default() })
    }

    /// Counts one more subscription of `caller`.
    pub(crate) fn permit(self: &Arc<Self>, caller: RateLimitKey) -> Result<SubscriptionPermit, HttpError> {
        let mut by_caller = self.by_caller.lock();
        let all: usize = by_caller.values().sum();
        let of_caller = by_caller.get(&caller).copied().unwrap_or_default();
        if of_caller >= self.settings.most_per_caller.get() {
            let most = self.settings.most_per_caller;
            let message = format!("You have {most} subscriptions, the most of one caller: end one of them first.");
            return Err(HttpError::busy("subscriptions", &message));
        }
        if all >= self.settings.most.get() {
            let message = "There are too many subscriptions already. Try again after `retryAfterMs`.";
            return Err(HttpError::busy("subscriptions", message));
        }
        by_caller.insert(caller, of_caller + 1);
        drop(by_caller);
        Ok(SubscriptionPermit { counter: Arc::clone(self), caller })
    }
}

impl Drop for SubscriptionPermit {
    fn drop(&mut self) {
        let mut by_caller = self.counter.by_caller.lock();
        if let Some(of_caller) = by_caller.get_mut(&self.caller) {
            *of_caller -= 1;
            if *of_caller == 0 {
                by_caller.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    #[test]
    fn subscriptions_are_bounded_for_each_caller_and_for_all() {
        let number = |number| NonZeroUsize::new(number).unwrap();
        let settings =
            SubscriptionSettings { most: number(5), most_per_caller: number(3), ..SubscriptionSettings::default() };
        let counter = SubscriptionCounter::new(settings);
        let permit = |caller| counter.permit(RateLimitKey::Caller(caller));
        let mut first: Vec<_> = (0..3).map(|_| permit(1).unwrap()).collect();
        assert!(permit(1).is_err());
        let second: Vec<_> = (0..2).map(|_| permit(2).unwrap()).collect();
        assert!(permit(3).is_err());
        drop(first.pop());
        assert!(permit(1).is_ok());
        drop((first, second));
        assert!(counter.by_caller.lock().is_empty());
    }
}
