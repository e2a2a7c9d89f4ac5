//! A tenant that is reached as one on the internet is: through a proxy that the environment names, and over TLS.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use auth0_graphql::sandbox::Sandbox;
use chrono::{TimeDelta, Utc};

use super::super::edge::{Certificate, Edge};
use super::{Doctor, of_health, of_mock, sandbox};

/// An address that is given to nobody (RFC 5737), so that nothing but the proxy leads to it.
const TENANT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const ANOTHER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// The protocols of a server that speaks both.
const BOTH: [&str; 2] = ["h2", "http/1.1"];

/// A doctor of a gateway that reaches the sandbox through an edge.
fn of_proxied(sandbox: &Sandbox, variable: &'static str, edge: &Edge) -> Doctor {
    Doctor::of_client(sandbox, &sandbox.client())
        .with("AUTH0_DOMAIN", TENANT.to_string())
        .with("AUTH0_AUDIENCE", format!("{}/api/v2/", sandbox.url()))
        .with(variable, format!("http://aladdin:open%20sesame@{}", edge.address))
}

/// Has it trust a certificate, and no other.
fn trusting(doctor: Doctor, certificate: &Certificate, name: &str) -> Doctor {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("proxied_{name}.pem"));
    std::fs::write(&file, certificate.pem()).unwrap();
    doctor.with("SSL_CERT_FILE", file.to_str().unwrap())
}

#[tokio::test]
async fn a_tenant_behind_a_proxy_is_well_and_asked_over_http_2_if_it_can() {
    let sandbox = sandbox().await;
    let certificate = Certificate::of(TENANT, Utc::now() - TimeDelta::hours(1));
    for (variable, protocols, agreed) in [
        ("HTTPS_PROXY", &BOTH[..], "h2"),
        ("https_proxy", &BOTH, "h2"),
        ("ALL_PROXY", &["http/1.1"], "http/1.1"),
        // One that agrees upon nothing.
        ("all_proxy", &[], ""),
    ] {
        let edge = Edge::before(&sandbox.url(), &certificate, protocols).await;
        let doctor = trusting(of_proxied(&sandbox, variable, &edge), &certificate, variable);
        let examined = doctor.examine().await;
        assert_eq!((examined.code, examined.that_are("failed")), (Some(0), vec![]), "{examined:#?}");
        assert_eq!(examined.check("tls")["finding"], "the certificate is trusted");

        let seen = edge.seen();
        let head = seen.heads[0].to_lowercase();
        assert!(head.starts_with("connect 192.0.2.1:443 http/1.1\r\n"), "{head}");
        // `aladdin:open sesame`.
        assert!(seen.heads[0].contains("Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ=="), "{head}");
        assert!(head.contains("user-agent: auth0-graphql/"), "{head}");
        assert!(!head.contains("bearer"), "{head}");
        // Over HTTP/2, one connection for the probe, the token and all the rest.
        assert!(seen.protocols.iter().all(|protocol| protocol == agreed), "{seen:?}");
        assert!(seen.protocols.len() == 1 || agreed != "h2", "{seen:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_is_told() {
    for (status, told) in
        [("407 Proxy Authentication Required", "proxy authorization required"), ("403 Forbidden", "unsuccessful")]
    {
        let edge = Edge::refusing(status).await;
        let doctor =
            of_mock(&TENANT.to_string()).with("HTTPS_PROXY", format!("http://aladdin:sesame@{}", edge.address));
        let examined = doctor.examine().await;
        assert!(examined.failed(&["connection"]).contains("HTTPS_PROXY"), "{examined:#?}");
        let finding = examined.check("connection")["finding"].as_str().unwrap();
        assert!(
            finding.contains("the proxy that HTTPS_PROXY or ALL_PROXY names") && finding.contains(told),
            "{finding}"
        );
        assert!(!format!("{examined:?}").contains("sesame"), "{examined:#?}");
        assert!(!format!("{examined:?}").contains(&edge.address), "{examined:#?}");
        assert_eq!(edge.seen().heads.len(), 1);
    }
}

#[tokio::test]
async fn no_proxy_is_asked_for_this_machine_s_loopback() {
    let sandbox = sandbox().await;
    let edge = Edge::refusing("403 Forbidden").await;
    let doctor = of_health(&sandbox).with("ALL_PROXY", format!("http://{}", edge.address));
    let examined = doctor.with("HTTP_PROXY", format!("http://{}", edge.address)).examine().await;
    assert_eq!(examined.code, Some(0), "{examined:#?}");
    assert_eq!(edge.seen().heads.len(), 0);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_told_with_the_reason() {
    let (now, day) = (Utc::now(), TimeDelta::days(1));
    let good = Certificate::of(TENANT, now - TimeDelta::hours(1));
    for (name, certificate, finding) in [
        ("expired", Certificate::of(TENANT, now - day * 2), "the certificate has expired, by this machine's clock"),
        ("early", Certificate::of(TENANT, now + day), "the certificate is not valid yet, by this machine's clock"),
        ("other", Certificate::of(ANOTHER, now - TimeDelta::hours(1)), "the certificate is for another name"),
    ] {
        let sandbox = sandbox().await;
        let edge = Edge::before(&sandbox.url(), &certificate, &BOTH).await;
        let doctor = trusting(of_proxied(&sandbox, "HTTPS_PROXY", &edge), &certificate, name);
        let examined = doctor.examine().await;
        examined.failed(&["tls"]);
        assert_eq!(examined.check("tls")["finding"], finding);
        assert_eq!(examined.check("connection")["status"], "ok");
    }
    // One that nobody vouches for.
    let sandbox = sandbox().await;
    let edge = Edge::before(&sandbox.url(), &Certificate::of(TENANT, now - TimeDelta::hours(1)), &BOTH).await;
    let examined = trusting(of_proxied(&sandbox, "HTTPS_PROXY", &edge), &good, "unknown").examine().await;
    assert!(examined.failed(&["tls"]).contains("SSL_CERT_FILE"), "{examined:#?}");
    let finding = examined.check("tls")["finding"].as_str().unwrap();
    assert!(finding.starts_with("the certificate was issued by an authority"), "{finding}");
}
