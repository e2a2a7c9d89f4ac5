//! Probes of the tenant's address, to tell why nothing works: no token, no second attempt, no breaker.

use std::error::Error as StdError;
use std::io;

use anyhow::Chain;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{AGE, DATE, HeaderMap};
use rustls::CertificateError;

use super::error::BuildError;
use super::http_client::UpstreamRequest;
use super::transport::Transport;
use crate::deadline::Deadline;

/// Path that every tenant answers to everybody (OpenID Connect Discovery 1.0, 4).
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// An answer of somebody. Whether it is Auth0 is not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// The time by the clock of whoever answered, cut off to whole seconds, if the answer tells.
    pub date: Option<DateTime<Utc>>,
    /// The time by this machine's clock before the question.
    pub asked_at: DateTime<Utc>,
    /// The time by this machine's clock after the answer.
    pub answered_at: DateTime<Utc>,
}

/// The lack of an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The deadline came first.
    #[error("no answer in time")]
    Timeout,
    /// No connection, or it was lost; with the operating system's reason.
    #[error("{0}")]
    Connection(String),
    /// A connection, and no trust in who is at its other end.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No client that could probe.
    #[error("the HTTP client cannot be set up ({0})")]
    NoClient(String),
}

impl ProbeError {
    /// The error of a client that cannot be set up.
    pub(crate) fn of(error: &BuildError) -> Self {
        Self::NoClient(innermost(&error.0))
    }
}

/// A TLS handshake that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The other end sent something else than TLS.
    #[error("what answers there does not speak TLS")]
    NotTls,
    /// The certificate's time is over.
    #[error("the certificate has expired, by this machine's clock")]
    Expired,
    /// The certificate's time is to come.
    #[error("the certificate is not valid yet, by this machine's clock")]
    NotYetValid,
    /// The certificate is of another host.
    #[error("the certificate is for another name")]
    OtherName,
    /// The certificate leads to no root that this machine trusts.
    #[error("the certificate was issued by an authority that this machine does not trust")]
    UnknownAuthority,
    /// Anything else.
    #[error("the handshake failed ({0})")]
    Other(String),
}

impl Transport {
    pub(crate) async fn probe(&self, deadline: Deadline) -> Result<Probe, ProbeError> {
        let url = self.domain().url(DISCOVERY_PATH).map_err(|error| ProbeError::Connection(error.to_string()))?;
        let request = UpstreamRequest::get(url.into(), None);
        let asked_at = Utc::now();
        let response = deadline.limit(self.client().send(&request)).await.map_err(|_| ProbeError::Timeout)?;
        let response = response.map_err(|error| probe_error(&error))?;
        Ok(Probe { date: date(response.headers()), asked_at, answered_at: Utc::now() })
    }
}

/// The time at which the answer was given out. An answer that was kept on the way is so many seconds old (RFC 9111, 5.1).
fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let date = DateTime::parse_from_rfc2822(headers.get(DATE)?.to_str().ok()?).ok()?.to_utc();
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.trim().parse::<u32>().ok()).unwrap_or(0);
    Some(date + TimeDelta::seconds(age.into()))
}

/// The innermost cause.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    Chain::new(error).last().map(ToString::to_string).unwrap_or_default()
}

fn probe_error(error: &reqwest::Error) -> ProbeError {
    if let Some(fault) = Chain::new(error).find_map(tls_fault) {
        return fault.into();
    }
    if error.is_timeout() {
        return ProbeError::Timeout;
    }
    let cause = innermost(error);
    // A proxy's trouble would be looked for at the tenant's end. The type of its error is private, and this is how that begins.
    if Chain::new(error).any(|cause| cause.to_string().starts_with("tunnel error")) {
        let message = format!("no way through the proxy that HTTPS_PROXY or ALL_PROXY names: {cause}");
        return ProbeError::Connection(message);
    }
    ProbeError::Connection(cause)
}

fn tls_fault(error: &(dyn StdError + 'static)) -> Option<TlsError> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(error.into());
    }
    // An I/O error does not have what it wraps for its source, but the source of that.
    tls_fault(error.downcast_ref::<io::Error>()?.get_ref()?)
}

impl From<&rustls::Error> for TlsError {
    fn from(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidMessage(_) => Self::NotTls,
            rustls::Error::InvalidCertificate(fault) => match fault {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::OtherName,
                CertificateError::UnknownIssuer => Self::UnknownAuthority,
                _ => Self::Other(error.to_string()),
            },
            _ => Self::Other(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_tls_is_found_however_it_is_wrapped() {
        let fault = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert_eq!(tls_fault(&fault()), Some(TlsError::UnknownAuthority));
        let wrapped = io::Error::other(io::Error::other(fault()));
        assert_eq!(tls_fault(&wrapped), Some(TlsError::UnknownAuthority));
        assert_eq!(tls_fault(&io::Error::from(io::ErrorKind::ConnectionRefused)), None);
    }

    #[test]
    fn a_kept_answer_is_older_than_its_arrival() {
        let headers = |pairs: &[(reqwest::header::HeaderName, &str)]| {
            pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect::<HeaderMap>()
        };
        let at = |text: &str| text.parse::<DateTime<Utc>>().ok();
        let day = (DATE, "Fri, 15 Jan 2027 08:00:00 GMT");
        assert_eq!(date(&headers(std::slice::from_ref(&day))), at("2027-01-15T08:00:00Z"));
        assert_eq!(date(&headers(&[day.clone(), (AGE, "90")])), at("2027-01-15T08:01:30Z"));
        assert_eq!(date(&headers(&[day, (AGE, "-1")])), at("2027-01-15T08:00:00Z"));
        assert_eq!(date(&headers(&[(DATE, "yesterday")])), None);
        assert_eq!(date(&headers(&[])), None);
    }
}
