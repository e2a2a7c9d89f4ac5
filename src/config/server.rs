//! Settings of the server: where it listens, and what it takes in.
#![expect(clippy::doc_markdown, reason = "the comments are read on a terminal, not as Markdown")]

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;

use clap::Args;
use ipnet::IpNet;

use super::kinds::{Host, HostNames, Number, OnOff, Time, entries, quoted};
use super::row::DerivedDefault;
use super::secret::{Secret, SecretArg};
use super::setting::{Checked, GivenSetting as _, Setting, WithDefault as _};
use super::{Problems, Server};
use crate::http::{CorsHeaders, IngestToken, Origin, Origins, Period, RateLimit, Settings};

#[derive(Args)]
#[command(next_help_heading = "Server")]
pub(super) struct ServerArgs {
    /// Address to listen on: an IP address or localhost.
    ///
    /// An address that other machines reach is refused unless callers have to show credentials, or ALLOW_ANONYMOUS is yes.
    #[arg(long, env, value_name = "ADDRESS", default_value_t = Checked::of(Server::default().address.ip()))]
    pub(super) host: Checked<Host>,

    /// TCP port to listen on, from 0 to 65535; 0 takes any free one.
    #[arg(long, env, value_name = "PORT", default_value_t = Checked::of(Server::default().address.port()))]
    port: Checked<Number<u16, 0, 65_535>>,

    /// Address and port for metrics and health (GET /metrics, /livez and /readyz), such as 127.0.0.1:9090. Default: none.
    ///
    /// The metrics are for Prometheus, and ask for no credentials: keep the address to yourself. With the sandbox they are at
    /// the gateway's own address as well.
    #[arg(long, env, value_name = "ADDRESS")]
    admin_address: Option<Checked<SocketAddr>>,

    /// Host names that requests may name in their Host header, separated by commas, without ports.
    ///
    /// Asked for while anonymous callers are let in: localhost and the loopback addresses are always allowed, any other name is answered
    /// 421, so that a web page cannot reach the gateway through its visitor's browser (DNS rebinding). Where credentials are needed a
    /// web page has none, and every name is answered.
    #[arg(long, env, value_name = "NAMES")]
    allowed_hosts: Option<Checked<HostNames>>,

    /// Origins whose web pages may use the gateway, such as `https://app.example.com`, separated by commas, or * for all.
    ///
    /// For front ends that are served from elsewhere (CORS). Browsers are never told to send cookies. With *, and without
    /// authentication, every web page that a user opens can read the tenant through that user's browser.
    #[arg(long, env, value_name = "ORIGINS")]
    cors_origins: Option<Checked<Origins>>,

    /// Request headers that these pages may send beside the usual ones, separated by commas.
    ///
    /// Usual are those that the gateway reads, Apollo's client awareness and the headers of tracing libraries.
    #[arg(long, env, value_name = "HEADERS")]
    cors_headers: Option<Checked<CorsHeaders>>,

    /// GraphQL playground at GET /. Default: on with the sandbox and on loopback addresses, else off.
    #[arg(
        long,
        env,
        value_name = "SWITCH",
        add = DerivedDefault(|serve| Some(OnOff::show(&serve.server.http.playground)))
    )]
    playground: Option<Checked<OnOff>>,

    #[command(flatten)]
    pub(super) ingest_token: SecretArg<IngestSecret>,

    /// Time that a request may take, from 100ms to 120s: 10s, 500ms, or a number of seconds.
    #[arg(long, env, value_name = "TIME", default_value_t = Checked::of(Settings::default().request_timeout))]
    request_timeout: Checked<Time<100, 120_000>>,

    /// Greatest size of a GraphQL request's body in bytes, from 1000 to 10000000.
    #[arg(long, env, value_name = "BYTES", default_value_t = Checked::of(Settings::default().max_body_bytes))]
    max_body_bytes: Checked<Number<usize, 1_000, 10_000_000>>,

    /// Time for which requests are still taken once the gateway is told to stop (SIGTERM, Ctrl-C), from 0s to 60s.
    ///
    /// In this time /readyz answers 503, so that a load balancer learns of it and sends its requests elsewhere. Then the requests
    /// under way are finished.
    #[arg(long, env, value_name = "TIME", default_value_t = Checked::of(Settings::default().shutdown_delay))]
    shutdown_delay: Checked<Time<0, 60_000>>,
}

#[derive(Args)]
#[command(next_help_heading = "Bounds")]
pub(super) struct BoundsArgs {
    /// Most connections at once, from 1 to 100000. Default: 10000, or what memory and the limit of open files allow.
    ///
    /// The next replaces the longest idle one of the address that holds most. A WebSocket is one, too. Each takes an open file, of
    /// which the gateway allows itself as many as the system lets it have (ulimit -Hn).
    #[arg(
        long,
        env,
        value_name = "NUMBER",
        add = DerivedDefault(|serve| Some(serve.server.http.connections.most.to_string()))
    )]
    max_connections: Option<Checked<Count>>,

    /// Most GraphQL requests at once, from 1 to 100000; the next is answered 503. Default: 4000, or what memory allows.
    ///
    /// Requests mostly wait for Auth0. More of them than it answers within REQUEST_TIMEOUT would wait in vain.
    #[arg(
        long,
        env,
        value_name = "NUMBER",
        add = DerivedDefault(|serve| Some(serve.server.http.max_concurrent_requests.to_string()))
    )]
    max_concurrent_requests: Option<Checked<Count>>,

    /// Most GraphQL requests of one caller, such as 100/s, 600/m or 5000/h; the next is answered 429.
    ///
    /// A caller who paused may send as many at once. Callers without credentials are told apart by their addresses, those of IPv6 by
    /// the network (/64).
    #[arg(long, env, value_name = "RATE")]
    rate_limit: Option<Checked<RateLimit>>,

    /// Proxies in front of the gateway, as addresses or networks such as 10.0.0.0/8, separated by commas.
    ///
    /// Behind a proxy all callers come from its address, and share one RATE_LIMIT. A proxy that is named here is believed when it
    /// says in X-Forwarded-For whom it speaks for.
    #[arg(long, env, value_name = "ADDRESSES")]
    trusted_proxies: Option<Checked<Networks>>,
}

type Count = Number<NonZeroUsize, 1, 100_000>;

impl ServerArgs {
    /// `sandbox` says that its people are made up, so that nothing need be kept from whoever comes by.
    pub(super) fn settings(&self, bounds: &BoundsArgs, sandbox: bool, problems: &mut Problems) -> Server {
        let Server { mut http, .. } = Server::default();
        let address = self.address(problems);
        let admin_address = self.admin_address(problems);
        self.allowed_hosts.set(&mut http.allowed_hosts, problems);
        self.cors_origins.set(&mut http.cors_origins, problems);
        self.cors_headers.set(&mut http.cors_headers, problems);
        http.playground = sandbox || is_loopback(address.ip());
        self.playground.set(&mut http.playground, problems);
        self.ingest_token.set_some(&mut http.ingest_token, problems);
        self.request_timeout.set(&mut http.request_timeout, problems);
        self.max_body_bytes.set(&mut http.max_body_bytes, problems);
        self.shutdown_delay.set(&mut http.shutdown_delay, problems);
        bounds.max_connections.set(&mut http.connections.most, problems);
        bounds.max_concurrent_requests.set(&mut http.max_concurrent_requests, problems);
        bounds.rate_limit.set_some(&mut http.rate_limit, problems);
        bounds.trusted_proxies.set(&mut http.trusted_proxies, problems);
        http.explains = sandbox;
        http.metrics = sandbox;
        Server { address, admin_address, http }
    }

    /// The address for metrics and health, if there is one.
    pub(super) fn admin_address(&self, problems: &mut Problems) -> Option<SocketAddr> {
        let mut address = None;
        self.admin_address.set_some(&mut address, problems);
        address
    }

    /// The address to listen on.
    pub(super) fn address(&self, problems: &mut Problems) -> SocketAddr {
        let mut address = Server::default().address;
        let (mut host, mut port) = (address.ip(), address.port());
        self.host.set(&mut host, problems);
        self.port.set(&mut port, problems);
        address.set_ip(host);
        address.set_port(port);
        address
    }
}

/// True if only this machine reaches the address.
pub(super) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

impl Setting for Origins {
    type Value = Self;

    fn parse(text: &str) -> Result<Self, String> {
        if entries(text).eq(["*"]) {
            return Ok(Self::Any);
        }
        let origin = |entry| {
            Origin::parse(entry).map_err(|error| format!("must be * or list origins; {} is {error}", quoted(entry)))
        };
        entries(text).map(origin).collect::<Result<_, _>>().map(Self::These)
    }
}

/// The row `INGEST_TOKEN`.
pub(super) struct IngestSecret;

impl Secret for IngestSecret {
    type Kind = IngestToken;

    const NAME: &'static str = "INGEST_TOKEN";
    const VALUE_NAME: &'static str = "TOKEN";
    const HELP: &'static str = "Token by which Auth0 may push logs to POST /ingest/auth0-logs. Off without it.\n\n\
        In Auth0's dashboard: Monitoring > Streams > Create Stream > Custom Webhook, with that URL, and Bearer and this token as the \
        Authorization Token. Subscriptions are told of logs as they are pushed, and the poller looks only now and then for what was lost. \
        This makes a token: openssl rand -hex 32";
}

impl Setting for IngestToken {
    type Value = Self;

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| error.to_string())
    }
}

impl Setting for CorsHeaders {
    type Value = Self;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error| format!("{error}, not {}", quoted(text)))
    }
}

impl Setting for RateLimit {
    type Value = Self;

    fn parse(text: &str) -> Result<Self, String> {
        let rate = || {
            let (requests, per) = text.split_once('/')?;
            let per = match per.trim() {
                "s" => Period::Second,
                "m" => Period::Minute,
                "h" => Period::Hour,
                _ => return None,
            };
            Some(Self { requests: requests.trim().parse().ok()?, per })
        };
        rate().ok_or_else(|| format!("must be a number of requests per s, m or h, such as 100/s, not {}", quoted(text)))
    }
}

impl Setting for SocketAddr {
    type Value = Self;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| format!("must be an IP address and a port, such as 127.0.0.1:9090, not {}", quoted(text)))
    }
}

/// IP addresses and networks of them.
pub(super) struct Networks;

impl Setting for Networks {
    type Value = Vec<IpNet>;

    fn parse(text: &str) -> Result<Vec<IpNet>, String> {
        entries(text).map(network).collect()
    }
}

fn network(entry: &str) -> Result<IpNet, String> {
    let network = entry.parse().or_else(|_| entry.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| format!("must list IP addresses, or networks such as 10.0.0.0/8; {} is neither", quoted(entry)))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn loopback_is_seen_through_ipv6() {
        for (text, expected) in [
            ("127.8.8.8", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("0.0.0.0", false),
            ("::", false),
            ("::ffff:10.0.0.1", false),
        ] {
            assert_eq!(Host::parse(text).map(is_loopback), Ok(expected), "{text}");
        }
    }

    #[test]
    fn origins_are_exact_or_all() {
        let parse = <Origins as Setting>::parse;
        let these =
            |origins: &[&str]| Origins::These(origins.iter().map(|origin| Origin::parse(origin).unwrap()).collect());
        assert_eq!(parse("*"), Ok(Origins::Any));
        assert_eq!(
            parse("https://App.example.com/ ,, http://localhost:5173"),
            Ok(these(&["https://app.example.com", "http://localhost:5173"]))
        );
        for text in ["*,https://app.example.com", "https://*.example.com", "app.example.com", "null"] {
            assert!(parse(text).unwrap_err().contains("not an origin"), "{text}");
        }
    }

    #[test]
    fn a_rate_is_a_number_and_a_period() {
        let parse = <RateLimit as Setting>::parse;
        for (text, requests, per) in
            [("100/s", 100, Period::Second), ("600 / m", 600, Period::Minute), ("4294967295/h", u32::MAX, Period::Hour)]
        {
            let requests = NonZeroU32::new(requests).unwrap();
            assert_eq!(parse(text), Ok(RateLimit { requests, per }), "{text}");
        }
        for text in ["100", "0/s", "-1/s", "1.5/s", "/s", "100/", "100/d", "100/s/s", "off", "4294967296/h"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn proxies_are_addresses_or_networks() {
        let networks = ["10.0.0.0/8", "192.0.2.1/32", "fd00::1/128"].map(|network| network.parse().unwrap());
        assert_eq!(Networks::parse("10.0.0.0/8, 192.0.2.1,,fd00::1"), Ok(networks.to_vec()));
        for text in ["proxy.example.com", "10.0.0.0/33", "10.0.0", "10.0.0.1:80", "*"] {
            assert!(Networks::parse(text).is_err(), "{text}");
        }
    }
}
