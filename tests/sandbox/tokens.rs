//! `/oauth/token`, bearer tokens and scopes.

use auth0_graphql::sandbox::{Client, Options};
use reqwest::Method;
use serde_json::{Value, json};

use super::Tenant;

#[tokio::test]
async fn a_token_opens_the_api_and_says_what_for() {
    let tenant = Tenant::spawn().await;
    let answer = tenant.ask(&tenant.sandbox.client()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in"], 86_400);
    assert_eq!(
        answer.body["scope"],
        "read:users read:users_app_metadata read:user_idp_tokens read:logs read:roles read:role_members read:organizations read:authentication_methods read:sessions read:refresh_tokens"
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(tenant.get("/api/v2/users").await.status, 200);
}

#[tokio::test]
async fn a_form_is_as_good_as_json() {
    use secrecy::ExposeSecret as _;

    let tenant = Tenant::spawn().await;
    let client = tenant.sandbox.client();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", &client.id)
        .append_pair("client_secret", client.secret.expose_secret())
        .append_pair("audience", &tenant.sandbox.audience())
        .finish();
    let request = tenant
        .http
        .post(tenant.url("/oauth/token"))
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .body(form);
    assert_eq!(tenant.send(request).await.status, 200);
}

#[tokio::test]
async fn what_is_wrong_with_a_client_is_said_in_auth0s_words() {
    let tenant = Tenant::spawn().await;
    let denied = |status: u16, error: &str, description: &str| {
        (status, json!({"error": error, "error_description": description}))
    };
    let audience = tenant.sandbox.audience();

    let mut wrong = tenant.sandbox.client();
    wrong.secret = "wrong".to_owned().into();
    let answer = tenant.ask(&wrong).await;
    assert_eq!((answer.status.as_u16(), answer.body), denied(401, "access_denied", "Unauthorized"));

    let nobody = Client { id: "nobody".into(), secret: String::new().into() };
    assert_eq!(tenant.ask(&nobody).await.status, 401);

    let client = tenant.new_client(json!({"scopes": [], "audience": false})).await;
    let answer = tenant.ask(&client).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body),
        denied(
            403,
            "access_denied",
            &format!(
                "Client is not authorized to access \"{audience}\". You need to create a \"client-grant\" associated to this API. See: https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants"
            )
        )
    );

    let client = tenant.new_client(json!({"scopes": ["read:users"], "grants": ["authorization_code"]})).await;
    let answer = tenant.ask(&client).await;
    let mut expected =
        denied(403, "unauthorized_client", "Grant type 'client_credentials' not allowed for the client.");
    expected.1["error_uri"] = "https://auth0.com/docs/clients/client-grant-types".into();
    assert_eq!((answer.status.as_u16(), answer.body), expected);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_in_auth0s_words() {
    use secrecy::ExposeSecret as _;

    let tenant = Tenant::spawn().await;
    let client = tenant.sandbox.client();
    let with = |audience: Value| {
        let body = json!({
            "grant_type": "client_credentials", "client_id": client.id,
            "client_secret": client.secret.expose_secret(), "audience": audience,
        });
        tenant.send(tenant.http.post(tenant.url("/oauth/token")).json(&body))
    };
    let answer = with("https://login.example.com/api/v2/".into()).await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.body["error_description"],
        "Service not enabled within domain: https://login.example.com/api/v2/"
    );
    assert_eq!(with(Value::Null).await.status, 403);

    for (kind, body) in
        [("application/json", "{"), ("application/json", "[]"), ("text/plain", "{}"), ("application/json", "{}")]
    {
        let request = tenant.http.post(tenant.url("/oauth/token")).header("content-type", kind).body(body);
        let answer = tenant.send(request).await;
        assert_eq!((answer.status.as_u16(), &answer.body["error"]), (400, &"invalid_request".into()), "{kind} {body}");
    }
}

#[tokio::test]
async fn the_expiry_can_be_any_nonsense() {
    for nonsense in [json!(-1), json!("soon"), Value::Null, json!(1e300), json!(0.5)] {
        let options = Options { token_lifetime: nonsense.clone(), ..Options::default() };
        let tenant = Tenant::with(options).await;
        let answer = tenant.ask(&tenant.sandbox.client()).await;
        assert_eq!(answer.body["expires_in"], nonsense);
        assert_eq!(tenant.get("/api/v2/users?per_page=1").await.status, 200);
    }
}

#[tokio::test]
async fn tokens_expire_by_the_clock_and_on_command() {
    let tenant = Tenant::with(Options { token_lifetime: 60.into(), ..Options::default() }).await;
    let token = tenant.token().await;
    let call = || tenant.get_with(&token, "/api/v2/users?per_page=1");
    tenant.clock.advance(std::time::Duration::from_secs(59));
    assert_eq!(call().await.status, 200);
    tenant.clock.advance(std::time::Duration::from_secs(1));
    let message = "Expired token received for JSON Web Token validation";
    let answer = call().await;
    assert_eq!(answer.error(), (401, message, ""));
    assert_eq!(answer.body["attributes"]["error"], message);

    let token = tenant.token().await;
    assert_eq!(tenant.control(Method::POST, "/_sandbox/tokens/expire", json!({})).await.status, 204);
    assert_eq!(tenant.get_with(&token, "/api/v2/users").await.error(), (401, message, ""));
    // In the same second of the clock, and good all the same.
    assert_eq!(tenant.get_with(&tenant.token().await, "/api/v2/users").await.status, 200);
}

#[tokio::test]
async fn bad_bearers_are_told_apart() {
    let tenant = Tenant::spawn().await;
    let answer = tenant.send(tenant.http.get(tenant.url("/api/v2/users"))).await;
    assert_eq!(answer.error(), (401, "Missing authentication", ""));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    for no_token in ["opaque", "a.b", ""] {
        let answer = tenant.get_with(no_token, "/api/v2/users").await;
        assert_eq!(answer.error(), (400, "Bad HTTP authentication header format", ""), "{no_token}");
    }
    assert_eq!(tenant.get_with("a.b.c", "/api/v2/users").await.error(), (401, "Invalid token", ""));

    let other = Tenant::spawn().await;
    let foreign = other.token().await;
    let expected = format!("Bad audience: {}", other.sandbox.audience());
    assert_eq!(tenant.get_with(&foreign, "/api/v2/users").await.error(), (401, expected.as_str(), ""));
}

#[tokio::test]
async fn scopes_are_enforced_by_endpoint() {
    let tenant = Tenant::spawn().await;
    let client = tenant.new_client(json!({"scopes": ["read:users"]})).await;
    let token = tenant.ask(&client).await.body["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(
        tenant.get_with(&token, "/api/v2/logs").await.error(),
        (403, "Insufficient scope, expected any of: read:logs,read:logs_users", "insufficient_scope")
    );
    let users = tenant.get_with(&token, "/api/v2/users?per_page=100").await;
    assert!(!users.body.to_string().contains("access_token"));
    assert!(tenant.get("/api/v2/users?per_page=100").await.body.to_string().contains("access_token"));

    let client = tenant.new_client(json!({"scopes": ["read:logs"]})).await;
    let token = tenant.ask(&client).await.body["access_token"].as_str().expect("a token").to_owned();
    for (path, scopes) in [
        ("/api/v2/users", "read:users,read:user_idp_tokens"),
        ("/api/v2/users/auth0%7C1", "read:users,read:current_user,read:user_idp_tokens"),
        ("/api/v2/users-by-email?email=a", "read:users"),
    ] {
        let expected = format!("Insufficient scope, expected any of: {scopes}");
        assert_eq!(tenant.get_with(&token, path).await.error(), (403, expected.as_str(), "insufficient_scope"));
    }
    assert_eq!(tenant.get_with(&token, "/api/v2/logs").await.status, 200);
}

#[tokio::test]
async fn the_issuer_publishes_the_key_that_verifies_its_tokens() {
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let tenant = Tenant::spawn().await;
    let configuration = tenant.send(tenant.http.get(tenant.url("/.well-known/openid-configuration"))).await.body;
    assert_eq!(configuration["issuer"], format!("{}/", tenant.sandbox.url()));
    let jwks = configuration["jwks_uri"].as_str().expect("an address");
    let key = tenant.send(tenant.http.get(jwks)).await.body["keys"][0].clone();

    let token = tenant.token().await;
    let parts: Vec<_> = token.split('.').collect();
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64url");
    let json = |text: &str| serde_json::from_slice::<Value>(&bytes(text)).expect("JSON");
    assert_eq!(json(parts[0]), json!({"alg": "RS256", "typ": "JWT", "kid": key["kid"]}));
    let claims = json(parts[1]);
    let client = tenant.sandbox.client().id;
    assert_eq!(claims["sub"], format!("{client}@clients"));
    assert_eq!((&claims["azp"], &claims["gty"]), (&client.as_str().into(), &"client-credentials".into()));
    assert_eq!(claims["aud"], tenant.sandbox.audience());

    let number = |name: &str| bytes(key[name].as_str().expect("a number"));
    RsaPublicKeyComponents { n: number("n"), e: number("e") }
        .verify(&RSA_PKCS1_2048_8192_SHA256, format!("{}.{}", parts[0], parts[1]).as_bytes(), &bytes(parts[2]))
        .expect("the published key verifies the token");
}

#[tokio::test]
async fn a_user_s_token_is_for_an_api_of_the_operator_s_own() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let tenant = Tenant::spawn().await;
    let ask = |request: Value| tenant.control(Method::POST, "/_sandbox/tokens", request);
    let claims = |token: &str| {
        let payload = token.split('.').nth(1).expect("three parts");
        serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(payload).expect("base64url")).expect("JSON")
    };
    let now = super::noon().timestamp();
    let issuer = tenant.sandbox.issuer();

    let answer = ask(json!({"scope": "read:logs"})).await;
    assert_eq!(answer.status, 201);
    let token = answer.body["access_token"].as_str().expect("a token");
    assert_eq!(
        claims(token),
        json!({
            "iss": issuer, "sub": tenant.sandbox.people()[0].user_id, "scope": "read:logs",
            "aud": ["https://gateway.example", format!("{issuer}userinfo")], "iat": now, "exp": now + 86_400,
        })
    );
    assert_eq!(tenant.get_with(token, "/api/v2/logs").await.status, 401, "it is not for the Management API");

    let answer = ask(json!({"sub": "auth0|1", "audience": "urn:other", "expiresIn": -60})).await;
    let claims = claims(answer.body["access_token"].as_str().expect("a token"));
    assert_eq!((&claims["sub"], &claims["aud"][0]), (&"auth0|1".into(), &"urn:other".into()));
    assert_eq!(claims["exp"], now - 60);

    for nonsense in [json!({"scopes": "read:logs"}), json!("read:logs"), json!({"expiresIn": "soon"})] {
        assert_eq!(ask(nonsense).await.status, 400);
    }
}
