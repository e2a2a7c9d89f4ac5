//! What stands on the terminal once the program listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

#[cfg(feature = "sandbox")]
use auth0_graphql::sandbox::{Person, Sandbox};

/// Where the gateway is, what it serves and what to try first.
pub(crate) struct Banner<'a> {
    /// The address that is listened on.
    pub(crate) address: SocketAddr,
    pub(crate) playground: bool,
    /// What the tenant is, in a few words.
    pub(crate) tenant: &'a str,
    /// Who is worth looking at, as [`people`] has it; may be empty.
    pub(crate) people: String,
}

impl Banner<'_> {
    pub(crate) fn text(&self) -> String {
        let url = format!("http://{}", reachable(self.address));
        let playground = if self.playground { format!("  Playground  {url}/\n") } else { String::new() };
        let Self { tenant, people, .. } = self;
        let version = env!("CARGO_PKG_VERSION");
        format!(
            r#"
  auth0-graphql {version}

  Tenant      {tenant}
{playground}  GraphQL     {url}/graphql
{people}
  A first query

    {{
      users(perPage: 3) {{ total nodes {{ name email lastLogin }} }}
      logs(take: 3) {{ nodes {{ date typeDescription userName }} }}
    }}

  From a shell

    curl {url}/graphql -H 'Content-Type: application/json' \
      -d '{{"query":"{{ users(perPage: 3) {{ nodes {{ name email }} }} }}"}}'

  Ctrl-C stops it.

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
         # Some of the people in it:\n",
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
