//! The address of Redis: of one server, of a cluster's nodes, or of sentinels.

use std::fmt;

use percent_encoding::percent_decode_str;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisConnectionInfo};

/// Port of a sentinel that is named without one.
const SENTINEL_PORT: u16 = 26379;

/// Addresses of Redis or Valkey, with the credentials. `Debug` shows neither.
///
/// - `redis://USER:PASSWORD@HOST:6379/DATABASE`, or `rediss://` with TLS: one server;
/// - `redis://USER:PASSWORD@HOST:6379,HOST:6379,HOST:6379`: nodes of a cluster;
/// - `redis+sentinel://USER:PASSWORD@HOST:26379,HOST:26379/SERVICE/DATABASE`, or `rediss+sentinel://` with TLS to all: sentinels, and the name
///   by which they know the primary. Their own credentials stand behind: `?sentinel_user=…&sentinel_password=…`.
#[derive(Clone)]
pub struct RedisUrl(Route);

/// The way to the server that is to be written to.
#[derive(Clone)]
pub(super) enum Route {
    /// One server, or nodes of a cluster: each tells which of them a key is on.
    Nodes(Vec<ConnectionInfo>),
    /// Sentinels, which tell who the primary is.
    Sentinels(Box<Sentinels>),
}

/// Sentinels, and what they are asked for.
#[derive(Clone)]
pub(super) struct Sentinels {
    pub(super) addresses: Vec<ConnectionInfo>,
    /// Name by which they know the primary.
    pub(super) service: String,
    /// Credentials, database and scheme of the primary; its address is theirs to tell.
    pub(super) primary: ConnectionInfo,
}

/// Text that is no address of Redis. `Display` holds nothing of the text, which may have a password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedisUrlError {
    /// None of the schemes, or no URL at all.
    #[error(
        "must be a URL such as redis://HOST:6379 or, with TLS and a user, rediss://USER:PASSWORD@HOST:6379, with what is no letter or digit \
         in the password percent-encoded; nodes of a cluster are redis://HOST:6379,HOST:6379"
    )]
    NotRedis,
    /// Sentinels without the name of a primary, or with something behind it that is neither a database nor their credentials.
    #[error(
        "must name the primary behind the sentinels, as in redis+sentinel://HOST:26379,HOST:26379/SERVICE; a number of a database may follow, and \
         ?sentinel_user=USER&sentinel_password=PASSWORD"
    )]
    Sentinels,
    /// A database of a cluster.
    #[error("must not name a database beside several nodes: a cluster has one")]
    Database,
    /// TLS without a look at who is at the other end.
    #[error("must not end with #insecure: with TLS the certificate is verified")]
    Insecure,
}

impl RedisUrl {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// See [`RedisUrlError`].
    pub fn parse(text: &str) -> Result<Self, RedisUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(RedisUrlError::NotRedis)?;
        let parts = Parts::of(rest);
        match scheme {
            "redis" | "rediss" => nodes(scheme, &parts),
            "redis+sentinel" => sentinels("redis", &parts),
            "rediss+sentinel" => sentinels("rediss", &parts),
            _ => Err(RedisUrlError::NotRedis),
        }
        .map(Self)
    }

    pub(super) fn route(&self) -> &Route {
        &self.0
    }
}

/// Parts of an address, as they are written.
struct Parts<'a> {
    /// User and password with the `@` behind them, or nothing.
    credentials: &'a str,
    hosts: Vec<&'a str>,
    /// All that is behind the hosts.
    tail: &'a str,
}

impl<'a> Parts<'a> {
    fn of(rest: &'a str) -> Self {
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (credentials, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        Self { credentials, hosts: hosts.split(',').collect(), tail }
    }
}

fn nodes(scheme: &str, parts: &Parts<'_>) -> Result<Route, RedisUrlError> {
    let Parts { credentials, hosts, tail } = parts;
    let nodes = hosts.iter().map(|host| server(&format!("{scheme}://{credentials}{host}{tail}")));
    let nodes: Vec<_> = nodes.collect::<Result<_, _>>()?;
    if nodes.len() > 1 && nodes.iter().any(|node| node.redis_settings().db() != 0) {
        return Err(RedisUrlError::Database);
    }
    Ok(Route::Nodes(nodes))
}

fn sentinels(scheme: &str, parts: &Parts<'_>) -> Result<Route, RedisUrlError> {
    if parts.tail.ends_with("#insecure") {
        return Err(RedisUrlError::Insecure);
    }
    let (path, query) = parts.tail.split_once('?').unwrap_or((parts.tail, ""));
    let path = path.strip_prefix('/').unwrap_or_default();
    let (service, database) = path.split_once('/').unwrap_or((path, "0"));
    // The letters that sentinels take.
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let is_number = !database.is_empty() && database.bytes().all(|byte| byte.is_ascii_digit());
    if service.is_empty() || !is_name(service) || !is_number {
        return Err(RedisUrlError::Sentinels);
    }
    let settings = sentinel_credentials(query)?;
    let addresses = parts.hosts.iter().map(|host| {
        let has_port = host.rsplit(']').next().is_some_and(|behind| behind.contains(':'));
        let port = if has_port { String::new() } else { format!(":{SENTINEL_PORT}") };
        Ok(server(&format!("{scheme}://{host}{port}"))?.set_redis_settings(settings.clone()))
    });
    let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
    // At no address of its own: a host is needed for the text to be read.
    let primary = server(&format!("{scheme}://{}localhost/{database}", parts.credentials))?;
    Ok(Route::Sentinels(Box::new(Sentinels { addresses, service: service.to_owned(), primary })))
}

fn sentinel_credentials(query: &str) -> Result<RedisConnectionInfo, RedisUrlError> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).try_fold(
        RedisConnectionInfo::default(),
        |settings, (name, value)| {
            let value = percent_decode_str(value).decode_utf8().map_err(|_| RedisUrlError::Sentinels)?;
            match name {
                "sentinel_user" => Ok(settings.set_username(value)),
                "sentinel_password" => Ok(settings.set_password(value)),
                _ => Err(RedisUrlError::Sentinels),
            }
        },
    )
}

/// Reads the address of one server.
fn server(text: &str) -> Result<ConnectionInfo, RedisUrlError> {
    let info = text.into_connection_info().map_err(|_| RedisUrlError::NotRedis)?;
    match info.addr() {
        ConnectionAddr::Tcp(..) | ConnectionAddr::TcpTls { insecure: false, .. } => Ok(info),
        ConnectionAddr::TcpTls { insecure: true, .. } => Err(RedisUrlError::Insecure),
        _ => Err(RedisUrlError::NotRedis),
    }
}

/// The same at another address, with TLS where it was with TLS. Without a host it is at the same.
pub(super) fn at(info: &ConnectionInfo, host: &str, port: u16) -> ConnectionInfo {
    let named = (!host.is_empty()).then(|| host.to_owned());
    let address = match info.addr() {
        ConnectionAddr::TcpTls { host, .. } => ConnectionAddr::TcpTls {
            host: named.unwrap_or_else(|| host.clone()),
            port,
            insecure: false,
            tls_params: None,
        },
        ConnectionAddr::Tcp(host, _) => ConnectionAddr::Tcp(named.unwrap_or_else(|| host.clone()), port),
        other => other.clone(),
    };
    info.clone().set_addr(address)
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes_of(text: &str) -> Vec<ConnectionInfo> {
        match RedisUrl::parse(text).unwrap().0 {
            Route::Nodes(nodes) => nodes,
            Route::Sentinels(_) => panic!("{text}"),
        }
    }

    fn sentinels_of(text: &str) -> Box<Sentinels> {
        match RedisUrl::parse(text).unwrap().0 {
            Route::Nodes(_) => panic!("{text}"),
            Route::Sentinels(sentinels) => sentinels,
        }
    }

    fn credentials(info: &ConnectionInfo) -> (Option<&str>, Option<&str>, i64) {
        let settings = info.redis_settings();
        (settings.username(), settings.password(), settings.db())
    }

    fn addresses(infos: &[ConnectionInfo]) -> String {
        infos.iter().map(|info| info.addr().to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn an_address_has_a_user_a_password_and_a_database() {
        let nodes = nodes_of("rediss://gateway:p%40ss@redis.example.com:6380/2");
        assert_eq!(credentials(&nodes[0]), (Some("gateway"), Some("p@ss"), 2));
        assert!(
            matches!(nodes[0].addr(), ConnectionAddr::TcpTls { host, port: 6380, .. } if host == "redis.example.com")
        );
        assert_eq!(addresses(&nodes_of("redis://127.0.0.1")), "127.0.0.1:6379");
        let url = RedisUrl::parse("redis://127.0.0.1").unwrap();
        assert_eq!(format!("{url:?}"), "RedisUrl([REDACTED])");
    }

    #[test]
    fn nodes_of_a_cluster_have_credentials_and_tls_in_common() {
        let nodes = nodes_of("rediss://gateway:a%2Cb@one.example.com,two.example.com:7000,[::1]:7001");
        assert_eq!(addresses(&nodes), "one.example.com:6379 two.example.com:7000 ::1:7001");
        for node in &nodes {
            assert_eq!(credentials(node), (Some("gateway"), Some("a,b"), 0));
            assert!(matches!(node.addr(), ConnectionAddr::TcpTls { insecure: false, .. }));
        }
    }

    #[test]
    fn sentinels_have_credentials_of_their_own() {
        let sentinels = sentinels_of("redis+sentinel://gateway:p%40ss@one:26380,two,[::1]/my-primary.1");
        assert_eq!(addresses(&sentinels.addresses), "one:26380 two:26379 ::1:26379");
        assert_eq!(sentinels.service, "my-primary.1");
        assert!(sentinels.addresses.iter().all(|info| credentials(info) == (None, None, 0)));
        assert_eq!(credentials(&sentinels.primary), (Some("gateway"), Some("p@ss"), 0));

        let query = "sentinel_user=watch&sentinel_password=p%26ss";
        let sentinels = sentinels_of(&format!("rediss+sentinel://:hush@one/primary/3?{query}"));
        assert_eq!(credentials(&sentinels.addresses[0]), (Some("watch"), Some("p&ss"), 0));
        assert_eq!(credentials(&sentinels.primary), (None, Some("hush"), 3));
        for info in [&sentinels.addresses[0], &sentinels.primary] {
            assert!(matches!(info.addr(), ConnectionAddr::TcpTls { insecure: false, .. }));
        }
    }

    #[test]
    fn another_address_is_met_as_the_first_one_was() {
        let node = &nodes_of("rediss://gateway:hush@one.example.com")[0];
        for (host, expected) in [("two.example.com", "two.example.com:7000"), ("", "one.example.com:7000")] {
            let other = at(node, host, 7000);
            assert_eq!(other.addr().to_string(), expected);
            assert_eq!(credentials(&other), (Some("gateway"), Some("hush"), 0));
            assert!(matches!(other.addr(), ConnectionAddr::TcpTls { insecure: false, .. }));
        }
        let plain = at(&nodes_of("redis://one")[0], "two", 1);
        assert!(matches!(plain.addr(), ConnectionAddr::Tcp(host, 1) if host == "two"));
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_shown() {
        for (text, expected) in [
            ("redis.example.com:6379", RedisUrlError::NotRedis),
            ("https://hush@example.com", RedisUrlError::NotRedis),
            ("redis://", RedisUrlError::NotRedis),
            ("redis://example.com/hush", RedisUrlError::NotRedis),
            ("redis://one,,two", RedisUrlError::NotRedis),
            ("redis://one,two/2", RedisUrlError::Database),
            ("unix:///run/redis.sock", RedisUrlError::NotRedis),
            ("rediss://example.com/#insecure", RedisUrlError::Insecure),
            ("rediss://one,example.com/#insecure", RedisUrlError::Insecure),
            ("rediss+sentinel://example.com/primary#insecure", RedisUrlError::Insecure),
            ("redis+sentinel://:hush@example.com", RedisUrlError::Sentinels),
            ("redis+sentinel://:hush@example.com/", RedisUrlError::Sentinels),
            ("redis+sentinel://example.com/primary/hush", RedisUrlError::Sentinels),
            ("redis+sentinel://example.com/primary?password=hush", RedisUrlError::Sentinels),
            ("redis+sentinel:///primary", RedisUrlError::NotRedis),
        ] {
            let error = RedisUrl::parse(text).err();
            assert_eq!(error, Some(expected), "{text}");
            assert!(!expected.to_string().contains("hush"));
        }
    }
}
