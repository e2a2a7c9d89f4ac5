//! Documents that need not be sent: kept by their hash, or trusted by the operator.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use auth0_graphql::graphql::{DocumentSettings, TrustedDocuments, TrustedMode};
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::gateway::{Setup, TestGateway, codes};

const QUERY: &str = "query First($size: Int!) { users(perPage: $size) { perPage } }";
const OTHER: &str = "query Other { __typename }";

pub(crate) fn sha256(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn persisted(hash: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
}

async fn spawn(documents: DocumentSettings) -> TestGateway {
    TestGateway::spawn_with(Setup { documents, ..Setup::default() }).await
}

/// A GET as clients write it.
async fn get(gateway: &TestGateway, parameters: &[(&str, &str)], accept: &str) -> Answer {
    let mut url = url::Url::parse("http://localhost/graphql").unwrap();
    url.query_pairs_mut().extend_pairs(parameters);
    Answer::to_get(gateway, &format!("/graphql?{}", url.query().unwrap()), &[&format!("Accept: {accept}")]).await
}

/// A manifest in a folder of a test's own.
pub(crate) fn manifest(test: &str, content: &Value) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("documents-{test}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("manifest.json");
    fs::write(&file, content.to_string()).unwrap();
    file
}

pub(crate) fn trusting(path: &Path, mode: TrustedMode) -> DocumentSettings {
    let trusted = TrustedDocuments::read(path, mode).unwrap().look_every(Duration::from_millis(5));
    DocumentSettings { trusted: Some(trusted), ..DocumentSettings::default() }
}

#[tokio::test]
async fn a_document_is_kept_by_its_hash_and_asked_for_by_it() {
    let gateway = TestGateway::spawn().await;
    let hash = sha256(QUERY);
    let alone = json!({ "variables": { "size": 2 }, "extensions": persisted(&hash) });
    let response = gateway.send(alone.clone()).await;
    assert_eq!(codes(&response), ["PERSISTED_QUERY_NOT_FOUND"]);
    // Clients look at the message, the code, or both.
    assert_eq!(response["errors"][0]["message"], "PersistedQueryNotFound");
    let both = json!({ "query": QUERY, "variables": { "size": 2 }, "extensions": persisted(&hash) });
    let expected = json!({ "data": { "users": { "perPage": 2 } } });
    assert_eq!(gateway.send(both).await, expected);
    assert_eq!(gateway.send(alone).await, expected);
    let extensions = persisted(&hash).to_string();
    let parameters = [("extensions", extensions.as_str()), ("variables", r#"{"size":3}"#), ("operationName", "First")];
    let answer = get(&gateway, &parameters, "*/*").await;
    assert_eq!(answer.json(), json!({ "data": { "users": { "perPage": 3 } } }));
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn an_unknown_hash_is_answered_200_as_json_and_400_as_graphql() {
    let gateway = TestGateway::spawn().await;
    let extensions = persisted(&sha256(QUERY)).to_string();
    for (accept, status) in [("application/json", 200), ("*/*", 200), ("application/graphql-response+json", 400)] {
        let answer = get(&gateway, &[("extensions", &extensions)], accept).await;
        answer.must_refuse(accept, status, "PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound");
    }
}

#[tokio::test]
async fn a_hash_that_is_another_documents_keeps_nothing() {
    let gateway = TestGateway::spawn().await;
    let hash = sha256(QUERY);
    let response = gateway.send(json!({ "query": OTHER, "extensions": persisted(&hash) })).await;
    assert_eq!(codes(&response), ["BAD_REQUEST"], "{response}");
    let response = gateway.send(json!({ "extensions": persisted(&hash) })).await;
    assert_eq!(codes(&response), ["PERSISTED_QUERY_NOT_FOUND"]);
}

#[tokio::test]
async fn a_document_that_cannot_run_is_not_kept() {
    let gateway = TestGateway::spawn().await;
    let text = "{ nope }";
    let hash = sha256(text);
    let response = gateway.send(json!({ "query": text, "extensions": persisted(&hash) })).await;
    assert_eq!(codes(&response), ["GRAPHQL_VALIDATION_FAILED"]);
    let response = gateway.send(json!({ "extensions": persisted(&hash) })).await;
    assert_eq!(codes(&response), ["PERSISTED_QUERY_NOT_FOUND"]);
}

#[tokio::test]
async fn where_no_documents_are_kept_clients_are_told_to_send_texts_only() {
    let gateway = spawn(DocumentSettings { persisted_queries: false, ..DocumentSettings::default() }).await;
    let hash = sha256(OTHER);
    for _ in 0..2 {
        let response = gateway.send(json!({ "extensions": persisted(&hash) })).await;
        assert_eq!(codes(&response), ["PERSISTED_QUERY_NOT_SUPPORTED"]);
        assert_eq!(response["errors"][0]["message"], "PersistedQueryNotSupported");
        let both = json!({ "query": OTHER, "extensions": persisted(&hash) });
        assert_eq!(gateway.send(both).await, json!({ "data": { "__typename": "Query" } }));
    }
    let response = gateway.send(json!({ "documentId": "an-id" })).await;
    assert_eq!(codes(&response), ["PERSISTED_QUERY_NOT_SUPPORTED"]);
}

#[tokio::test]
async fn trusted_documents_of_every_tool_are_asked_for_by_their_ids() {
    let operations = json!([{ "id": "an-id", "name": "First", "type": "query", "body": QUERY }]);
    let apollo = json!({ "format": "apollo-persisted-query-manifest", "version": 1, "operations": operations });
    for (tool, content) in [("codegen", json!({ "an-id": QUERY })), ("apollo", apollo)] {
        let gateway = spawn(trusting(&manifest(tool, &content), TrustedMode::Only)).await;
        let expected = json!({ "data": { "users": { "perPage": 1 } } });
        let variables = json!({ "size": 1 });
        let hash = format!("sha256:{}", sha256(QUERY));
        for request in [
            json!({ "documentId": "an-id", "variables": variables }),
            json!({ "documentId": hash, "variables": variables }),
            json!({ "doc_id": "an-id", "query": null, "variables": variables }),
            json!({ "extensions": persisted("an-id"), "variables": variables }),
            json!({ "extensions": persisted(&sha256(QUERY)), "variables": variables, "operationName": "First" }),
            json!({ "query": QUERY, "variables": variables }),
        ] {
            assert_eq!(gateway.send(request.clone()).await, expected, "{request}");
        }
        for name in ["documentId", "doc_id"] {
            let answer = get(&gateway, &[(name, "an-id"), ("variables", r#"{"size":1}"#)], "*/*").await;
            assert_eq!((answer.status, answer.json()), (200, expected.clone()));
        }
    }
}

#[tokio::test]
async fn with_only_trusted_documents_all_others_are_refused() {
    let gateway = spawn(trusting(&manifest("only", &json!({ "an-id": QUERY })), TrustedMode::Only)).await;
    for query in [OTHER, "{ __schema { queryType { name } } }", "nonsense", &format!("{QUERY} ")] {
        let response = gateway.query(query).await;
        assert_eq!(codes(&response), ["PERSISTED_QUERY_ONLY"], "{query}: {response}");
    }
    let hash = sha256(OTHER);
    for (request, code) in [
        (json!({ "documentId": "another" }), "PERSISTED_QUERY_NOT_FOUND"),
        (json!({ "extensions": persisted(&hash) }), "PERSISTED_QUERY_NOT_FOUND"),
        (json!({ "query": OTHER, "extensions": persisted(&hash) }), "PERSISTED_QUERY_ONLY"),
        (json!({ "extensions": persisted(&hash) }), "PERSISTED_QUERY_NOT_FOUND"),
        (json!({ "query": OTHER, "extensions": persisted("an-id") }), "BAD_REQUEST"),
        (json!({ "query": OTHER, "documentId": "an-id" }), "BAD_REQUEST"),
    ] {
        let response = gateway.send(request.clone()).await;
        assert_eq!(codes(&response), [code], "{request}: {response}");
        assert_eq!(response.get("data"), None);
    }
    assert_eq!(gateway.all_calls().await, []);
}

#[tokio::test]
async fn where_trusted_documents_are_preferred_others_run_too() {
    let gateway = spawn(trusting(&manifest("prefer", &json!({ "an-id": QUERY })), TrustedMode::Prefer)).await;
    assert_eq!(gateway.query(OTHER).await, json!({ "data": { "__typename": "Query" } }));
    let hash = sha256(OTHER);
    gateway.send(json!({ "query": OTHER, "extensions": persisted(&hash) })).await;
    let response = gateway.send(json!({ "extensions": persisted(&hash) })).await;
    assert_eq!(response, json!({ "data": { "__typename": "Query" } }));
}

#[tokio::test]
async fn a_new_manifest_is_taken_in_and_a_bad_one_is_not() {
    let file = manifest("change", &json!({ "first": OTHER }));
    let gateway = spawn(trusting(&file, TrustedMode::Only)).await;
    let ask = async |id: &str| codes(&gateway.send(json!({ "documentId": id })).await).is_empty();
    assert!(ask("first").await && !ask("second").await);
    let put = |name: &str, text: &str| fs::write(file.with_file_name(name), text).unwrap();
    // Written beside and moved into place, as a deployment does.
    put("next", "{ not JSON");
    fs::rename(file.with_file_name("next"), &file).unwrap();
    assert!(ask("first").await);
    put("next", &json!({ "second": OTHER }).to_string());
    fs::rename(file.with_file_name("next"), &file).unwrap();
    // Each round is a request; the file is looked at a hundred times in far fewer.
    let mut rounds = 0;
    while !ask("second").await {
        rounds += 1;
        assert!(rounds < 20_000, "the new manifest was never taken in");
    }
    assert!(!ask("first").await);
}

#[tokio::test]
async fn trusted_documents_keep_to_the_limits_too() {
    let text = format!("{{ users {{ {} }} }}", "total ".repeat(2_000));
    let gateway = spawn(trusting(&manifest("limits", &json!({ "large": text })), TrustedMode::Only)).await;
    let response = gateway.send(json!({ "documentId": "large" })).await;
    assert_eq!(codes(&response), ["QUERY_TOO_COMPLEX"], "{response}");
}
