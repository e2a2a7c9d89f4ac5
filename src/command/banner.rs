//! The text on the terminal once the program listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
#[cfg(feature = "sandbox")]
use std::path::Path;

use crate::auth;
#[cfg(feature = "sandbox")]
use crate::sandbox::{GATEWAY_AUDIENCE, Person, Sandbox};

/// Welcome of a gateway: its address, its tenant, and a first query.
pub(super) struct Banner<'a> {
    /// The name by which the program was called, so that its commands can be pasted.
    pub(super) program: &'a str,
    /// The address that is listened on.
    pub(super) address: SocketAddr,
    pub(super) has_tls: bool,
    pub(super) playground: bool,
    /// The tenant in a few words.
    pub(super) tenant: &'a str,
    pub(super) callers: Callers,
    /// People worth looking at, as [`people`] has them; may be empty.
    pub(super) people: String,
}

impl Banner<'_> {
    pub(super) fn text(&self) -> String {
        let scheme = if self.has_tls { "https" } else { "http" };
        let url = format!("{scheme}://{}", reachable(self.address));
        let playground = if self.playground { format!("  Playground  {url}/\n") } else { String::new() };
        let Self { tenant, callers, people, .. } = self;
        let (ways, header) = (&callers.ways, callers.header);
        let mut tokens = callers.token_hint(self.program, &url);
        if self.playground && !tokens.is_empty() {
            tokens.push_str("\n    The playground has a token under Headers, of somebody who may read everything.\n");
        }
        let version = env!("CARGO_PKG_VERSION");
        format!(
            r#"
  auth0-graphql {version}

  Tenant      {tenant}
  Callers     {ways}
{playground}  GraphQL     {url}/graphql
{people}
  A first query

    {{
      users(perPage: 3) {{ total nodes {{ name email lastLogin }} }}
      logs(take: 3) {{ nodes {{ date typeDescription userName }} }}
    }}

  From a shell

    curl {url}/graphql -H 'Content-Type: application/json' {header}\
      -d '{{"query":"{{ users(perPage: 3) {{ nodes {{ name email }} }} }}"}}'
{tokens}
  Ctrl-C stops it.

"#
        )
    }
}

/// Ways to be let in.
pub(super) struct Callers {
    ways: String,
    /// The header that a call from a shell needs, with a space behind it; may be empty.
    header: &'static str,
    /// URL of the sandbox whose tokens are taken.
    sandbox: Option<String>,
}

impl Callers {
    /// `of_sandbox` says that the issuer of tokens is a sandbox.
    pub(super) fn new(auth: &auth::Settings, of_sandbox: bool) -> Self {
        let sandbox = auth.tokens.as_ref().filter(|_| of_sandbox).map(|tokens| tokens.issuer.to_string());
        let token = auth.tokens.as_ref().map(|tokens| match sandbox {
            Some(_) => "an access token of the sandbox".to_owned(),
            None => format!("an access token of {}", tokens.issuer),
        });
        let api_key = (!auth.api_keys.is_empty()).then(|| "an API key".to_owned());
        let header = match (auth.admits_anonymous(), &token) {
            (true, _) => "",
            (false, Some(_)) => "-H \"Authorization: Bearer $TOKEN\" ",
            (false, None) => "-H \"X-API-Key: $API_KEY\" ",
        };
        let anonymous = auth.admits_anonymous().then(|| "no credentials".to_owned());
        let ways: Vec<_> = [anonymous, token, api_key].into_iter().flatten().collect();
        Self { ways: format!("with {}", ways.join(", or ")), header, sandbox }
    }

    fn token_hint(&self, program: &str, url: &str) -> String {
        let Some(sandbox) = &self.sandbox else { return String::new() };
        let sandbox = sandbox.trim_end_matches('/');
        format!(
            r#"
  As somebody who may read no more than logs

    TOKEN=$({program} sandbox token --url {sandbox} --scope read:logs)
    curl {url}/graphql -H 'Content-Type: application/json' -H "Authorization: Bearer $TOKEN" \
      -d '{{"query":"{{ logs(take: 1) {{ nodes {{ date type }} }} gateway {{ scopes }} }}"}}'
"#
        )
    }
}

/// An address to open in a browser on this machine: `0.0.0.0` and `::` stand for every address and are none themselves.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// The people of a sandbox tenant who are worth looking at, one a line.
#[cfg(feature = "sandbox")]
pub(super) fn people(people: &[Person]) -> String {
    let mut text = "\n  Some of the people in the tenant\n\n".to_owned();
    for line in lines(people) {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

/// Settings of other clients of a sandbox tenant, in the form of an `.env` file.
#[cfg(feature = "sandbox")]
pub(super) fn sandbox_settings(sandbox: &Sandbox, assertion_key_file: Option<&Path>) -> String {
    use secrecy::ExposeSecret;

    let client = sandbox.client();
    let url = sandbox.url();
    let audience = sandbox.audience();
    let credential = match assertion_key_file {
        Some(path) => format!("AUTH0_CLIENT_ASSERTION_KEY_FILE='{}'", path.display()),
        None => format!("AUTH0_CLIENT_SECRET={}", client.secret.expose_secret()),
    };
    let mut text = format!(
        "# A sandbox tenant listens on {url} until Ctrl-C. Its settings, for a gateway or any other client:\n\
         AUTH0_DOMAIN={url}\n\
         AUTH0_CLIENT_ID={id}\n\
         {credential}\n\
         AUTH0_AUDIENCE={audience}\n\
         #\n\
         # With these as well, the gateway takes the tokens that `auth0-graphql sandbox token --url {url}` prints:\n\
         #JWT_ISSUER={issuer}\n\
         #JWT_AUDIENCE={gateway}\n\
         #\n\
         # Some of the people in it:\n",
        issuer = sandbox.issuer(),
        gateway = GATEWAY_AUDIENCE,
        id = client.id,
    );
    for line in lines(&sandbox.people()) {
        text.push_str(&format!("#   {line}\n"));
    }
    text
}

#[cfg(feature = "sandbox")]
fn lines(people: &[Person]) -> impl Iterator<Item = String> {
    let width = |of: fn(&Person) -> &str| people.iter().map(|person| of(person).chars().count()).max().unwrap_or(0);
    let names = width(|person| &person.name);
    let emails = width(|person| &person.email);
    let ids = width(|person| &person.user_id);
    people.iter().map(move |person| {
        let Person { name, email, user_id, note, .. } = person;
        format!("{name:names$}  {email:emails$}  {user_id:ids$}  {note}")
    })
}
