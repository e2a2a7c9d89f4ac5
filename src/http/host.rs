//! Which hosts the gateway answers to.
//!
//! A web page can make its own name resolve to 127.0.0.1 and so have its visitors' browsers read a gateway on loopback, as
//! if it were the page's own server (DNS rebinding). Such requests carry the page's name in `Host`. Where every caller has to
//! show credentials nothing is to be had that way, for the page has none and no browser adds any: tokens and API keys are no
//! cookies. Then every name is answered.

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::Shared;
use super::envelope::Envelope;
use crate::graphql::{ErrorCode, Failure};

pub(crate) async fn check(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    if !shared.authenticator.admits_anonymous() {
        return next.run(request).await;
    }
    // HTTP/2 has the host in the request's target.
    let in_target = request.uri().authority().map(|authority| authority.as_str());
    let in_header = || request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    if in_target.or_else(in_header).is_some_and(|host| is_answered(host, &shared.settings.allowed_hosts)) {
        return next.run(request).await;
    }
    let message = "The gateway does not answer to this host name. Its operator can add the name to ALLOWED_HOSTS.";
    Envelope::of(request.headers())
        .refuse(StatusCode::MISDIRECTED_REQUEST, Failure::new(ErrorCode::BadRequest, message))
}

fn is_answered(authority: &str, allowed: &[String]) -> bool {
    let host = without_port(authority).to_ascii_lowercase();
    matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]") || allowed.contains(&host)
}

fn without_port(authority: &str) -> &str {
    // A colon inside brackets belongs to an IPv6 address.
    match authority.rfind(':') {
        Some(colon) if !authority[colon..].contains(']') => &authority[..colon],
        _ => authority,
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
            ("Gateway.Example.com:8443", true),
            ("[fd00::1]:80", true),
            ("evil.example.com:3000", false),
            ("localhost.example.com", false),
            ("127.0.0.1.example.com", false),
            ("user@localhost", false),
            ("localhost:3000:3000", false),
            ("", false),
        ] {
            assert_eq!(is_answered(authority, &allowed), expected, "{authority}");
        }
    }
}
