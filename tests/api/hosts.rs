//! The names that the gateway answers to: a web page whose name resolves to this machine must not reach it.

use std::net::SocketAddr;

use auth0_graphql::http;
use serde_json::json;

use crate::answer::Answer;
use crate::gateway::{Setup, TestGateway};

const TARGET: &str = "/graphql?query={users(perPage:1){page}}";

async fn get(gateway: &TestGateway, target: &str, host_lines: &str) -> Answer {
    Answer::to(gateway, format!("GET {target} HTTP/1.1\r\n{host_lines}\r\n")).await
}

#[tokio::test]
async fn loopback_s_names_are_answered() {
    let gateway = TestGateway::spawn().await;
    for host in [
        "localhost",
        "LocalHost",
        "localhost:3000",
        "localhost:",
        "127.0.0.1",
        "127.0.0.1:3000",
        "[::1]",
        "[::1]:3000",
        // What HOST may be set to. An address is never another name's.
        "127.0.0.2:3000",
        "[0:0:0:0:0:0:0:1]",
    ] {
        let answer = get(&gateway, TARGET, &format!("Host: {host}\r\n")).await;
        assert_eq!(answer.json(), json!({ "data": { "users": { "page": 0 } } }), "{host}");
    }
}

#[tokio::test]
async fn other_names_are_refused_before_anything_runs() {
    let gateway = TestGateway::spawn().await;
    for lines in [
        "Host: rebound.example.com\r\n",
        "Host: rebound.example.com:80\r\n",
        "Host: localhost.example.com\r\n",
        "Host: 127.0.0.1.example.com\r\n",
        "Host: example.com/localhost\r\n",
        "Host: localhost.\r\n",
        "Host: localhost@example.com\r\n",
        "Host: example.com@localhost\r\n",
        "Host: localhost:example.com\r\n",
        "Host: localhost:@example.com\r\n",
        "Host: localhost:80:80\r\n",
        "Host: localhost, example.com\r\n",
        "Host: 10.0.0.1\r\n",
        "Host: 0.0.0.0\r\n",
        "Host: 127.1\r\n",
        "Host: 2130706433\r\n",
        "Host: ::1\r\n",
        "Host: [::1\r\n",
        "Host: [::2]\r\n",
        "Host: [localhost]\r\n",
        "Host: [127.0.0.1]\r\n",
        "Host: \r\n",
        "",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: localhost\r\nHost: rebound.example.com\r\n",
        "Host: rebound.example.com\r\nHost: localhost\r\n",
    ] {
        for target in [TARGET, "/", "/playground/main.js", "/nothing"] {
            let answer = get(&gateway, target, lines).await;
            answer.must_refuse(&format!("{target} {lines}"), 421, "BAD_REQUEST", "ALLOWED_HOSTS");
        }
    }
    let without = Answer::to(&gateway, format!("GET {TARGET} HTTP/1.0\r\n\r\n")).await;
    without.must_refuse("HTTP/1.0", 421, "BAD_REQUEST", "ALLOWED_HOSTS");
    let body = r#"{"query":"{ users { page } }"}"#;
    let post = format!(
        "POST /graphql HTTP/1.1\r\nHost: rebound.example.com\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Answer::to(&gateway, post).await.must_refuse("POST", 421, "BAD_REQUEST", "ALLOWED_HOSTS");
    assert_eq!(gateway.all_calls().await, []);
}

#[tokio::test]
async fn a_whole_url_as_the_target_outweighs_the_header() {
    let gateway = TestGateway::spawn().await;
    for (url, host, status) in [
        ("http://localhost", "rebound.example.com", 200),
        ("http://rebound.example.com", "localhost", 421),
        ("http://localhost@rebound.example.com", "localhost", 421),
        ("http://rebound.example.com@localhost", "localhost", 421),
    ] {
        let answer = get(&gateway, &format!("{url}/graphql?query={{__typename}}"), &format!("Host: {host}\r\n")).await;
        assert_eq!(answer.status, status, "{url} with {host}");
    }
}

#[tokio::test]
async fn names_of_allowed_hosts_are_answered_beside_loopback_s() {
    let allowed_hosts = vec!["gateway.example.com".to_owned(), "10.0.0.7".to_owned(), "[fd00::7]".to_owned()];
    let http = http::Settings { allowed_hosts, ..http::Settings::default() };
    let gateway = TestGateway::spawn_with(Setup { http, ..Setup::default() }).await;
    for (host, status) in [
        ("gateway.example.com", 200),
        ("Gateway.EXAMPLE.com:8443", 200),
        ("10.0.0.7:80", 200),
        ("[fd00::7]", 200),
        ("[fd00::7]:80", 200),
        ("localhost", 200),
        ("other.example.com", 421),
        ("gateway.example.com.example.org", 421),
        ("sub.gateway.example.com", 421),
        ("10.0.0.8", 421),
        ("[fd00::8]", 421),
    ] {
        assert_eq!(get(&gateway, "/", &format!("Host: {host}\r\n")).await.status, status, "{host}");
    }
}

#[tokio::test]
async fn the_authority_of_http_2_is_judged_too() {
    let gateway = TestGateway::spawn().await;
    let address: SocketAddr = gateway.url.strip_prefix("http://").unwrap().parse().unwrap();
    let client = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .resolve("rebound.example.com", address)
        .build()
        .unwrap();
    let good = client.get(format!("{}{TARGET}", gateway.url)).send().await.unwrap();
    assert_eq!((good.version(), good.status().as_u16()), (reqwest::Version::HTTP_2, 200));
    gateway.forget_calls().await;
    let url = format!("http://rebound.example.com:{}{TARGET}", address.port());
    let rebound = client.get(url).header("host", "localhost").send().await.unwrap();
    Answer::from(rebound).await.must_refuse("HTTP/2", 421, "BAD_REQUEST", "ALLOWED_HOSTS");
    assert_eq!(gateway.all_calls().await, []);
}

#[tokio::test]
async fn probes_reach_the_process_by_any_name() {
    let gateway = TestGateway::spawn().await;
    for lines in ["Host: 10.0.0.1:3000\r\n", "Host: rebound.example.com\r\n", "Host: \r\n", ""] {
        let answer = get(&gateway, "/livez", lines).await;
        assert_eq!((answer.status, answer.text()), (200, "ok\n"), "{lines}");
    }
}
