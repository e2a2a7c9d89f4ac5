//! Settings of the server.

use std::num::NonZeroUsize;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use super::cors::CorsHeaders;
use super::ingest_token::IngestToken;
use super::origins::Origins;
use super::rate_limit::RateLimit;
use super::resource_limits::ResourceLimits;
use super::tls::Certificate;

/// Settings of the server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Host names, beside those of loopback, that a `Host` header may hold: in lower case, IPv6 addresses in brackets, no
    /// ports.
    pub allowed_hosts: Vec<String>,
    /// Origins whose pages may use the gateway from their visitors' browsers.
    pub cors_origins: Origins,
    /// Further request headers that these pages may send.
    pub cors_headers: CorsHeaders,
    /// True if `GET /` is the playground.
    pub playground: bool,
    /// An access token that the playground has filled in. It is given to all who open the playground, so it is for tenants whose
    /// people are made up.
    pub playground_token: Option<SecretString>,
    /// The token by which Auth0 may push logs. They are taken from nobody without one.
    pub ingest_token: Option<IngestToken>,
    /// True if `GET /metrics` is answered beside GraphQL, and not only on the admin address.
    pub metrics: bool,
    /// Time that a request may take, its reading included.
    pub request_timeout: Duration,
    /// Greatest size of a GraphQL request's body, in bytes.
    pub max_body_bytes: usize,
    /// Most bodies of requests that may be under way. The next replaces the oldest of the address that sends most.
    pub max_bodies: NonZeroUsize,
    /// Most GraphQL requests that are answered at once. The next is refused, not kept waiting.
    pub max_concurrent_requests: NonZeroUsize,
    /// The rate limit of each caller.
    pub rate_limit: Option<RateLimit>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// True if every response tells what it took upstream, and not only those of which that is asked.
    pub explains: bool,
    /// Limits of connections.
    pub connections: Connections,
    /// Limits of responses that are being sent.
    pub send: SendLimits,
    /// Settings of WebSockets. Each counts as a connection.
    pub web_sockets: WebSocketSettings,
    /// Settings of subscriptions.
    pub subscriptions: SubscriptionSettings,
    /// Time for which requests are still taken once the gateway is told to stop, while `/readyz` tells that it will.
    pub shutdown_delay: Duration,
    /// Certificate of the server, if it speaks TLS.
    pub certificate: Option<Certificate>,
}

/// Limits of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Most connections at once. The next replaces the longest idle one of the address that holds most.
    pub most: NonZeroUsize,
    /// Idle time after which another may take a connection's place. One of an address that holds less waits for no idle time.
    pub replaceable_after: Duration,
    /// Time from its first byte to its last that the head of a request may take, and a new connection to send its first.
    pub head_timeout: Duration,
    /// Time for which a connection is kept on which no request is under way and no response is being read.
    pub idle_timeout: Duration,
    /// Time for the last responses to be read, after the time that their requests may take.
    pub drain_timeout: Duration,
}

/// Limits of responses that are being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendLimits {
    /// Bytes of all responses.
    pub total: usize,
    /// Time for the shortest response to be read.
    pub grace: Duration,
    /// Least rate at which a longer one is to be read.
    pub bytes_per_second: NonZeroUsize,
}

/// Settings of WebSockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketSettings {
    /// Time for a client's `connection_init`. The protocol's own server waits 3 seconds.
    pub init_timeout: Duration,
    /// Interval of pings, above zero. A peer that sent nothing from one to the next is gone. Proxies that drop silent connections
    /// wait for 30 seconds or more.
    pub ping_interval: Duration,
    /// Most operations of one connection that may be under way. A page asks for a handful at once.
    pub max_operations: usize,
}

/// Settings of subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionSettings {
    /// Most subscriptions at once. The next is refused.
    pub most: NonZeroUsize,
    /// Most of them that one caller may have.
    pub most_per_caller: NonZeroUsize,
    /// Interval at which the credentials of a subscriber are verified again, above zero.
    pub recheck_interval: Duration,
    /// Interval of the comments that keep a silent stream of Server-Sent Events open, above zero.
    pub heartbeat_interval: Duration,
}

impl SendLimits {
    /// Time for so many bytes to be read.
    pub(crate) fn time_for(&self, bytes: usize) -> Duration {
        self.grace + Duration::from_millis((bytes * 1_000 / self.bytes_per_second) as u64)
    }

    /// The share of the bytes that large responses may hold.
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
            ingest_token: None,
            metrics: false,
            request_timeout: Duration::from_secs(10),
            // Documents of front ends have a few kB, and GraphiQL's introspection query 2.
            max_body_bytes: 100_000,
            // Most bodies come with their heads, and are under way for no time that could be told.
            max_bodies: const { NonZeroUsize::new(1_000).unwrap() },
            max_concurrent_requests: ResourceLimits::of_process().requests(),
            rate_limit: None,
            trusted_proxies: Vec::new(),
            explains: false,
            connections: Connections::default(),
            send: SendLimits::default(),
            web_sockets: WebSocketSettings::default(),
            subscriptions: SubscriptionSettings::default(),
            shutdown_delay: Duration::ZERO,
            certificate: None,
        }
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            most: ResourceLimits::of_process().connections(),
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
            total: ResourceLimits::of_process().answer_bytes(),
            grace: Duration::from_secs(10),
            // Half of a megabit a second: what mobile networks give at their slowest, to clients who take no compressed answers.
            bytes_per_second: const { NonZeroUsize::new(64 * 1024).unwrap() },
        }
    }
}

impl Default for SubscriptionSettings {
    fn default() -> Self {
        Self {
            most: const { NonZeroUsize::new(20_000).unwrap() },
            // A front end's server has one for each of its visitors who watch.
            most_per_caller: const { NonZeroUsize::new(1_000).unwrap() },
            recheck_interval: Duration::from_secs(10),
            // As the pings of WebSockets: proxies that drop silent connections wait for 30 seconds or more.
            heartbeat_interval: Duration::from_secs(12),
        }
    }
}

impl Default for WebSocketSettings {
    fn default() -> Self {
        Self { init_timeout: Duration::from_secs(3), ping_interval: Duration::from_secs(12), max_operations: 32 }
    }
}
