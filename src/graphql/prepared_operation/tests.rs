//! Operations that are prepared once, and their plans.

use super::*;
use crate::auth::{Scope, Scopes};
use crate::graphql::document::{DocumentSettings, Documents};
use crate::graphql::limits::Limits;
use crate::graphql::plan::CallPlan;
use crate::graphql::{operation, sdl};

pub(in crate::graphql) struct Fixture {
    types: Arc<TypeSystem>,
    limiter: Limiter,
    documents: Documents,
    operations: OperationCache,
    permissions: Permissions,
}

impl Fixture {
    pub(in crate::graphql) fn new(permissions: Permissions) -> Self {
        let types = Arc::new(TypeSystem::parse(&sdl()).unwrap());
        let limiter = Limiter::from(Limits::default());
        let documents = Documents::new(Arc::clone(&types), limiter.clone(), DocumentSettings::default());
        Self { types, limiter, documents, operations: OperationCache::default(), permissions }
    }

    pub(in crate::graphql) fn get(&self, text: &str, variables: serde_json::Value) -> Arc<PreparedOperation> {
        let document = self.documents.get(text).unwrap();
        let chosen = operation::choose(&document, None).unwrap();
        let values = operation::values_of(chosen, serde_json::from_value(variables).unwrap());
        let prepared = self.operations.get(&document, chosen, values, |values| {
            let operation = Operation::new(&self.types, &document, chosen, values)?;
            PreparedOperation::new(operation, &self.types, &self.limiter, self.permissions)
                .map_err(|failure| vec![failure])
        });
        prepared.unwrap()
    }
}

fn authority(scopes: &[Scope]) -> Authority {
    Scopes::of(scopes).into()
}

#[test]
fn an_operation_is_prepared_once_for_the_same_document_and_variables() {
    let kit = Fixture::new(Permissions::default());
    let text = "query ($q: String, $page: Int! = 0) { users(q: $q, page: $page) { nodes { name } } }";
    let get = |variables: serde_json::Value| kit.get(text, variables);
    let once = get(serde_json::json!({ "q": "a" }));
    assert!(Arc::ptr_eq(&once, &get(serde_json::json!({ "q": "a" }))));
    let undeclared = serde_json::json!({ "q": "a", "more": ["b"] });
    assert!(Arc::ptr_eq(&once, &get(undeclared)));
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
    let prepared =
        Fixture::new(Permissions::default()).get("{ users { nodes { name appMetadata } } }", serde_json::json!({}));
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
fn plans_are_kept_for_the_authorities_that_asked_last() {
    let prepared = Fixture::new(Permissions::default()).get("{ users { nodes { name } } }", serde_json::json!({}));
    let plan = |scopes: usize| prepared.plan(authority(&Scope::ALL[..scopes]));
    let all: Vec<_> = (0..=KEPT_PLANS).map(plan).collect();
    assert!(Arc::ptr_eq(&all[1], &plan(1)), "the first of as many as are kept");
    assert!(!Arc::ptr_eq(&all[0], &plan(0)), "one more than are kept");
    assert!(Arc::ptr_eq(&all[1], &plan(1)), "asked for since");
    assert!(!Arc::ptr_eq(&all[2], &plan(2)), "not asked for the longest");
    assert_eq!(prepared.plans.lock().len(), KEPT_PLANS);
}

#[test]
fn those_who_ask_the_same_are_one_call_and_the_rest_is_not_auth0_s() {
    let text = r#"{
        a: user(id: "auth0|1") { name } gateway { version } b: user(id: "auth0|2") { name } __typename
        c: user(id: "auth0|1") { email } d: logs { next } e: logs(from: null) { next }
    }"#;
    let prepared = Fixture::new(Permissions::default()).get(text, serde_json::json!({}));
    let plan = prepared.plan(authority(&Scope::ALL));
    let keys = |call: &CallPlan| call.roots.iter().map(|root| prepared.roots[*root].key.as_str()).collect();
    let calls: Vec<Vec<_>> = plan.calls.iter().map(keys).collect();
    assert_eq!(calls, [vec!["a", "c"], vec!["b"], vec!["d", "e"]]);
    let local = |field: &&PreparedField| matches!(field.kind, FieldSource::Local);
    assert_eq!(prepared.roots.iter().filter(local).map(|field| field.key.as_str()).collect::<Vec<_>>(), ["gateway"]);
    assert!(prepared.local.is_some());
    assert_eq!(plan.calls[0].keys.keys.iter().copied().collect::<Vec<_>>(), ["email", "name"]);
}
