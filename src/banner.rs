//! What stands on the terminal once the program listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use auth0_graphql::auth;
#[cfg(feature = "sandbox")]
use auth0_graphql::sandbox::{GATEWAY_AUDIENCE, Person, Sandbox};

/// Where the gateway is, what it serves and what to try first.
pub(crate) struct Banner<'a> {
    /// How the program was called, so that its commands can be pasted.
    pub(crate) program: &'a str,
    /// The address that is listened on.
    pub(crate) address: SocketAddr,
    pub(crate) playground: bool,
    /// What the tenant is, in a few words.
    pub(crate) tenant: &'a str,
    pub(crate) callers: Callers,
    /// Who is worth looking at, as [`people`] has it; may be empty.
    pub(crate) people: String,
}

impl Banner<'_> {
    pub(crate) fn text(&self) -> String {
        let url = format!("http://{}", reachable(self.address));
        let playground = if self.playground { format!("  Playground  {url}/\n") } else { String::new() };
        let Self { tenant, callers, people, .. } = self;
        let (who, header) = (&callers.who, callers.header);
        let mut tokens = callers.how_to_get_a_token(self.program, &url);
        if self.playground && !tokens.is_empty() {
            tokens.push_str("\n    The playground has a token under Headers, of somebody who may read everything.\n");
        }
        let version = env!("CARGO_PKG_VERSION");
        format!(
            r#"
  auth0-graphql {version}

  Tenant      {tenant}
  Callers     {who}
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

/// Who may call.
pub(crate) struct Callers {
    who: String,
    /// What a call from a shell needs, with a space behind it; may be empty.
    header: &'static str,
    /// Where the sandbox is whose tokens are taken.
    sandbox: Option<String>,
}

impl Callers {
    /// `sandbox` is the issuer if that is one.
    pub(crate) fn new(auth: &auth::Settings, sandbox: Option<String>) -> Self {
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
        Self { who: format!("with {}", ways.join(", or ")), header, sandbox }
    }

    fn how_to_get_a_token(&self, program: &str, url: &str) -> String {
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
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// The people of a sandbox tenant who are worth looking at, one a line.
#[cfg(feature = "sandbox")]
pub(crate) fn people(people: &[Person]) -> String {
    let mut text = "\n  Some of the people in the tenant\n\n".to_owned();
    for line in lines(people) {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

/// What other clients need to know of a sandbox tenant, in the form of an `.env` file.
#[cfg(feature = "sandbox")]
pub(crate) fn sandbox_settings(sandbox: &Sandbox) -> String {
    use secrecy::ExposeSecret;

    let client = sandbox.client();
    let url = sandbox.url();
    let audience = sandbox.audience();
    let mut text = format!(
        "# A sandbox tenant listens on {url} until Ctrl-C. Its settings, for a gateway or any other client:\n\
         AUTH0_DOMAIN={url}\n\
         AUTH0_CLIENT_ID={id}\n\
         AUTH0_CLIENT_SECRET={secret}\n\
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
        secret = client.secret.expose_secret(),
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
