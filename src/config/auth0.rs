//! Settings of the tenant, and of how it is spared.

use clap::Args;
use secrecy::SecretString;

use super::kinds::{Choice, Number, OpaqueText, Share, Time, is_one_word, quoted};
use super::row::{DerivedDefault, Redaction, SecretFile};
use super::secret::{InFile, Secret, SecretArg};
use super::setting::{Checked, GivenSetting as _, Setting};
use super::{Problems, Serve, Tenant};
use crate::auth0::{AssertionAlgorithm, AssertionKey, ClientAuthentication, ClientPolicy, Domain, Settings};
use crate::graphql::Limits;

/// Heading of the settings of a tenant, which a sandbox has no use for.
pub(super) const TENANT: &str = "Auth0";

#[derive(Args)]
#[command(next_help_heading = TENANT)]
pub(super) struct Auth0Args {
    /// Domain of the tenant: a host name such as example.us.auth0.com, or the tenant's custom domain.
    ///
    /// In Auth0's dashboard: Applications > your machine-to-machine application > Settings > Domain. An http:// URL is taken for
    /// loopback hosts only, for the sandbox and other stand-ins for Auth0.
    // A text that is no domain may hold anything, a password without any mark of one too.
    #[arg(
        long,
        env,
        value_name = "YOUR_TENANT.us.auth0.com",
        add = Redaction(|text| Domain::parse(text).is_err().then_some("(no domain, not shown)"))
    )]
    pub(super) auth0_domain: Option<Checked<Domain>>,

    /// Client ID of a machine-to-machine application that is authorized for the Auth0 Management API.
    #[arg(long, env, value_name = "YOUR_CLIENT_ID", allow_hyphen_values = true)]
    pub(super) auth0_client_id: Option<Checked<OpaqueText>>,

    #[command(flatten)]
    pub(super) auth0_client_secret: SecretArg<ClientSecret>,

    /// File of the private key with which that application shows who it is in place of a secret (`private_key_jwt`): RSA, in PEM.
    ///
    /// In Auth0's dashboard: the application's Credentials > Private Key JWT, where the public key is uploaded. This makes a pair:
    ///
    /// openssl genrsa -out auth0.pem 2048 && openssl rsa -in auth0.pem -pubout -out auth0.pub.pem
    ///
    /// The private key is for the gateway alone to read (chmod 600).
    #[arg(long, env, value_name = "PATH", add = SecretFile, add = Redaction::OF_PATH)]
    pub(super) auth0_client_assertion_key_file: Option<Checked<InFile<AssertionKey>>>,

    /// Algorithm with which the public key was registered at Auth0.
    #[arg(long, env, value_name = "ALGORITHM", default_value_t = Checked::of(AssertionAlgorithm::default()))]
    auth0_client_assertion_algorithm: Checked<AssertionAlgorithm>,

    /// Identifier of the Management API. Default: the domain as a URL, with /api/v2/ after it.
    ///
    /// Needed with a custom domain, for the identifier keeps the tenant's own, such as `https://example.us.auth0.com/api/v2/`.
    #[arg(long, env, value_name = "URL", add = DerivedDefault(audience))]
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

    /// Longest time between two looks for new logs while somebody follows them and none come, from 1s to 60s.
    ///
    /// One poller serves all subscriptions. While logs come it looks every second, and at once after a full page; while nobody follows
    /// it does not look at all. It takes the calls that others leave over.
    #[arg(long, env, value_name = "TIME", default_value_t = Checked::of(ClientPolicy::default().tail.max_interval))]
    tail_max_interval: Checked<Time<1_000, 60_000>>,

    /// Most calls to Auth0 that one GraphQL operation may make, from 1 to 1000.
    #[arg(long, env, value_name = "NUMBER", default_value_t = Checked::of(Limits::default().upstream_calls))]
    upstream_calls_per_operation: Checked<Number<u32, 1, 1_000>>,
}

impl Auth0Args {
    /// The tenant, if nothing is missing or wrong.
    pub(super) fn settings(&self, problems: &mut Problems) -> Option<Settings> {
        let domain = self.auth0_domain.take(problems);
        let client_id = self.auth0_client_id.take(problems);
        let authentication = self.authentication(problems);
        let audience = self.auth0_audience.take(problems);
        let domain = domain?;
        Some(Settings {
            audience: audience.unwrap_or_else(|| domain.default_audience()),
            domain,
            client_id: client_id?,
            authentication: authentication?,
        })
    }

    /// The secret or the key: Auth0 takes from an application the one that its page has under Credentials.
    fn authentication(&self, problems: &mut Problems) -> Option<ClientAuthentication> {
        let secret = self.auth0_client_secret.take(problems);
        let algorithm = self.auth0_client_assertion_algorithm.take(problems);
        let key = self.auth0_client_assertion_key_file.take(problems);
        if self.auth0_client_secret.is_given() && self.auth0_client_assertion_key_file.is_given() {
            problems.add(
                "AUTH0_CLIENT_ASSERTION_KEY_FILE",
                "is set beside AUTH0_CLIENT_SECRET: set one of the two, the one that the application's page has under Credentials",
            );
        }
        let by_key = key.zip(algorithm).map(|(key, algorithm)| ClientAuthentication::PrivateKeyJwt(key, algorithm));
        by_key.or(secret.map(ClientAuthentication::Secret))
    }
}

fn audience(serve: &Serve) -> Option<String> {
    match &serve.tenant {
        Tenant::Auth0(settings) => Some(settings.audience.clone()),
        #[cfg(feature = "sandbox")]
        Tenant::Sandbox { .. } => None,
    }
}

impl PolicyArgs {
    pub(super) fn settings(&self, limits: &mut Limits, problems: &mut Problems) -> ClientPolicy {
        let mut policy = ClientPolicy::default();
        self.cache_ttl.set(&mut policy.cache_ttl, problems);
        self.rate_reserve.set(&mut policy.rate_reserve, problems);
        self.tail_max_interval.set(&mut policy.tail.max_interval, problems);
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

/// The row `AUTH0_CLIENT_SECRET`.
pub(super) struct ClientSecret;

impl Secret for ClientSecret {
    type Kind = SecretString;

    const NAME: &'static str = "AUTH0_CLIENT_SECRET";
    const VALUE_NAME: &'static str = "YOUR_CLIENT_SECRET";
    const HELP: &'static str = "Client secret of that application.\n\n\
        Prefer a file, the environment or .env: other users of a machine can read the flags of its programs.";
}

impl Setting for AssertionKey {
    type Value = Self;

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| error.to_string())
    }
}

impl Choice for AssertionAlgorithm {
    type Value = Self;
    const CHOICES: &'static [(&'static str, Self)] =
        &[("RS256", Self::Rs256), ("RS384", Self::Rs384), ("PS256", Self::Ps256)];
}

impl Setting for SecretString {
    type Value = Self;

    fn parse(text: &str) -> Result<Self, String> {
        OpaqueText::parse(text).map(Self::from)
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
