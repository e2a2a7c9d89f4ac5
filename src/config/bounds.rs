//! What one caller, and all of them together, may take of the gateway. Pure.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::Problems;
use super::args::BoundsArgs;
use super::check::optional;
use super::parse::quoted;
use crate::http::{Connections, Period, RateLimit, Settings};

const NUMBER: RangeInclusive<usize> = 1..=100_000;

/// Puts the bounds that were given into `settings`.
pub(super) fn bounds(args: &BoundsArgs, settings: Settings, problems: &mut Problems) -> Settings {
    let most = optional(problems, "MAX_CONNECTIONS", args.max_connections.as_deref(), number);
    let max_concurrent_requests =
        optional(problems, "MAX_CONCURRENT_REQUESTS", args.max_concurrent_requests.as_deref(), number);
    let rate_limit = optional(problems, "RATE_LIMIT", args.rate_limit.as_deref(), rate_limit);
    let trusted_proxies = optional(problems, "TRUSTED_PROXIES", args.trusted_proxies.as_deref(), trusted_proxies);
    let connections = Connections { most: most.unwrap_or(settings.connections.most), ..settings.connections };
    Settings {
        connections,
        max_concurrent_requests: max_concurrent_requests.unwrap_or(settings.max_concurrent_requests),
        rate_limit: rate_limit.or(settings.rate_limit),
        trusted_proxies: trusted_proxies.unwrap_or(settings.trusted_proxies),
        ..settings
    }
}

fn number(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number| NUMBER.contains(number)).and_then(NonZeroUsize::new);
    number.ok_or_else(|| format!("must be a number from 1 to 100000, not {}", quoted(text)))
}

fn rate_limit(text: &str) -> Result<RateLimit, String> {
    let rate = || {
        let (requests, per) = text.split_once('/')?;
        let per = match per.trim() {
            "s" => Period::Second,
            "m" => Period::Minute,
            "h" => Period::Hour,
            _ => return None,
        };
        Some(RateLimit { requests: requests.trim().parse().ok()?, per })
    };
    rate().ok_or_else(|| format!("must be a number of requests per s, m or h, such as 100/s, not {}", quoted(text)))
}

fn trusted_proxies(text: &str) -> Result<Vec<IpNet>, String> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(network).collect()
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
    fn a_rate_is_a_number_and_a_period() {
        for (text, requests, per) in
            [("100/s", 100, Period::Second), ("600 / m", 600, Period::Minute), ("4294967295/h", u32::MAX, Period::Hour)]
        {
            let requests = NonZeroU32::new(requests).unwrap();
            assert_eq!(rate_limit(text), Ok(RateLimit { requests, per }), "{text}");
        }
        for text in ["100", "0/s", "-1/s", "1.5/s", "/s", "100/", "100/d", "100/s/s", "off", "4294967296/h"] {
            assert!(rate_limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn proxies_are_addresses_or_networks() {
        let networks = ["10.0.0.0/8", "192.0.2.1/32", "fd00::1/128"].map(|network| network.parse().unwrap());
        assert_eq!(trusted_proxies("10.0.0.0/8, 192.0.2.1,,fd00::1"), Ok(networks.to_vec()));
        for text in ["proxy.example.com", "10.0.0.0/33", "10.0.0", "10.0.0.1:80", "*"] {
            assert!(trusted_proxies(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(number("1").map(NonZeroUsize::get), Ok(1));
        for text in ["0", "100001", "-1", "many"] {
            assert!(number(text).is_err(), "{text}");
        }
    }
}
