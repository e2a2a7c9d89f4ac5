//! Doors for the fuzz targets in `fuzz/`. Each panics if a promise of this room is broken.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;

use super::serve::Stopping;
use super::site::{self, Site};
use super::{BuildError, Settings};
use crate::auth::Authenticator;
use crate::graphql::Engine;

pub use super::subscriptions::fuzzing::message;

/// A gateway without a network.
pub struct Gateway(Site);

impl Gateway {
    /// Built as one that listens would be.
    pub fn new(engine: Engine, authenticator: Arc<Authenticator>, settings: Settings) -> Result<Self, BuildError> {
        Ok(Self(site::site(engine, authenticator, settings, Stopping::default())?))
    }

    /// Answers as a connection does.
    pub async fn answer(&self, request: Request) -> Response {
        site::answer(self.0.clone(), request).await
    }
}
