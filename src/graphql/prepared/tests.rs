//! What is prepared once, and what for.

use async_graphql::Variables;

use super::*;
use crate::auth::{Scope, Scopes};
use crate::graphql::document::{Document, DocumentSettings, Documents};
use crate::graphql::limits::Limits;
use crate::graphql::{schema, write_sdl};

struct Kit {
    signatures: Arc<Signatures>,
    documents: Documents,
    operations: Operations,
}

impl Kit {
    fn new() -> Self {
        let strict = schema().finish();
        let signatures = Arc::new(Signatures::read(&write_sdl(&strict)).unwrap());
        let documents = Documents::new(strict, Arc::clone(&signatures), Limits::default(), DocumentSettings::default());
        Self { signatures, documents, operations: Operations::default() }
    }

    fn get(&self, text: &str, variables: serde_json::Value) -> Arc<Prepared> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let document = runtime.block_on(self.documents.get(text)).unwrap();
        let variables = Variables::from_json(variables);
        let prepare = |document: &Document, name: Option<&str>, variables: Variables| {
            let operation = Operation::new(&self.signatures, document, name, variables)?;
            Ok(Prepared::new(operation, &self.signatures, Permissions::default(), 20))
        };
        self.operations.get(&document, None, variables, prepare).unwrap()
    }
}

fn authority(scopes: &[Scope]) -> Authority {
    Scopes::of(scopes).into()
}

#[test]
fn an_operation_is_prepared_once_for_the_same_document_and_variables() {
    let kit = Kit::new();
    let text = "query ($q: String, $page: Int! = 0) { users(q: $q, page: $page) { nodes { name } } }";
    let get = |variables: serde_json::Value| kit.get(text, variables);
    let once = get(serde_json::json!({ "q": "a" }));
    assert!(Arc::ptr_eq(&once, &get(serde_json::json!({ "q": "a" }))));
    for other in [
        serde_json::json!({}),
        serde_json::json!({ "q": null }),
        serde_json::json!({ "q": "b" }),
        serde_json::json!({ "q": "a", "page": 1 }),
    ] {
        assert!(!Arc::ptr_eq(&once, &get(other.clone())), "{other}");
    }
    assert!(!Arc::ptr_eq(&once, &kit.get(&format!("{text} "), serde_json::json!({ "q": "a" }))));
}

#[test]
fn plans_are_made_for_each_authority() {
    let prepared = Kit::new().get("{ users { nodes { name appMetadata } } }", serde_json::Value::Null);
    let all = prepared.plan(authority(&Scope::ALL));
    let some = prepared.plan(authority(&[Scope::ReadUsers]));
    assert!(Arc::ptr_eq(&all, &prepared.plan(authority(&Scope::ALL))));
    let needs = |plan: &ExecutionPlan| plan.calls[0].keys.keys.iter().copied().collect::<Vec<_>>();
    assert_eq!(needs(&all), ["app_metadata", "name"]);
    assert_eq!(needs(&some), ["name"]);
    let withheld = |plan: &ExecutionPlan| plan.fields[0].as_ref().unwrap().withheld.len();
    assert_eq!((withheld(&all), withheld(&some)), (0, 1));
}

#[test]
fn those_who_ask_the_same_are_one_call_and_the_rest_is_not_auth0_s() {
    let text = r#"{
        a: user(id: "auth0|1") { name } gateway { version } b: user(id: "auth0|2") { name } __typename
        c: user(id: "auth0|1") { email } d: logs { next } e: logs(from: null) { next }
    }"#;
    let prepared = Kit::new().get(text, serde_json::Value::Null);
    let calls: Vec<Vec<_>> =
        (0..prepared.calls.len()).map(|call| prepared.keys_of_call(call).map(Name::as_str).collect()).collect();
    assert_eq!(calls, [vec!["a", "c"], vec!["b"], vec!["d", "e"]]);
    let own = prepared.own.as_ref().unwrap();
    let (_, operation) = own.operations.iter().next().unwrap();
    assert_eq!(operation.node.selection_set.node.items.len(), 1);
    let needs = &prepared.plan(authority(&Scope::ALL)).calls[0].keys;
    assert_eq!(needs.keys.iter().copied().collect::<Vec<_>>(), ["email", "name"]);
}
