//! Settings of the tenant, and of how it is spared.

use clap::Args;
use secrecy::SecretString;

use super::Problems;
use super::kinds::{Copied, Number, Share, Time, is_one_word, quoted};
use super::setting::{Checked, Given as _, Setting};
use crate::auth0::{ClientPolicy, Domain, Settings};
use crate::graphql::Limits;

#[derive(Args)]
#[command(next_help_heading = "Auth0")]
pub(super) struct Auth0Args {
    /// Domain of the tenant: a host name such as example.us.auth0.com, or the tenant's custom domain.
    ///
    /// In Auth0's dashboard: Applications > your machine-to-machine application > Settings > Domain. An http:// URL is taken for
    /// loopback hosts only, for the sandbox and other stand-ins for Auth0.
    #[arg(long, env, value_name = "YOUR_TENANT.us.auth0.com")]
    pub(super) auth0_domain: Option<Checked<Domain>>,

    /// Client ID of a machine-to-machine application that is authorized for the Auth0 Management API.
    #[arg(long, env, value_name = "YOUR_CLIENT_ID", allow_hyphen_values = true)]
    pub(super) auth0_client_id: Option<Checked<Copied>>,

    /// Client secret of that application.
    ///
    /// Prefer the environment or .env: other users of a machine can read the flags of its programs.
    #[arg(long, env, value_name = "YOUR_CLIENT_SECRET", hide_env_values = true, allow_hyphen_values = true)]
    pub(super) auth0_client_secret: Option<Checked<SecretString>>,

    /// Identifier of the Management API. Default: the domain as a URL, with /api/v2/ after it.
    ///
    /// Needed with a custom domain, for the identifier keeps the tenant's own, such as `https://example.us.auth0.com/api/v2/`.
    #[arg(long, env, value_name = "URL")]
    pub(super) auth0_audience: Option<Checked<Audience>>,
}

#[derive(Args)]
#[command(next_help_heading = "Sparing Auth0")]
pub(super) struct PolicyArgs {
    /// Time for which an answer of a user search or a log search may be served again, from 0s to 60s; 0 switches that off.
    ///
    /// Auth0's searches lag behind by themselves. Single users and logs are always read anew.
    #[arg(long, env, value_name = "TIME", default_value_t = Checked::of(ClientPolicy::default().cache_ttl))]
    cache_ttl: Checked<Time<0, 60_000>>,

    /// Share of the tenant's rate limit that is left to others, from 0 to 0.9.
    ///
    /// The limit is the tenant's: logins' own scripts and other clients of the Management API draw on it too.
    #[arg(long, env, value_name = "SHARE", default_value_t = Checked::of(ClientPolicy::default().rate_reserve))]
    rate_reserve: Checked<Share>,

    /// Most calls to Auth0 that one GraphQL operation may make, from 1 to 1000.
    #[arg(long, env, value_name = "NUMBER", default_value_t = Checked::of(Limits::default().upstream_calls))]
    upstream_calls_per_operation: Checked<Number<u32, 1, 1_000>>,
}

impl Auth0Args {
    /// The names of the settings that were given.
    #[cfg(feature = "sandbox")]
    pub(super) fn given(&self) -> Vec<&'static str> {
        [
            ("AUTH0_DOMAIN", self.auth0_domain.is_given()),
            ("AUTH0_CLIENT_ID", self.auth0_client_id.is_given()),
            ("AUTH0_CLIENT_SECRET", self.auth0_client_secret.is_given()),
            ("AUTH0_AUDIENCE", self.auth0_audience.is_given()),
        ]
        .into_iter()
        .filter_map(|(name, is_given)| is_given.then_some(name))
        .collect()
    }

    /// The tenant, if nothing is missing or wrong.
    pub(super) fn settings(&self, problems: &mut Problems) -> Option<Settings> {
        let domain = self.auth0_domain.take(problems);
        let client_id = self.auth0_client_id.take(problems);
        let client_secret = self.auth0_client_secret.take(problems);
        let audience = self.auth0_audience.take(problems);
        let domain = domain?;
        Some(Settings {
            audience: audience.unwrap_or_else(|| domain.default_audience()),
            domain,
            client_id: client_id?,
            client_secret: client_secret?,
        })
    }
}

impl PolicyArgs {
    pub(super) fn settings(&self, limits: &mut Limits, problems: &mut Problems) -> ClientPolicy {
        let mut policy = ClientPolicy::default();
        self.cache_ttl.set(&mut policy.cache_ttl, problems);
        self.rate_reserve.set(&mut policy.rate_reserve, problems);
        self.upstream_calls_per_operation.set(&mut limits.upstream_calls, problems);
        policy
    }
}

impl Setting for Domain {
    type Value = Self;

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| error.to_string())
    }
}

impl Setting for SecretString {
    type Value = Self;

    fn parse(text: &str) -> Result<Self, String> {
        Copied::parse(text).map(Self::from)
    }
}

/// The identifier of the Management API.
pub(super) struct Audience;

impl Setting for Audience {
    type Value = String;

    fn parse(text: &str) -> Result<String, String> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        if rest.is_none_or(str::is_empty) || !is_one_word(text) || text.contains('@') {
            return Err(format!(
                "must be the Management API's identifier, such as https://example.us.auth0.com/api/v2/, not {}",
                quoted(text)
            ));
        }
        if text.ends_with("/api/v2") {
            return Err("must end with a slash: Auth0 compares it letter by letter with https://…/api/v2/".to_owned());
        }
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_without_its_slash_is_caught() {
        assert!(Audience::parse("https://example.us.auth0.com/api/v2/").is_ok());
        assert!(Audience::parse("http://127.0.0.1:4000/api/v2/").is_ok());
        assert!(Audience::parse("https://example.us.auth0.com/api/v2").unwrap_err().contains("slash"));
        for text in ["example.us.auth0.com/api/v2/", "https://", "https://a b/api/v2/", "ftp://a/", "https://a@b/"] {
            assert!(Audience::parse(text).is_err(), "{text}");
        }
    }
}
