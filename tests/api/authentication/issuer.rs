//! An OpenID provider whose keys, and whose manners, a test decides about.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use auth0_graphql::auth::{Issuer, TokenSettings};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// The API that good tokens are for.
pub(super) const AUDIENCE: &str = "https://gateway.example";

/// Making an RSA key takes too long to do it for each test.
static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());

/// A key pair with its `kid`.
pub(super) struct Key {
    id: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa,
    Pss,
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// A new Ed25519 key: the quickest.
pub(super) fn ed(id: &'static str) -> Key {
    Key { id, pair: Pair::Ed(Ed25519KeyPair::generate().unwrap()) }
}

pub(super) fn rsa(id: &'static str) -> Key {
    Key { id, pair: Pair::Rsa }
}

pub(super) fn one_of_each_kind() -> [Key; 4] {
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    [rsa("rsa"), Key { id: "pss", pair: Pair::Pss }, Key { id: "ec", pair: Pair::Ec(ec) }, ed("ed")]
}

impl Key {
    pub(super) fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa => "RS256",
            Pair::Pss => "PS256",
            Pair::Ec(_) => "ES256",
            Pair::Ed(_) => "EdDSA",
        }
    }

    /// The public key, as a key set shows it.
    pub(super) fn public(&self) -> Value {
        let mut key = match &self.pair {
            Pair::Rsa | Pair::Pss => {
                let public = RSA.public_key();
                json!({
                    "kty": "RSA",
                    "n": encode(public.modulus().big_endian_without_leading_zero()),
                    "e": encode(public.exponent().big_endian_without_leading_zero()),
                })
            }
            Pair::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)})
            }
            Pair::Ed(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key())}),
        };
        key["kid"] = self.id.into();
        key["use"] = "sig".into();
        key["alg"] = self.algorithm().into();
        key
    }

    /// A token with an ordinary header.
    pub(super) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({}), claims)
    }

    /// A token with a header in which some is replaced; `null` leaves it out.
    pub(super) fn token_with(&self, replaced: &Value, claims: &Value) -> String {
        let mut header = json!({"alg": self.algorithm(), "typ": "JWT", "kid": self.id});
        replace(&mut header, replaced);
        let signed = unsigned(&header, claims);
        let signature = self.sign(signed.as_bytes());
        format!("{signed}.{}", encode(signature))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let rsa = |encoding| {
            let mut signature = vec![0; RSA.public_modulus_len()];
            RSA.sign(encoding, &random, message, &mut signature).unwrap();
            signature
        };
        match &self.pair {
            Pair::Rsa => rsa(&RSA_PKCS1_SHA256),
            Pair::Pss => rsa(&RSA_PSS_SHA256),
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

/// Header and claims of a token, joined by a dot.
pub(super) fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encode(header.to_string()), encode(claims.to_string()))
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn replace(object: &mut Value, replaced: &Value) {
    for (name, value) in replaced.as_object().unwrap() {
        match value {
            Value::Null => object.as_object_mut().unwrap().remove(name),
            value => object.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

pub(super) struct TestIssuer {
    server: MockServer,
    identifier: String,
    answer: Arc<Mutex<ResponseTemplate>>,
}

impl TestIssuer {
    /// A provider that signs with these keys.
    pub(super) async fn start(keys: Vec<Value>) -> Self {
        Self::start_on(MockServer::start().await, keys).await
    }

    /// The same on a port of its own.
    pub(super) async fn start_at(listener: std::net::TcpListener, keys: Vec<Value>) -> Self {
        Self::start_on(MockServer::builder().listener(listener).start().await, keys).await
    }

    async fn start_on(server: MockServer, keys: Vec<Value>) -> Self {
        let identifier = format!("{}/", server.uri());
        let configuration = json!({"issuer": identifier, "jwks_uri": format!("{identifier}keys")});
        Mock::given(path("/.well-known/openid-configuration"))
            .respond_with(ResponseTemplate::new(200).set_body_json(configuration))
            .mount(&server)
            .await;
        let answer = Arc::new(Mutex::new(key_set(&keys)));
        let respond = Arc::clone(&answer);
        Mock::given(path("/keys"))
            .respond_with(move |_: &Request| respond.lock().unwrap().clone())
            .mount(&server)
            .await;
        Self { server, identifier, answer }
    }

    pub(super) fn settings(&self) -> TokenSettings {
        settings(&self.identifier)
    }

    pub(super) fn rotate(&self, keys: &[Value]) {
        self.answer_keys_with(key_set(keys));
    }

    pub(super) fn answer_keys_with(&self, answer: ResponseTemplate) {
        *self.answer.lock().unwrap() = answer;
    }

    /// The number of times that the keys were asked for.
    pub(super) async fn fetches(&self) -> usize {
        self.requests().await.iter().filter(|path| *path == "/keys").count()
    }

    /// The paths of what was asked for.
    pub(super) async fn requests(&self) -> Vec<String> {
        self.server.received_requests().await.unwrap().iter().map(|request| request.url.path().to_owned()).collect()
    }

    /// Good claims, in which some is replaced; `null` leaves it out.
    pub(super) fn claims(&self, replaced: &Value) -> Value {
        claims(&self.identifier, replaced)
    }
}

pub(super) fn settings(identifier: &str) -> TokenSettings {
    TokenSettings {
        issuer: Issuer::parse(identifier).unwrap(),
        audiences: vec!["https://unused.example".to_owned(), AUDIENCE.to_owned()],
        keys: None,
    }
}

pub(super) fn claims(identifier: &str, replaced: &Value) -> Value {
    let mut claims = json!({
        "iss": identifier, "aud": AUDIENCE, "sub": "auth0|somebody", "iat": now(), "exp": now() + 3_600,
    });
    replace(&mut claims, replaced);
    claims
}

fn key_set(keys: &[Value]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({ "keys": keys }))
}
