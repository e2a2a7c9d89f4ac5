//! Checks of name, connection, TLS and clock. Pure.

use std::io;

use chrono::TimeDelta;

use super::report::Check;
use crate::auth::LEEWAY;
use crate::auth0::{Domain, Probe, ProbeError, TlsError};

/// A clock that is set by the network is right to a fraction of this. More is told before it hurts.
const TOLERANCE: TimeDelta = TimeDelta::seconds(5);

/// Name, connection and TLS: what failed first is told, what comes behind it is skipped.
pub(super) fn judge(domain: &Domain, lookup: &io::Result<usize>, probe: &Result<Probe, ProbeError>) -> [Check; 3] {
    let tls = |skipped: &str| match domain.is_https() {
        true => Check::skipped("tls", skipped),
        false => Check::skipped("tls", "plain HTTP, which never leaves this machine"),
    };
    let host = domain.host();
    let dns = match lookup {
        Ok(_) if domain.is_address() => Check::ok("dns", format!("{host} is an address itself")),
        Ok(1) => Check::ok("dns", format!("{host} has 1 address")),
        Ok(count) => Check::ok("dns", format!("{host} has {count} addresses")),
        // The environment may name a proxy, which looks names up itself.
        Err(_) if probe.is_ok() => Check::ok("dns", "not known to this machine, but to the proxy that it uses"),
        Err(error) => {
            let remedy = "check AUTH0_DOMAIN for misspellings, and whether this machine can look up other names";
            let dns = Check::failed("dns", format!("{host} cannot be looked up ({error})"), Some(remedy.to_owned()));
            return [dns, Check::skipped("connection", "needs dns"), tls("needs dns")];
        }
    };
    let connected = || Check::ok("connection", "something answers");
    let [connection, tls] = match probe {
        Ok(_) if domain.is_https() => [connected(), Check::ok("tls", "the certificate is trusted")],
        Ok(_) => [connected(), tls("")],
        Err(ProbeError::Tls(fault)) => {
            [connected(), Check::failed("tls", fault.to_string(), Some(remedy(fault).to_owned()))]
        }
        Err(ProbeError::NoClient(cause)) => {
            let remedy = "install the system's root certificates (package ca-certificates), or name a file of them in SSL_CERT_FILE";
            let finding = format!("the HTTP client cannot be set up ({cause})");
            [Check::skipped("connection", "needs tls"), Check::failed("tls", finding, Some(remedy.to_owned()))]
        }
        Err(error @ (ProbeError::Timeout | ProbeError::Connection(_))) => {
            let remedy = "check AUTH0_DOMAIN, and whether a firewall lets this machine out; HTTPS_PROXY names a proxy";
            let finding = format!("{domain} cannot be reached ({error})");
            [Check::failed("connection", finding, Some(remedy.to_owned())), tls("needs connection")]
        }
    };
    [dns, connection, tls]
}

fn remedy(fault: &TlsError) -> &'static str {
    match fault {
        TlsError::Expired | TlsError::NotYetValid => {
            "check this machine's clock; if it is right, whoever runs the domain has to renew the certificate"
        }
        TlsError::OtherName => {
            "check AUTH0_DOMAIN; a custom domain has to be verified in Auth0's dashboard, under Branding > Custom Domains"
        }
        TlsError::UnknownAuthority => {
            "if a proxy reads the traffic, add its root certificate to the system's, or to a file that SSL_CERT_FILE names"
        }
        TlsError::NotTls | TlsError::Other(_) => {
            "check AUTH0_DOMAIN, and whether something between this machine and Auth0 answers in its place"
        }
    }
}

/// The check of this machine's clock. Calls to Auth0 do not mind, callers' tokens do.
pub(super) fn clock(probe: &Result<Probe, ProbeError>, takes_tokens: bool) -> Check {
    let skew = match probe {
        Err(_) => return Check::skipped("clock", "needs an answer of the tenant's"),
        Ok(probe) => skew(probe),
    };
    let Some(skew) = skew else {
        return Check::skipped("clock", "the answer has no Date to compare with");
    };
    if skew.abs() <= TOLERANCE {
        return Check::ok("clock", "this machine's agrees with the tenant's");
    }
    let way = if skew > TimeDelta::zero() { "ahead of" } else { "behind" };
    let finding = format!("this machine's is {} s {way} the tenant's", skew.num_seconds().unsigned_abs());
    let remedy = format!(
        "set it by NTP; beyond {} s the gateway takes good access tokens of callers for expired, or for issued in the future",
        LEEWAY.as_secs()
    );
    if takes_tokens && skew.abs().to_std().is_ok_and(|skew| skew > LEEWAY) {
        Check::failed("clock", finding, Some(remedy))
    } else {
        Check::warning("clock", finding, remedy)
    }
}

/// The least that this machine's clock is ahead of the other; below zero if it is behind. Zero where whole seconds, and the
/// time that the answer took, leave it open.
fn skew(probe: &Probe) -> Option<TimeDelta> {
    let date = probe.date?;
    let least = probe.asked_at - (date + TimeDelta::seconds(1));
    let most = probe.answered_at - date;
    Some(least.max(TimeDelta::zero()) + most.min(TimeDelta::zero()))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::super::report::Status;
    use super::*;

    fn statuses(domain: &str, lookup: &io::Result<usize>, probe: &Result<Probe, ProbeError>) -> [Status; 3] {
        judge(&Domain::parse(domain).unwrap(), lookup, probe).map(|check| check.status)
    }

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(milliseconds).unwrap()
    }

    fn probe(date: i64, asked: i64, answered: i64) -> Probe {
        Probe { date: Some(at(date)), asked_at: at(asked), answered_at: at(answered) }
    }

    #[test]
    fn what_failed_first_is_told_and_the_rest_skipped() {
        use Status::{Failed, Ok as Well, Skipped};
        let answered = || Ok(probe(0, 0, 0));
        let lost = || Err(ProbeError::Connection("connection refused".to_owned()));
        let public = "example.us.auth0.com";
        for (domain, lookup, probe, expected) in [
            (public, Ok(3), answered(), [Well, Well, Well]),
            (public, Err(io::ErrorKind::NotFound.into()), lost(), [Failed, Skipped, Skipped]),
            (public, Err(io::ErrorKind::NotFound.into()), answered(), [Well, Well, Well]),
            (public, Ok(1), lost(), [Well, Failed, Skipped]),
            (public, Ok(1), Err(ProbeError::Timeout), [Well, Failed, Skipped]),
            (public, Ok(1), Err(TlsError::OtherName.into()), [Well, Well, Failed]),
            (public, Ok(1), Err(ProbeError::NoClient("no roots".to_owned())), [Well, Skipped, Failed]),
            ("http://127.0.0.1:4000", Ok(1), answered(), [Well, Well, Skipped]),
            ("http://127.0.0.1:4000", Ok(1), lost(), [Well, Failed, Skipped]),
        ] {
            assert_eq!(statuses(domain, &lookup, &probe), expected, "{domain} {lookup:?} {probe:?}");
        }
    }

    #[test]
    fn the_skew_is_what_seconds_and_latency_cannot_explain() {
        for (date, asked, answered, expected) in [
            (1_000, 1_000, 1_000, 0),
            (1_000, 1_999, 2_000, 0),
            // A second and a half under way.
            (1_000, 500, 2_000, 0),
            (1_000, 2_001, 2_100, 1),
            (1_000, 900, 999, -1),
            (1_000, 62_000, 62_100, 60_000),
            (61_000, 900, 1_000, -60_000),
        ] {
            let skew = skew(&probe(date, asked, answered)).unwrap();
            assert_eq!(skew.num_milliseconds(), expected, "{date} {asked} {answered}");
        }
    }

    #[test]
    fn a_skew_is_as_bad_as_what_it_breaks() {
        let status = |skew: i64, takes_tokens| clock(&Ok(probe(0, skew, skew)), takes_tokens).status;
        for (skew, without_tokens, with_tokens) in [
            (0, Status::Ok, Status::Ok),
            (6_000, Status::Ok, Status::Ok),
            (7_000, Status::Warning, Status::Warning),
            (-5_001, Status::Warning, Status::Warning),
            (31_001, Status::Warning, Status::Failed),
            (-30_001, Status::Warning, Status::Failed),
        ] {
            assert_eq!(status(skew, false), without_tokens, "{skew}");
            assert_eq!(status(skew, true), with_tokens, "{skew}");
        }
        let dateless = Probe { date: None, ..probe(0, 0, 0) };
        assert_eq!(clock(&Ok(dateless), true).status, Status::Skipped);
    }
}
