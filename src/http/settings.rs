//! How requests are met, and what may be tuned of it.

use std::num::NonZeroUsize;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use super::cors::CorsHeaders;
use super::machine::Machine;
use super::origins::Origins;
use super::rate_limit::RateLimit;

/// How requests are met.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Host names, beside those of loopback, that a `Host` header may hold: in lower case, IPv6 addresses in brackets, no
    /// ports.
    pub allowed_hosts: Vec<String>,
    /// Whose pages may use the gateway from their visitors' browsers.
    pub cors_origins: Origins,
    /// What else these pages may send.
    pub cors_headers: CorsHeaders,
    /// Whether `GET /` is the playground.
    pub playground: bool,
    /// An access token that the playground has filled in. Whoever can open the playground has it then, so it is for tenants
    /// whose people are made up.
    pub playground_token: Option<SecretString>,
    /// Time that a request may take, its reading included.
    pub request_timeout: Duration,
    /// Greatest size of a GraphQL request's body, in bytes.
    pub max_body_bytes: usize,
    /// How many bodies of requests may be under way. The next replaces the oldest of the address that sends most.
    pub max_bodies: NonZeroUsize,
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
    /// What answers may hold until they are read.
    pub send: SendLimits,
    /// How WebSockets are met. Each counts as a connection.
    pub web_sockets: WebSocketSettings,
    /// How long requests are still taken once the gateway is told to stop, while `/readyz` tells that it will.
    pub shutdown_delay: Duration,
}

/// How connections are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// How many there may be at once. The next replaces the longest idle one of the address that holds most.
    pub most: NonZeroUsize,
    /// Idle time after which another may take a connection's place.
    pub replaceable_after: Duration,
    /// Time from its first byte to its last that the head of a request may take, and a new connection to send its first.
    pub head_timeout: Duration,
    /// How long a connection is kept on which no request is under way and no answer is being read.
    pub idle_timeout: Duration,
    /// How long the last answers may take to be read, after the time that their requests may take.
    pub drain_timeout: Duration,
}

/// What answers may hold until they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendLimits {
    /// Bytes of all answers.
    pub total: usize,
    /// Time that the shortest answer may take to be read.
    pub grace: Duration,
    /// The rate at which the rest is to be read, at least.
    pub bytes_per_second: NonZeroUsize,
}

/// How WebSockets are met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketSettings {
    /// How long a connection may take to say who it is (`connection_init`). The protocol's own server waits 3 seconds.
    pub init_timeout: Duration,
    /// How often a peer is asked whether it is still there, above zero. One that sent nothing from one time to the next is
    /// gone. Proxies that drop what is silent wait for 30 seconds or more.
    pub ping_interval: Duration,
    /// How many operations of one connection may be under way. A page asks for a handful at once.
    pub max_operations: usize,
}

impl SendLimits {
    /// Time that so many bytes may take to be read.
    pub(crate) fn time_for(&self, bytes: usize) -> Duration {
        self.grace + Duration::from_millis((bytes * 1_000 / self.bytes_per_second) as u64)
    }

    /// What large answers may hold of it.
    pub(crate) fn for_large(&self) -> usize {
        self.total - self.total / 4
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            cors_origins: Origins::default(),
            cors_headers: CorsHeaders::default(),
            playground: true,
            playground_token: None,
            request_timeout: Duration::from_secs(10),
            // Documents of front ends have a few kB, and GraphiQL's introspection query 2.
            max_body_bytes: 100_000,
            // Most bodies come with their heads, and are under way for no time that could be told.
            max_bodies: const { NonZeroUsize::new(1_000).unwrap() },
            max_concurrent_requests: Machine::this().requests(),
            rate_limit: None,
            trusted_proxies: Vec::new(),
            explains: false,
            connections: Connections::default(),
            send: SendLimits::default(),
            web_sockets: WebSocketSettings::default(),
            shutdown_delay: Duration::ZERO,
        }
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            most: Machine::this().connections(),
            // So that clients who connect all at once do not replace each other.
            replaceable_after: Duration::from_secs(1),
            // A head is one or two packets, from the slowest of networks too.
            head_timeout: Duration::from_secs(10),
            // Longer than the 60 s for which common load balancers keep connections: they should be the ones who close, for a
            // request that crosses our closing on its way is lost.
            idle_timeout: Duration::from_secs(75),
            drain_timeout: Duration::from_secs(5),
        }
    }
}

impl Default for SendLimits {
    fn default() -> Self {
        Self {
            total: Machine::this().answer_bytes(),
            grace: Duration::from_secs(10),
            // Half of a megabit a second: what mobile networks give at their slowest, to clients who take no compressed answers.
            bytes_per_second: const { NonZeroUsize::new(64 * 1024).unwrap() },
        }
    }
}

impl Default for WebSocketSettings {
    fn default() -> Self {
        Self { init_timeout: Duration::from_secs(3), ping_interval: Duration::from_secs(12), max_operations: 32 }
    }
}
