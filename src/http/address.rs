//! The address of a client, behind the proxies that are trusted.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client for whom `peer` sends a request with these headers.
///
/// Follows `X-Forwarded-For` backwards for as long as a trusted proxy speaks. Every proxy adds the address that it was asked
/// from, so the first one that is not a trusted proxy's own is the last that can be believed; what stands before it anyone
/// can write.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut address = peer.to_canonical();
    let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
    let mut hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    while is_trusted(address, trusted) {
        let Some(hop) = hops.next().and_then(|hop| parse(hop.trim())) else { break };
        address = hop.to_canonical();
    }
    address
}

/// The network by which clients are told apart: an IPv4 address, or the 2^64 addresses that any owner of an IPv6 address has.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// True if the address is a trusted proxy's.
pub(crate) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address.to_canonical()))
}

/// Some proxies add the port, and put IPv6 addresses into brackets.
fn parse(hop: &str) -> Option<IpAddr> {
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    hop.parse().ok().or_else(|| hop.parse().ok().as_ref().map(SocketAddr::ip)).or_else(in_brackets)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_what_trusted_proxies_say_is_believed() {
        let trusted = ["10.0.0.0/8", "fd00::/8", "127.0.0.1/32"].map(|network| network.parse().unwrap());
        for (peer, lines, expected) in [
            ("192.0.2.1", &[][..], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.7 ,10.1.1.1"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9", "198.51.100.7", "10.1.1.1"], "198.51.100.7"),
            ("10.0.0.1", &["10.9.9.9"], "10.9.9.9"),
            ("10.0.0.1", &["198.51.100.7:51234"], "198.51.100.7"),
            ("10.0.0.1", &["2001:db8::7"], "2001:db8::7"),
            ("fd00::1", &["[2001:db8::7]:443"], "2001:db8::7"),
            ("fd00::1", &["[2001:db8::7]"], "2001:db8::7"),
            ("10.0.0.1", &["198.51.100.7, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7,"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7", "\u{fc}"], "10.0.0.1"),
            ("127.0.0.1", &["::ffff:198.51.100.7"], "198.51.100.7"),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            let address = client_address(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(address, expected.parse::<IpAddr>().unwrap(), "{peer} {lines:?}");
        }
    }
}
