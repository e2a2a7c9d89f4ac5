//! The host names that the gateway answers to.
//!
//! A web page can make its own name resolve to 127.0.0.1 and so have its visitors' browsers read a gateway on loopback, as
//! if it were the page's own server (DNS rebinding). Such requests carry the page's name in `Host`. Where every caller has to
//! show credentials nothing is to be had that way, for the page has none and no browser adds any: tokens and API keys are no
//! cookies. Then every name is answered.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::extract::Request;
use axum::http::{StatusCode, header};

use super::error::HttpError;
use super::state::ServerState;

/// The refusal of a request for a host that the gateway does not answer to.
pub(crate) fn refusal(request: &Request, state: &ServerState) -> Option<HttpError> {
    if !state.admission.authenticator().admits_anonymous() || is_for_us(request, &state.settings.allowed_hosts) {
        return None;
    }
    let message = "The gateway does not answer to this host name. Its operator can add the name to ALLOWED_HOSTS.";
    Some(HttpError::bad(StatusCode::MISDIRECTED_REQUEST, message))
}

/// True if a request names this machine, or a host that is allowed.
pub(crate) fn is_for_us(request: &Request, allowed: &[String]) -> bool {
    host(request).is_some_and(|host| is_allowed(host, allowed))
}

/// The one host that a request names. Of two, the next server on the way might believe the other.
pub(crate) fn host(request: &Request) -> Option<&str> {
    // HTTP/2 has the host in the request's target.
    if let Some(authority) = request.uri().authority() {
        return Some(authority.as_str());
    }
    let mut lines = request.headers().get_all(header::HOST).iter();
    match (lines.next(), lines.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    }
}

fn is_allowed(authority: &str, allowed: &[String]) -> bool {
    let Some(host) = without_port(authority) else { return false };
    let is = |name: &str| host.eq_ignore_ascii_case(name);
    is("localhost") || is_loopback(host) || allowed.iter().any(|name| is(name))
}

/// Any address of this machine's own will do: no name server can make an address another machine's.
fn is_loopback(host: &str) -> bool {
    let in_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match in_brackets {
        Some(address) => address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()),
        None => host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback()),
    }
}

/// The host alone; none where what follows it is no port.
fn without_port(authority: &str) -> Option<&str> {
    // A colon inside brackets belongs to an IPv6 address.
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => port.bytes().all(|byte| byte.is_ascii_digit()).then_some(host),
        _ => Some(authority),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_hosts_are_answered() {
        let allowed = ["gateway.example.com".to_owned(), "[fd00::1]".to_owned()];
        for (authority, expected) in [
            ("localhost", true),
            ("LOCALHOST:3000", true),
            ("127.0.0.1:3000", true),
            ("[::1]:3000", true),
            ("[::1]", true),
            ("127.0.0.2", true),
            ("localhost:", true),
            ("Gateway.Example.com:8443", true),
            ("[fd00::1]:80", true),
            ("evil.example.com:3000", false),
            ("localhost.example.com", false),
            ("127.0.0.1.example.com", false),
            ("user@localhost", false),
            ("localhost:3000:3000", false),
            ("localhost:http", false),
            ("localhost:@evil.example.com", false),
            ("[127.0.0.1]", false),
            ("::1", false),
            ("127.1", false),
            ("0.0.0.0", false),
            ("", false),
        ] {
            assert_eq!(is_allowed(authority, &allowed), expected, "{authority}");
        }
    }
}
