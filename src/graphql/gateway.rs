//! What the gateway says of itself.

use async_graphql::{Enum, SimpleObject};

use super::Upstream;
use super::scalar::DateTime;
use crate::auth::{Caller, Scope};

/// The gateway: what it is, and how it stands with Auth0.
#[derive(SimpleObject)]
pub(crate) struct Gateway {
    /// The gateway's version.
    version: &'static str,
    /// What it reads from.
    mode: GatewayMode,
    /// The scopes that you hold.
    scopes: Vec<&'static str>,
    /// The token that the gateway holds for the Management API; null until the first call has fetched one.
    token: Option<GatewayToken>,
}

/// What the gateway reads from.
#[derive(Enum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum GatewayMode {
    /// An Auth0 tenant.
    Tenant,
    /// The made-up tenant that comes with the gateway.
    Sandbox,
}

/// A token for the Management API. It is never shown itself.
#[derive(SimpleObject)]
struct GatewayToken {
    /// When it expires. The gateway fetches another one before.
    expires_at: DateTime,
    /// The scopes that Auth0 granted to the gateway; null where Auth0 did not tell.
    scopes: Option<Vec<String>>,
}

impl Gateway {
    pub(crate) fn new(caller: &Caller, upstream: &Upstream) -> Self {
        let token = upstream.api.token_status();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            mode: upstream.mode,
            scopes: caller.authority().iter().map(Scope::as_str).collect(),
            token: token.map(|token| GatewayToken { expires_at: DateTime(token.expires_at), scopes: token.scopes }),
        }
    }
}
