//! `tail` and its flags.
#![expect(clippy::doc_markdown, reason = "the comments are read on a terminal, not as Markdown")]

use std::env;
use std::net::IpAddr;

use clap::builder::NonEmptyStringValueParser as NotEmpty;
use clap::{Args, ValueEnum};
use secrecy::SecretString;

use super::kinds::{is_one_word, quoted};
use super::resume::GivenCommand;
use super::secret::InFile;
use super::setting::{Setting, given};
use super::{Problems, Serve};
use crate::auth::SecureUrl;
use crate::telemetry::LogSettings;

/// `tail`, as it was asked for.
#[derive(Debug, Args)]
pub struct Tail {
    /// Go on after this log, as an interrupted tail told: what came since is printed first. Without it, logs come from now on.
    #[arg(long, value_name = "LOG_ID")]
    pub from: Option<String>,

    /// Only logs of these types: Auth0's codes such as f,fp, commas between them.
    #[arg(long = "type", value_delimiter = ',', value_parser = NotEmpty::new(), value_name = "TYPES")]
    pub types: Vec<String>,

    /// Only logs of these outcomes, commas between them.
    #[arg(long = "outcome", value_enum, value_delimiter = ',', value_name = "OUTCOMES")]
    pub outcomes: Vec<TailOutcome>,

    /// Only logs of the user with this id. Again for another, here and below.
    #[arg(long = "user", value_parser = NotEmpty::new(), value_name = "USER_ID")]
    pub users: Vec<String>,

    /// Only logs of the application with this id.
    #[arg(long = "client", value_parser = NotEmpty::new(), value_name = "CLIENT_ID")]
    pub clients: Vec<String>,

    /// Only logs of the connection of this name.
    #[arg(long = "connection", value_parser = NotEmpty::new(), value_name = "NAME")]
    pub connections: Vec<String>,

    /// Only logs of requests from this address.
    #[arg(long = "ip", value_parser = address, value_name = "ADDRESS")]
    pub ips: Vec<String>,

    /// Print each log as a line of JSON, with all that it has, by the names of the schema.
    #[arg(long)]
    pub json: bool,

    /// Follow the logs that a gateway tells of: the URL of its GraphQL endpoint, such as `https://gateway.example.com/graphql`.
    ///
    /// The settings of a tenant are not needed. An access token for it is taken from the variable TAIL_TOKEN, an API key from TAIL_API_KEY, or
    /// either from the file that TAIL_TOKEN_FILE or TAIL_API_KEY_FILE names; never from an argument, which all users of the machine can see.
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<String>,

    /// The command itself.
    #[arg(skip)]
    pub given: GivenCommand,
}

/// A place where logs are read.
#[derive(Debug)]
pub enum TailSource {
    /// A tenant, by the settings of `serve`.
    Tenant(Box<Serve>),
    /// A gateway.
    Gateway(GatewayEndpoint, Box<LogSettings>),
}

/// A gateway, and the credentials to show there.
#[derive(Debug)]
pub struct GatewayEndpoint {
    /// URL of its GraphQL endpoint.
    pub url: SecureUrl,
    /// Access token.
    pub token: Option<SecretString>,
    /// API key.
    pub api_key: Option<SecretString>,
}

/// An outcome that logs tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TailOutcome {
    /// It succeeded.
    Success,
    /// It failed, or was refused.
    Failure,
    /// Somebody should look.
    Warning,
    /// Neither is known.
    Other,
}

impl TailOutcome {
    /// Its name in the schema.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Warning => "WARNING",
            Self::Other => "OTHER",
        }
    }
}

impl Tail {
    /// True if a gateway's logs are to be followed.
    pub(super) fn is_of_gateway(&self) -> bool {
        self.url.is_some()
    }

    /// The gateway, with the credentials that the environment has for it.
    pub(super) fn endpoint(&self, problems: &mut Problems) -> Option<GatewayEndpoint> {
        let text = self.url.as_deref()?;
        let token = secret("TAIL_TOKEN", problems);
        let api_key = secret("TAIL_API_KEY", problems);
        match SecureUrl::parse(text) {
            Ok(url) => Some(GatewayEndpoint { url, token, api_key }),
            Err(error) => {
                problems.add("--url", format!("{error}, not {}", quoted(text)));
                None
            }
        }
    }
}

/// An address that logs can tell of.
fn address(text: &str) -> Result<String, String> {
    match text.parse::<IpAddr>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("it is no IPv4 or IPv6 address, and no log has it".to_owned()),
    }
}

/// A secret that is in the environment, or in a file that the environment names. It has no flag.
#[expect(clippy::disallowed_methods, reason = "clap has no arguments of which there is only a variable")]
fn secret(name: &str, problems: &mut Problems) -> Option<SecretString> {
    let file_name = format!("{name}_FILE");
    let [text, path] = [name, &file_name].map(|name| env::var(name).unwrap_or_default());
    let (name, read) = match (given(&text), given(&path)) {
        (Some(_), Some(_)) => (&*file_name, Err(format!("is set beside {name}: set one of the two"))),
        (Some(text), None) => (name, Credential::parse(text)),
        (None, Some(path)) => (&*file_name, InFile::<Credential>::parse(path)),
        (None, None) => return None,
    };
    read.map_err(|fault| problems.add(name, fault)).ok()
}

/// A token or a key. It is not repeated in the error.
struct Credential;

impl Setting for Credential {
    type Value = SecretString;

    fn parse(text: &str) -> Result<SecretString, String> {
        if is_one_word(text) {
            Ok(text.into())
        } else {
            Err("holds a space or a character that is not ASCII".to_owned())
        }
    }
}
