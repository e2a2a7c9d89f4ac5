//! The task that keeps a replica's pacer in touch with the others: one exchange at a time.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::super::pacer::{CompareAndSet, CompareAndSetOutcome, ExchangeOutcome, MOST_BYTES};
use super::{Governor, Inner};
use crate::shared_state::{CompareAndSetResult, SharedState, ValueBounds};

/// Version of the value's form.
const FORM: u32 = 2;

const BOUNDS: ValueBounds = ValueBounds { bytes: MOST_BYTES, life: Duration::from_secs(60 * 60) };

/// Exchanges whenever it is time, as long as there is a governor.
pub(super) async fn run(governor: Weak<Inner>, shared: SharedState, start: Instant, changed: Arc<Notify>) {
    shared.settled().await;
    let key = shared.key("budget", FORM);
    let metrics = shared.metrics().clone();
    // Nothing is held while waiting: the governor may end meanwhile.
    let with = |act: &mut dyn FnMut(Governor)| governor.upgrade().map(|inner| act(Governor(inner)));
    loop {
        let mut due = None;
        if with(&mut |governor| due = governor.plan_exchange()).is_none() {
            return;
        }
        match due {
            Some(due) => tokio::select! {
                () = sleep_until(start + due) => {}
                () = changed.notified() => {}
            },
            None => changed.notified().await,
        }
        let mut offer = None;
        if with(&mut |governor| offer = governor.change(|pacer, _, now| pacer.offer(now))).is_none() {
            return;
        }
        let Some(CompareAndSet { expected, value }) = offer else { continue };
        let mut answer = Some(match shared.compare_and_set(&key, &expected, &value, BOUNDS).await {
            Ok(CompareAndSetResult { time, other: None }) => CompareAndSetOutcome::Taken { time },
            Ok(CompareAndSetResult { time, other: Some(value) }) => CompareAndSetOutcome::Current { time, value },
            Err(_) if shared.is_connected() => CompareAndSetOutcome::Lost,
            Err(_) => CompareAndSetOutcome::Unavailable,
        });
        let mut has_left = false;
        with(&mut |governor| {
            let Some(answer) = answer.take() else { return };
            let (outcome, status) = governor.change(|pacer, _, now| (pacer.exchanged(now, answer), pacer.fleet()));
            match outcome {
                ExchangeOutcome::Taken { granted, replaced_reserve } => {
                    metrics.exchanged("taken", granted);
                    if let Some(others) = replaced_reserve {
                        tracing::warn!(
                            others,
                            "RATE_RESERVE was another at the other replicas: from now on it is this one's for all"
                        );
                    }
                }
                ExchangeOutcome::Conflict => metrics.exchanged("conflict", 0),
                ExchangeOutcome::Unavailable => metrics.exchanged("unavailable", 0),
                ExchangeOutcome::Left => {
                    metrics.exchanged("taken", 0);
                    governor.0.left.notify_one();
                    has_left = true;
                }
            }
            if let Some(status) = status {
                metrics.set_replicas(status.replicas.unwrap_or_default(), status.leases);
            }
        });
        if has_left {
            return;
        }
    }
}
