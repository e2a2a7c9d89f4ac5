//! State of the server, which all handlers and layers share.

use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::admission::AdmissionControl;
use super::body::{self, PendingBody};
use super::peer::Shutdown;
use super::pool::Pool;
use super::send_budget::SendBudget;
use super::settings::Settings;
use super::subscription_counter::SubscriptionCounter;
use crate::auth::Authenticator;
use crate::graphql::Engine;
use crate::telemetry::Metrics;

/// Most pushes of logs that are read at once.
const MOST_PUSHES: usize = 8;

/// The state of all handlers and layers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ServerState(Arc<StateParts>);

/// The parts of the state.
pub(crate) struct StateParts {
    pub(crate) engine: Engine,
    pub(crate) metrics: Metrics,
    pub(crate) settings: Settings,
    pub(crate) admission: AdmissionControl,
    pub(crate) bodies: Arc<Pool<PendingBody>>,
    pub(crate) send_budget: Arc<SendBudget>,
    pub(crate) subscriptions: Arc<SubscriptionCounter>,
    /// Permits to read a push of logs.
    pub(crate) pushes: Semaphore,
    pub(crate) shutdown: Shutdown,
}

impl Deref for ServerState {
    type Target = StateParts;

    fn deref(&self) -> &StateParts {
        &self.0
    }
}

impl ServerState {
    pub(crate) fn new(
        engine: Engine,
        authenticator: Arc<Authenticator>,
        metrics: Metrics,
        settings: Settings,
        shutdown: Shutdown,
    ) -> Self {
        let admission = AdmissionControl::new(&settings, authenticator, engine.shared_state().cloned());
        Self(Arc::new(StateParts {
            engine,
            metrics,
            admission,
            bodies: body::pool(&settings),
            send_budget: SendBudget::new(settings.send),
            subscriptions: SubscriptionCounter::new(settings.subscriptions),
            pushes: Semaphore::new(MOST_PUSHES),
            settings,
            shutdown,
        }))
    }
}
