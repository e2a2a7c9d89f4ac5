//! How requests are met, and what may be tuned of it.

use std::num::NonZeroUsize;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use super::origins::Origins;
use super::rate_limit::RateLimit;
use super::subscriptions::Settings as WebSocketSettings;

/// How requests are met.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Host names, beside those of loopback, that a `Host` header may hold: in lower case, IPv6 addresses in brackets, no
    /// ports.
    pub allowed_hosts: Vec<String>,
    /// Whose pages may use the gateway from their visitors' browsers.
    pub cors_origins: Origins,
    /// Whether `GET /` is the playground.
    pub playground: bool,
    /// An access token that the playground has filled in. Whoever can open the playground has it then, so it is for tenants
    /// whose people are made up.
    pub playground_token: Option<SecretString>,
    /// Time that a request may take, its reading included.
    pub request_timeout: Duration,
    /// Greatest size of a GraphQL request's body, in bytes.
    pub max_body_bytes: usize,
    /// How many GraphQL requests are answered at once. The next is refused, not kept waiting.
    pub max_concurrent_requests: NonZeroUsize,
    /// How many requests a caller may send.
    pub rate_limit: Option<RateLimit>,
    /// Proxies that are believed when they say whom they speak for.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether every answer tells what it took upstream, and not only those of which that is asked.
    pub explains: bool,
    /// How connections are kept.
    pub connections: Connections,
    /// How WebSockets are met. Each counts as a connection.
    pub web_sockets: WebSocketSettings,
    /// How long requests are still taken once the gateway is told to stop, while `/readyz` tells that it will.
    pub shutdown_delay: Duration,
}

/// How connections are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// How many there may be at once. The next is closed without an answer.
    pub most: NonZeroUsize,
    /// Time from its first byte to its last that the head of a request may take, and a new connection to send its first.
    pub head_timeout: Duration,
    /// How long a connection is kept on which no request is under way and no byte of an answer gets on its way.
    pub idle_timeout: Duration,
    /// How long the last answers may take to be read, after the time that their requests may take.
    pub drain_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            cors_origins: Origins::default(),
            playground: true,
            playground_token: None,
            request_timeout: Duration::from_secs(10),
            // Documents of front ends have a few kB, and GraphiQL's introspection query 2.
            max_body_bytes: 100_000,
            // What waits is waiting for Auth0, whose largest documented rate is 16 calls a second with 50 at once: in the time of
            // one request that is some 200 calls. More than this could only wait for what comes too late, at up to a few
            // megabytes each for pages of 100 records.
            max_concurrent_requests: const { NonZeroUsize::new(500).unwrap() },
            rate_limit: None,
            trusted_proxies: Vec::new(),
            explains: false,
            connections: Connections::default(),
            web_sockets: WebSocketSettings::default(),
            shutdown_delay: Duration::ZERO,
        }
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            // Many systems give a process 1024 file descriptors. The rest is for calls to Auth0, and for being able to tell.
            most: const { NonZeroUsize::new(800).unwrap() },
            // A head is one or two packets, from the slowest of networks too.
            head_timeout: Duration::from_secs(10),
            // Longer than the 60 s for which common load balancers keep connections: they should be the ones who close, for a
            // request that crosses our closing on its way is lost.
            idle_timeout: Duration::from_secs(75),
            drain_timeout: Duration::from_secs(5),
        }
    }
}
