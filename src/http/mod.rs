//! HTTP: from a request to the stages of an operation, and from their outcome to a status and a media type.

mod activity;
mod admission;
mod authenticate;
mod client;
mod compression;
mod connection;
mod cors;
mod csrf;
mod envelope;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod graphql;
mod hardening;
mod health;
mod host;
mod media_type;
mod origins;
mod parameters;
mod playground;
mod rate_limit;
mod request_id;
mod serve;
mod settings;
mod site;
mod subscriptions;
mod wishes;

use std::ops::Deref;
use std::sync::Arc;

use self::admission::Admission;
use self::serve::Stopping;
use crate::auth::Authenticator;
use crate::graphql::Engine;

pub use self::origins::{Origin, OriginError, Origins};
pub use self::rate_limit::{Period, RateLimit};
pub use self::serve::Server;
pub use self::settings::{Connections, Settings};
pub use self::subscriptions::Settings as WebSocketSettings;

/// The server cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("an origin cannot be allowed: {0}")]
pub struct BuildError(#[from] tower_http::csrf::ConfigError);

/// What every request has to do with. Cheap to clone.
#[derive(Clone)]
struct Shared(Arc<Parts>);

struct Parts {
    engine: Engine,
    authenticator: Arc<Authenticator>,
    settings: Settings,
    admission: Admission,
    stopping: Stopping,
}

impl Deref for Shared {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
