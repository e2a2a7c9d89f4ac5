//! Certificates of nobody's but the test's own, written by hand (RFC 5280): a library for that would be used here alone.

use std::net::Ipv4Addr;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, TimeDelta, Utc};

/// A key that is made up on the spot, and a certificate that it has signed for itself.
pub(crate) struct Certificate {
    /// The certificate, in DER.
    pub(crate) certificate: Vec<u8>,
    /// The key, in PKCS #8.
    pub(crate) key: Vec<u8>,
}

impl Certificate {
    /// A certificate for a host, good for a day from that moment on.
    pub(crate) fn of(host: Ipv4Addr, from: DateTime<Utc>) -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref()).unwrap();
        let described = describe(host, from, pair.public_key().as_ref());
        let signature = pair.sign(&random, &described).unwrap();
        let certificate = sequence(&[&described, &ecdsa_with_sha256(), &bits(signature.as_ref())]);
        Self { certificate, key: key.as_ref().to_vec() }
    }

    pub(crate) fn pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    pub(crate) fn key_pem(&self) -> String {
        pem("PRIVATE KEY", &self.key)
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}

/// The part that is signed (4.1.2).
fn describe(host: Ipv4Addr, from: DateTime<Utc>, public_key: &[u8]) -> Vec<u8> {
    let version_3 = der(0xa0, &[&der(0x02, &[&[2]])]);
    let serial = der(0x02, &[&[1]]);
    // Of its own: an issuer of the same name would be taken for this one, with a wrong signature.
    let name = format!("{:x}", fastrand::u128(..));
    let common_name = sequence(&[&oid(&[0x55, 0x04, 0x03]), &der(0x0c, &[name.as_bytes()])]);
    let name = sequence(&[&der(0x31, &[&common_name])]);
    let time = |time: DateTime<Utc>| der(0x17, &[time.format("%y%m%d%H%M%SZ").to_string().as_bytes()]);
    let validity = sequence(&[&time(from), &time(from + TimeDelta::days(1))]);
    let p_256 =
        [oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]), oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07])];
    let key = sequence(&[&sequence(&[&p_256[0], &p_256[1]]), &bits(public_key)]);
    let address = sequence(&[&der(0x87, &[&host.octets()])]);
    let alternative_name = sequence(&[&oid(&[0x55, 0x1d, 0x11]), &der(0x04, &[&address])]);
    let extensions = der(0xa3, &[&sequence(&[&alternative_name])]);
    sequence(&[&version_3, &serial, &ecdsa_with_sha256(), &name, &validity, &name, &key, &extensions])
}

fn ecdsa_with_sha256() -> Vec<u8> {
    sequence(&[&oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02])])
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der(0x30, parts)
}

fn oid(encoded: &[u8]) -> Vec<u8> {
    der(0x06, &[encoded])
}

fn bits(bytes: &[u8]) -> Vec<u8> {
    der(0x03, &[&[0], bytes])
}

/// A tag, a length and what follows, in DER (X.690).
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = match u16::try_from(content.len()).unwrap().to_be_bytes() {
        [0, short @ ..0x80] => vec![short],
        [0, long] => vec![0x81, long],
        [high, low] => vec![0x82, high, low],
    };
    [&[tag][..], &length, &content].concat()
}
