//! Traces, as a collector gets them.

use std::time::Duration;

use data_encoding::HEXLOWER;
use futures_util::future::join_all;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Attribute;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::Run;
use super::running::{Running, value};
use crate::mock;
use crate::websocket::Client;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

async fn collector() -> MockServer {
    let collector = MockServer::start().await;
    let accepted = ResponseTemplate::new(200);
    Mock::given(method("POST")).and(path("/v1/traces")).respond_with(accepted).mount(&collector).await;
    collector
}

fn start(folder: &str, auth0: &MockServer, collector: &MockServer) -> Run {
    Run::new(folder, &["--port", "0", "--allow-anonymous", "yes", "--cache-ttl", "0"])
        .env("AUTH0_DOMAIN", &auth0.uri())
        .env("AUTH0_CLIENT_ID", "gateway")
        .env("AUTH0_CLIENT_SECRET", "canary-secret")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.uri())
}

async fn ask(gateway: &str, traceparent: &str, query: &str) {
    let client = reqwest::Client::builder().build().unwrap();
    let request = client.post(gateway).header("traceparent", traceparent);
    let response = request.json(&json!({ "query": query })).send().await.unwrap();
    assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
}

/// Stops the gateway, which sends what it still has, and gives back all spans.
async fn spans(gateway: Running, collector: &MockServer) -> Vec<Span> {
    assert_eq!(gateway.stop("TERM"), Some(0));
    let requests = collector.received_requests().await.unwrap();
    let exported = requests.iter().map(|request| ExportTraceServiceRequest::decode(&*request.body).unwrap());
    let resources: Vec<_> = exported.flat_map(|request| request.resource_spans).collect();
    for resource in &resources {
        let attributes = &resource.resource.as_ref().unwrap().attributes;
        let name = attributes.iter().find(|attribute| attribute.key == "service.name").unwrap();
        let name = name.value.as_ref().unwrap().value.as_ref();
        assert_eq!(name, Some(&Attribute::StringValue("auth0-graphql".to_owned())));
    }
    resources.into_iter().flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
}

/// The spans, a line each.
fn told(spans: &[Span]) -> String {
    let id = |bytes: &[u8]| HEXLOWER.encode(bytes);
    let line = |span: &Span| {
        let links: Vec<_> = span.links.iter().map(|link| id(&link.span_id)).collect();
        format!("{} {} below {} after {links:?}", span.name, id(&span.span_id), id(&span.parent_span_id))
    };
    spans.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

/// The attempts at reads, that for a token left out.
fn reads(spans: &[Span]) -> Vec<&Span> {
    let is_read =
        |attempt: &&Span| attribute(attempt, "endpoint") != Some(&Attribute::StringValue("oauth/token".to_owned()));
    named(spans, "attempt").into_iter().filter(is_read).collect()
}

fn attribute<'a>(span: &'a Span, name: &str) -> Option<&'a Attribute> {
    span.attributes.iter().find(|attribute| attribute.key == name)?.value.as_ref()?.value.as_ref()
}

fn logs() -> ResponseTemplate {
    ResponseTemplate::new(200)
        .set_body_json(json!([{ "log_id": "1", "user_id": "auth0|canary", "user_name": "canary@example.com" }]))
}

#[tokio::test]
async fn a_trusted_proxys_trace_goes_on_through_the_gateway_and_to_auth0() {
    let (auth0, collector) = (mock::answering(logs()).await, collector().await);
    let mut gateway = start("traces_trusted", &auth0, &collector).env("TRUSTED_PROXIES", "127.0.0.1").start();
    let url = value(&gateway.printed_until("GraphQL"), "GraphQL").to_owned();
    let query = r#"query Recent { logs(take: 5) { nodes { userName user { email } } } searchLogs(q: "user_name:canary") { nodes { logId } } }"#;
    ask(&url, &format!("00-{TRACE}-{PARENT}-01"), query).await;
    let spans = spans(gateway, &collector).await;
    let is_of_trace = |span: &&Span| HEXLOWER.encode(&span.trace_id) == TRACE;
    assert!(spans.iter().all(|span| is_of_trace(&span)), "{}", told(&spans));

    let [request] = named(&spans, "request")[..] else { panic!("{}", told(&spans)) };
    assert_eq!((request.kind, HEXLOWER.encode(&request.parent_span_id)), (SpanKind::Server as i32, PARENT.to_owned()));
    assert_eq!(attribute(request, "http.response.status_code"), Some(&Attribute::IntValue(200)));
    let [operation] = named(&spans, "operation")[..] else { panic!("{}", told(&spans)) };
    assert_eq!(operation.parent_span_id, request.span_id);
    assert_eq!(attribute(operation, "graphql.operation.name"), Some(&Attribute::StringValue("Recent".to_owned())));
    for name in ["document", "prepare", "joins"] {
        assert_eq!(named(&spans, name)[0].parent_span_id, operation.span_id, "{name}");
    }
    let calls: Vec<_> = named(&spans, "call").into_iter().map(|call| &call.span_id).collect();
    let attempts = reads(&spans);
    assert_eq!((calls.len(), attempts.len()), (3, 3), "{}", told(&spans));
    assert!(attempts.iter().all(|attempt| calls.contains(&&attempt.parent_span_id)), "{}", told(&spans));
    for attempt in &attempts {
        assert_eq!(attempt.kind, SpanKind::Client as i32);
        assert_eq!(attribute(attempt, "http.response.status_code"), Some(&Attribute::IntValue(200)));
        assert!(matches!(attribute(attempt, "wait_ms"), Some(Attribute::IntValue(0..))));
    }

    // Auth0's side, should it look, knows whose attempt it answers.
    let upstream = auth0.received_requests().await.unwrap();
    let received = upstream.iter().filter(|request| request.url.path() != "/oauth/token");
    for request in received {
        let parts: Vec<_> = request.headers["traceparent"].to_str().unwrap().split('-').collect();
        assert_eq!((parts[1], parts[3]), (TRACE, "01"));
        assert!(attempts.iter().any(|attempt| HEXLOWER.encode(&attempt.span_id) == parts[2]));
    }
    let all = format!("{spans:?}");
    assert!(!all.contains("canary") && !all.contains("Bearer"), "{all}");
}

#[tokio::test]
async fn a_proxys_trace_that_is_not_sampled_is_passed_on_and_is_not_exported() {
    let (auth0, collector) = (mock::answering(logs()).await, collector().await);
    let mut gateway = start("traces_unsampled", &auth0, &collector).env("TRUSTED_PROXIES", "127.0.0.1").start();
    let url = value(&gateway.printed_until("GraphQL"), "GraphQL").to_owned();
    ask(&url, &format!("00-{TRACE}-{PARENT}-00"), "{ logs(take: 5) { nodes { user { email } } } }").await;
    assert_eq!(told(&spans(gateway, &collector).await), "");
    let upstream = auth0.received_requests().await.unwrap();
    let received: Vec<_> = upstream.iter().filter(|request| request.url.path() != "/oauth/token").collect();
    assert_eq!(received.len(), 2);
    for request in received {
        let parts: Vec<_> = request.headers["traceparent"].to_str().unwrap().split('-').collect();
        assert_eq!((parts[1], parts[3]), (TRACE, "00"));
    }
}

#[tokio::test]
async fn a_trace_of_its_own_that_is_not_sampled_is_nobodys() {
    let (auth0, collector) = (mock::answering(logs()).await, collector().await);
    let mut gateway = start("traces_none", &auth0, &collector).env("OTEL_TRACES_SAMPLER", "always_off").start();
    let url = value(&gateway.printed_until("GraphQL"), "GraphQL").to_owned();
    ask(&url, &format!("00-{TRACE}-{PARENT}-01"), "{ logs(take: 5) { nodes { user { email } } } }").await;
    assert_eq!(told(&spans(gateway, &collector).await), "");
    let upstream = auth0.received_requests().await.unwrap();
    assert!(upstream.iter().all(|request| !request.headers.contains_key("traceparent")));
}

#[tokio::test]
async fn a_strangers_trace_is_linked_and_decides_nothing() {
    let (auth0, collector) = (mock::answering(logs()).await, collector().await);
    let mut gateway = start("traces_stranger", &auth0, &collector).start();
    let url = value(&gateway.printed_until("GraphQL"), "GraphQL").to_owned();
    ask(&url, &format!("00-{TRACE}-{PARENT}-00"), "{ __typename }").await;
    ask(&url, "00-of-nobody-01", "{ __typename }").await;
    let spans = spans(gateway, &collector).await;
    let requests = named(&spans, "request");
    assert_eq!(requests.len(), 2, "{}", told(&spans));
    assert!(
        requests.iter().all(|request| HEXLOWER.encode(&request.trace_id) != TRACE && request.parent_span_id.is_empty())
    );
    let links: Vec<_> =
        requests.iter().flat_map(|request| &request.links).map(|link| HEXLOWER.encode(&link.trace_id)).collect();
    assert_eq!(links, [TRACE]);
}

#[tokio::test]
async fn a_call_that_is_shared_is_linked_to_each_who_waits() {
    let auth0 = mock::answering(logs().set_delay(Duration::from_secs(2))).await;
    let collector = collector().await;
    let mut gateway = start("traces_shared", &auth0, &collector).start();
    let url = value(&gateway.printed_until("GraphQL"), "GraphQL").to_owned();
    join_all((0..3).map(|_| ask(&url, "none", "{ logs(take: 1) { next } }"))).await;
    let spans = spans(gateway, &collector).await;
    let (calls, attempts) = (named(&spans, "call"), reads(&spans));
    let [attempt] = attempts[..] else { panic!("{}", told(&spans)) };
    let linked = calls.iter().filter(|call| call.links.iter().any(|link| link.span_id == attempt.parent_span_id));
    assert_eq!((calls.len(), linked.count()), (3, 2), "{}", told(&spans));
}

#[tokio::test]
async fn operations_of_a_web_socket_and_reads_of_the_tail_have_traces_of_their_own() {
    let (auth0, collector) = (mock::answering(logs()).await, collector().await);
    let mut gateway = start("traces_socket", &auth0, &collector).start();
    let url = value(&gateway.printed_until("GraphQL"), "GraphQL").to_owned();
    let (mut client, _) = Client::connect_to(url.trim_end_matches("/graphql"), &[("x-request-id", "page")]).await;
    client.init(json!({})).await;
    assert_eq!(client.receive().await["type"], "connection_ack");
    let answer = client.run(json!({ "query": "{ logs(take: 1) { next } }" })).await;
    assert!(answer["errors"].is_null(), "{answer}");
    client.subscribe("tail", json!({ "query": "subscription { logs { logId } }" })).await;
    // The operation's read, one of the tail that has ended, and the next.
    let is_read = |request: &wiremock::Request| request.url.path() == "/api/v2/logs";
    while auth0.received_requests().await.unwrap().iter().filter(|request| is_read(request)).count() < 3 {
        tokio::task::yield_now().await;
    }
    drop(client);
    let spans = spans(gateway, &collector).await;
    let string = |text: &str| Attribute::StringValue(text.to_owned());
    let is_first = |request: &&Span| attribute(request, "request_id") == Some(&string("page-1"));
    let request = named(&spans, "request").into_iter().find(is_first).unwrap_or_else(|| panic!("{}", told(&spans)));
    let count = |found: Vec<&Span>, root: &Span| found.iter().filter(|span| span.trace_id == root.trace_id).count();
    let of_request =
        [named(&spans, "operation"), named(&spans, "call"), reads(&spans)].map(|found| count(found, request));
    assert_eq!(of_request, [1; 3], "{}", told(&spans));
    let tail = named(&spans, "tail")[0];
    assert!(tail.parent_span_id.is_empty() && tail.trace_id != request.trace_id, "{}", told(&spans));
    assert_eq!(count(reads(&spans), tail), 1, "{}", told(&spans));
}

#[test]
fn an_endpoint_that_is_no_url_is_wrong_usage() {
    Run::new("traces_wrong", &["serve", "--sandbox", "--otel-exporter-otlp-endpoint", "collector"])
        .end()
        .must_be_usage(&["OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL"]);
}
