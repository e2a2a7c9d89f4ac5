//! The tenant that a command works on: one at Auth0, or a sandbox that is started for it.

use secrecy::SecretString;

use super::CommandError;
use crate::config::Tenant;
use crate::graphql::GatewayMode;
use crate::{auth, auth0};

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
    pub(super) _sandbox: Option<crate::sandbox::Sandbox>,
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
                super::sandbox::open(options).await
            }
        }
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
