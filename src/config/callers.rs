//! Settings of callers: who may call, and what their scopes decide.
#![expect(clippy::doc_markdown, reason = "the comments are read on a terminal, not as Markdown")]

use clap::Args;

use super::kinds::{Choice, OnOff, YesNo, entries, is_one_word, quoted};
use super::row::DerivedDefault;
use super::secret::{Secret, SecretArg};
use super::setting::{Checked, GivenSetting as _, Setting};
use super::{Problems, Serve, Tenant};
use crate::auth::{ApiKeys, Issuer, SecureUrl, Settings, TokenSettings};
use crate::graphql::{Permissions, ScopeMode};

#[derive(Args)]
#[command(next_help_heading = "Callers")]
pub(super) struct CallerArgs {
    /// Issuer of the access tokens that callers send, such as `https://example.us.auth0.com/`.
    ///
    /// A token's iss is compared with it letter by letter; Auth0's ends with a slash. Tokens are JWTs in an Authorization: Bearer header.
    /// Their scopes (scope, permissions) decide what a caller may read. With it or API_KEYS set, callers have to show credentials.
    #[arg(long, env, value_name = "URL", add = DerivedDefault(of_sandbox))]
    pub(super) jwt_issuer: Option<Checked<Issuer>>,

    /// Identifier of the API that the tokens must be for (aud), or several, separated by commas.
    ///
    /// Needed with JWT_ISSUER, for else any token of the issuer would do. In Auth0's dashboard: Applications > APIs > Create API, with an
    /// identifier of your choice such as `https://gateway.example.com` and the permissions read:users, read:logs and so on. An
    /// application's client ID is none: it is the audience of ID tokens, which are not for APIs.
    #[arg(long, env, value_name = "IDENTIFIERS", add = DerivedDefault(of_sandbox))]
    pub(super) jwt_audience: Option<Checked<Audiences>>,

    /// Address of the issuer's keys. Default: what the issuer's .well-known/openid-configuration says.
    #[arg(long, env, value_name = "URL")]
    pub(super) jwt_jwks_url: Option<Checked<SecureUrl>>,

    #[command(flatten)]
    pub(super) api_keys: SecretArg<ApiKeyList>,

    /// Lets in callers without credentials where that is not the default.
    ///
    /// Without JWT_ISSUER and API_KEYS every caller is anonymous, on loopback addresses only; yes allows any address. With them, yes lets in
    /// those who show no credentials as well. An anonymous caller can read all of the tenant's users and logs.
    #[arg(long, env, value_name = "ANSWER", default_value_t = Checked::of(Settings::default().allow_anonymous))]
    pub(super) allow_anonymous: Checked<YesNo>,

    /// Fate of an operation that needs a scope which its caller does not hold.
    ///
    /// filter leaves out what the caller may not see: it is null, with an error beside it, and is not asked of Auth0. reject refuses the
    /// operation as a whole, with status 403, before any call.
    #[arg(long, env, value_name = "MODE", default_value_t = Checked::of(Permissions::default().scope_mode))]
    scope_mode: Checked<ScopeMode>,

    /// Lets callers read their own user (the field me) though they do not hold read:users.
    ///
    /// Their own user is the one that the sub of their token names. So this is for tokens of the very tenant that is read: another issuer could
    /// give somebody else the same sub.
    #[arg(long, env, value_name = "SWITCH", default_value_t = Checked::of(Permissions::default().self_access))]
    pub(super) self_access: Checked<OnOff>,
}

/// Tokens of callers are the sandbox's where nothing is said of others.
fn of_sandbox(serve: &Serve) -> Option<String> {
    let is_real = matches!(serve.tenant, Tenant::Auth0(_));
    (!is_real && serve.auth.tokens.is_none()).then(|| "(the sandbox's)".to_owned())
}

impl CallerArgs {
    pub(super) fn settings(&self, problems: &mut Problems) -> Settings {
        let mut settings = Settings::default();
        let issuer = self.jwt_issuer.take(problems);
        let audiences = self.jwt_audience.take(problems);
        let keys = self.jwt_jwks_url.take(problems);
        settings.tokens = issuer.zip(audiences).map(|(issuer, audiences)| TokenSettings { issuer, audiences, keys });
        self.api_keys.set(&mut settings.api_keys, problems);
        self.allow_anonymous.set(&mut settings.allow_anonymous, problems);
        settings
    }

    pub(super) fn permissions(&self, problems: &mut Problems) -> Permissions {
        let mut permissions = Permissions::default();
        self.scope_mode.set(&mut permissions.scope_mode, problems);
        self.self_access.set(&mut permissions.self_access, problems);
        permissions
    }
}

impl Setting for Issuer {
    type Value = Self;

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| format!("{error}, not {}", quoted(text)))
    }
}

impl Setting for SecureUrl {
    type Value = Self;

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| format!("{error}, not {}", quoted(text)))
    }
}

/// The row `API_KEYS`.
pub(super) struct ApiKeyList;

impl Secret for ApiKeyList {
    type Kind = ApiKeys;

    const NAME: &'static str = "API_KEYS";
    const VALUE_NAME: &'static str = "KEYS";
    const HELP: &'static str = "API keys for callers without tokens: name:hash:scopes, separated by commas.\n\n\
        Callers send the key itself in an X-API-Key header. The hash is its SHA-256 in hexadecimal, and scopes are separated by spaces: \
        reports:HASH:read:users read:logs. This makes a key and prints it, with its hash after it:\n\n\
        key=$(openssl rand -hex 32); echo \"$key\"; printf %s \"$key\" | openssl dgst -sha256 -r\n\n\
        A key of fewer than 20 characters is not taken, since it could be guessed from its hash.";
}

impl Setting for ApiKeys {
    type Value = Self;

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| error.to_string())
    }
}

/// Identifiers of APIs. They look like URLs as a rule, but any text without spaces is one.
pub(super) struct Audiences;

impl Setting for Audiences {
    type Value = Vec<String>;

    fn parse(text: &str) -> Result<Vec<String>, String> {
        if entries(text).next().is_none() {
            return Err("must name an API's identifier, not only commas".to_owned());
        }
        match entries(text).find(|audience| !is_one_word(audience)) {
            Some(wrong) => Err(format!("must list API identifiers, separated by commas; {} is none", quoted(wrong))),
            None => Ok(entries(text).map(str::to_owned).collect()),
        }
    }
}

impl Choice for ScopeMode {
    type Value = Self;
    const CHOICES: &'static [(&'static str, Self)] = &[("filter", Self::Filter), ("reject", Self::Reject)];
}
