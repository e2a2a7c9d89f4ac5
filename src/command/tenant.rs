//! The tenant that a command works on: one at Auth0, or a sandbox that is started for it.

#[cfg(feature = "sandbox")]
use std::net::{Ipv4Addr, SocketAddr};

#[cfg(feature = "sandbox")]
use anyhow::Context as _;
use secrecy::SecretString;

use super::CommandError;
#[cfg(feature = "sandbox")]
use super::{banner, listen};
#[cfg(feature = "sandbox")]
use crate::auth::{Issuer, Scope};
#[cfg(feature = "sandbox")]
use crate::auth0::Domain;
use crate::config::Tenant;
use crate::graphql::GatewayMode;
#[cfg(feature = "sandbox")]
use crate::sandbox::{GATEWAY_AUDIENCE, Options, Sandbox, TokenRequest};
use crate::{auth, auth0};

/// Lifetime of the playground's token, in seconds: longer than a sandbox is tried out at a stretch.
#[cfg(feature = "sandbox")]
const PLAYGROUND_TOKEN_LIFETIME: i64 = 30 * 86_400;

/// A tenant that can be read.
pub(super) struct OpenTenant {
    pub(super) settings: auth0::Settings,
    pub(super) mode: GatewayMode,
    /// Its name in a few words.
    pub(super) name: String,
    /// Its people, as the banner shows them; empty for a real tenant.
    pub(super) people: String,
    /// The access tokens that it issues for the gateway, if it is a sandbox.
    pub(super) tokens: Option<auth::TokenSettings>,
    /// Such a token for somebody who may read everything.
    pub(super) playground_token: Option<SecretString>,
    /// A sandbox stops when it is dropped.
    #[cfg(feature = "sandbox")]
    pub(super) _sandbox: Option<Sandbox>,
}

impl OpenTenant {
    /// Starts the sandbox if the tenant is one.
    pub(super) async fn open(tenant: Tenant) -> Result<Self, CommandError> {
        match tenant {
            Tenant::Auth0(settings) => Ok(Self::real(settings)),
            #[cfg(feature = "sandbox")]
            Tenant::Sandbox { options, ignored } => {
                for setting in ignored {
                    tracing::warn!(setting, "ignored: the sandbox is served");
                }
                Self::sandbox(options).await
            }
        }
    }

    /// Starts a sandbox for a gateway.
    #[cfg(feature = "sandbox")]
    async fn sandbox(options: Options) -> Result<Self, CommandError> {
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let sandbox = Sandbox::start(options, listener).await.context("cannot start the sandbox")?;
        let client = sandbox.client();
        let settings = auth0::Settings {
            domain: Domain::parse(&sandbox.url())?,
            audience: sandbox.audience(),
            client_id: client.id,
            authentication: client.secret.into(),
        };
        let tokens = auth::TokenSettings {
            issuer: Issuer::parse(&sandbox.issuer())?,
            audiences: vec![GATEWAY_AUDIENCE.to_owned()],
            keys: None,
        };
        let scope = Scope::ALL.map(Scope::as_str).join(" ");
        let request = TokenRequest { scope, expires_in: PLAYGROUND_TOKEN_LIFETIME, ..TokenRequest::default() };
        let playground_token = sandbox.user_token(&request).context("the sandbox issues no tokens")?;
        Ok(Self {
            settings,
            mode: GatewayMode::Sandbox,
            name: "sandbox, made up and in memory".to_owned(),
            people: banner::people(&sandbox.people()),
            tokens: Some(tokens),
            playground_token: Some(playground_token.into()),
            _sandbox: Some(sandbox),
        })
    }

    fn real(settings: auth0::Settings) -> Self {
        Self {
            name: settings.domain.to_string(),
            people: String::new(),
            tokens: None,
            playground_token: None,
            settings,
            mode: GatewayMode::Tenant,
            #[cfg(feature = "sandbox")]
            _sandbox: None,
        }
    }

    /// The settings of authentication, with the sandbox's tokens taken where no others are: so that callers and their scopes can be
    /// tried out with nothing else to set up.
    pub(super) fn auth(&self, auth: auth::Settings) -> auth::Settings {
        match self.tokens.clone() {
            Some(tokens) => auth.or_tokens(tokens),
            None => auth,
        }
    }
}
