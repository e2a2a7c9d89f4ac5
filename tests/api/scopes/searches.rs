//! Searching by what one may not see.

use auth0_graphql::graphql::ScopeMode;
use serde_json::{Value, json};

use super::{
    APP_METADATA, LOGS, ORGANIZATIONS, Reply, TOKENS, USERS, ask, codes, denials, gateway, reads, token, upstream,
};
use crate::gateway::TestGateway;

/// Searches, with the scope that each needs beside that of users.
const SEARCHES: [(&str, &str); 13] = [
    ("app_metadata.plan:gold", APP_METADATA),
    ("email:*example.com AND (name:a* OR NOT app_metadata.plan:\"gold\")", APP_METADATA),
    ("_exists_:app_metadata.plan", APP_METADATA),
    (r"app\_metadata.plan:gold", APP_METADATA),
    ("app_meta*:gold", APP_METADATA),
    ("app_metadata.seats:[1 TO 5}", APP_METADATA),
    ("gold", APP_METADATA),
    ("name:ada \"gold\"", APP_METADATA),
    ("identities.access_token:a*", TOKENS),
    ("identities.connection.access_token:a*", TOKENS),
    ("identities.*:a*", TOKENS),
    ("organization_id:org_gold", ORGANIZATIONS),
    ("_exists_:organization_id", ORGANIZATIONS),
];

/// Searches that Lucene reads in ways that do not meet the eye: WORD is looked for in every field, or in a guarded one.
const DISGUISED: [&str; 22] = [
    "name:- WORD",
    "name:+ WORD*",
    "name:! WORD",
    "name:& WORD",
    "name:= WORD",
    "name:\u{a0} WORD",
    "name:x\u{3000}WORD",
    "blocked:true!WORD",
    "name:x/WORD.*/",
    r"name:/x\/y/WORD",
    r"blocked:true!app_\*.block_reason:WORD",
    "name:[a\"b TO a\"c] WORD",
    "name:x^2WORD",
    "name:x~ WORD",
    "name:\"x\"~2 WORD",
    "name:(x)WORD",
    "name:x\"WORD\"",
    "name:[x TO y}WORD",
    r"app\_metadata.block_reason:WORD",
    r"\u0061pp_metadata.block_reason:WORD",
    "*:WORD",
    "name: x WORD~1",
];

/// Searches that Lucene refuses. What Auth0 makes of them is not known.
const REFUSED: [&str; 8] = [
    "name:|| gold",
    "name:&& gold",
    r"name:ada\",
    "\"app_metadata.plan\":gold",
    "app_m?tadata.plan:gold",
    "*.plan:gold",
    "(name:ada",
    "NOT NOT app_metadata.plan:gold",
];

async fn search(gateway: &TestGateway, token: &str, q: &str) -> Vec<Reply> {
    let literal = Value::from(q).to_string();
    let with_variable = json!({
        "query": "query Q($q: String) { all: users(q: $q, perPage: 5) { nodes { userId } } }",
        "variables": { "q": q },
    });
    let request = gateway.http.post(format!("{}/graphql", gateway.url)).bearer_auth(token).json(&with_variable);
    let response = request.send().await.unwrap();
    let (status, challenge) = (response.status().as_u16(), None);
    vec![
        ask(gateway, token, &format!("{{ all: users(q: {literal}, perPage: 5) {{ nodes {{ userId }} }} }}")).await,
        ask(gateway, token, &format!("{{ ...F }} fragment F on Query {{ all: users(q: {literal}) {{ page }} }}")).await,
        Reply { status, challenge, body: response.json().await.unwrap() },
    ]
}

#[tokio::test]
async fn a_search_by_what_the_caller_may_not_see_is_not_made() {
    let gateway = gateway(ScopeMode::Filter).await;
    for (q, scope) in SEARCHES {
        let without: Vec<_> = super::all_but(scope);
        let without = token(&gateway, &without).await;
        for Reply { status, body, .. } in search(&gateway, &without, q).await {
            assert_eq!((status, &body["data"]), (200, &json!({ "all": null })), "{q}: {body}");
            assert_eq!(denials(&body), [(scope, "all".to_owned())], "{q}");
            assert_eq!(body["errors"][0]["extensions"]["argument"], "q");
            assert!(!body.to_string().contains("gold"), "{body}");
        }
    }
    assert_eq!(upstream(&gateway).await, []);
}

#[tokio::test]
async fn a_search_that_can_be_read_in_two_ways_needs_every_scope() {
    let gateway = gateway(ScopeMode::Filter).await;
    let searches: Vec<_> =
        DISGUISED.iter().map(|q| q.replace("WORD", "gold")).chain(REFUSED.map(str::to_owned)).collect();
    for scope in [APP_METADATA, TOKENS, ORGANIZATIONS] {
        let without = token(&gateway, &super::all_but(scope)).await;
        for q in &searches {
            for Reply { status, body, .. } in search(&gateway, &without, q).await {
                assert_eq!((status, &body["data"]), (200, &json!({ "all": null })), "{q}: {body}");
                assert_eq!(denials(&body), [(scope, "all".to_owned())], "{q}");
                assert!(!body.to_string().contains("gold"), "{body}");
            }
        }
    }
    assert_eq!(upstream(&gateway).await, []);
}

#[tokio::test]
async fn a_search_that_is_too_long_is_refused_before_it_is_read() {
    let gateway = gateway(ScopeMode::Filter).await;
    let users = token(&gateway, &[USERS]).await;
    for piece in ["?", "(", "app_metadata.plan:", "gold "] {
        let q = piece.repeat(4_097usize.div_ceil(piece.len()));
        for Reply { status, body, .. } in search(&gateway, &users, &q).await {
            assert_eq!((status, codes(&body)), (200, vec!["BAD_USER_INPUT"]), "{piece}: {body}");
        }
    }
    assert_eq!(upstream(&gateway).await, []);
}

/// The sandbox reads searches as Lucene does, so that it would tell.
#[tokio::test]
async fn a_word_of_metadata_cannot_be_guessed_by_a_disguised_search() {
    let gateway = gateway(ScopeMode::Filter).await;
    let all = token(&gateway, &[USERS, APP_METADATA, TOKENS, ORGANIZATIONS]).await;
    let without = token(&gateway, &super::all_but(APP_METADATA)).await;
    let found = async |token: &str, q: &str, word: &str| {
        let q = Value::from(q.replace("WORD", word)).to_string();
        ask(&gateway, token, &format!("{{ users(q: {q}, perPage: 100) {{ nodes {{ userId }} }} }}")).await.body
    };
    for q in DISGUISED {
        let (right, wrong) = (found(&all, q, "chargeback").await, found(&all, q, "refund").await);
        assert!(right["data"]["users"].is_object() && wrong["data"]["users"].is_object(), "{q}: {right} {wrong}");
        assert_ne!(right, wrong, "{q}");
        for word in ["chargeback", "refund"] {
            assert_eq!(codes(&found(&without, q, word).await), ["FORBIDDEN"], "{q}");
        }
    }
}

#[tokio::test]
async fn a_search_by_a_field_that_everybody_sees_needs_no_other_scope() {
    let gateway = gateway(ScopeMode::Reject).await;
    let users = token(&gateway, &[USERS]).await;
    for q in [
        "name:\"jane smith\"",
        "name:john*",
        "logins_count:[100 TO 200}",
        "user_metadata.addresses.city:\"Paris\"",
        "_exists_:user_metadata.preferences.fontSize",
        "NOT _exists_:logins_count OR logins_count:0",
        "created_at:[2026-01-01T00:00:00.000Z TO *] AND (email.domain:example.com OR name:(ada grace))",
        "identities.connection:\"google-oauth2\"",
        r"name:John\ Doe",
        "user_id:auth0|abc*",
    ] {
        for Reply { status, body, .. } in search(&gateway, &users, q).await {
            assert_eq!((status, codes(&body)), (200, vec![]), "{q}: {body}");
        }
    }
}

#[tokio::test]
async fn a_search_by_what_the_caller_may_see_passes_as_it_is() {
    let gateway = gateway(ScopeMode::Filter).await;
    let all = token(&gateway, &[USERS, APP_METADATA, TOKENS, ORGANIZATIONS]).await;
    for (q, _) in SEARCHES {
        gateway.forget_calls().await;
        for Reply { body, .. } in search(&gateway, &all, q).await {
            assert!(!codes(&body).contains(&"FORBIDDEN"), "{q}: {body}");
        }
        for call in reads(&gateway).await {
            let url = reqwest::Url::parse(&format!("http://localhost{}", call.target())).unwrap();
            assert!(url.query_pairs().any(|(name, value)| name == "q" && value == q), "{q}: {url}");
        }
    }
    let users = token(&gateway, &[USERS]).await;
    let query = "{ users(q: \"email:*@example.com AND name:a*\", sort: { field: CREATED_AT }) { nodes { name } } }";
    assert_eq!(codes(&ask(&gateway, &users, query).await.body), [""; 0]);
}

#[tokio::test]
async fn such_a_search_has_the_operation_refused_where_that_is_so() {
    let gateway = gateway(ScopeMode::Reject).await;
    for (q, scope) in SEARCHES {
        let without = token(&gateway, &super::all_but(scope)).await;
        for Reply { status, body, .. } in search(&gateway, &without, q).await {
            assert_eq!(status, 403, "{q}: {body}");
            assert_eq!(body["errors"][0]["extensions"]["scopes"], json!([scope]), "{q}");
        }
    }
    assert_eq!(upstream(&gateway).await, []);
}

#[tokio::test]
async fn logs_are_searched_by_whatever_they_have() {
    let gateway = gateway(ScopeMode::Reject).await;
    let logs = token(&gateway, &[LOGS]).await;
    for q in ["ada", "user_id:\"auth0|1\"", "description:*app_metadata*"] {
        let q = Value::from(q).to_string();
        let query = format!("{{ searchLogs(q: {q}, sort: {{ direction: ASC }}) {{ nodes {{ type }} }} }}");
        assert!(!codes(&ask(&gateway, &logs, &query).await.body).contains(&"FORBIDDEN"), "{q}");
    }
}

#[tokio::test]
async fn there_is_no_order_by_what_a_scope_guards() {
    let gateway = gateway(ScopeMode::Filter).await;
    let orders = gateway.data("{ __type(name: \"UserSortField\") { enumValues { name } } }").await;
    let guarded = ["APP_METADATA", "IDENTITIES", "ACCESS_TOKEN", "REFRESH_TOKEN"];
    for order in orders["__type"]["enumValues"].as_array().unwrap() {
        let name = order["name"].as_str().unwrap();
        assert!(!guarded.iter().any(|guarded| name.contains(guarded)), "{name}");
    }
    let users = token(&gateway, &[USERS]).await;
    for field in ["APP_METADATA", "\"app_metadata.plan\""] {
        let query = format!("{{ users(sort: {{ field: {field} }}) {{ nodes {{ userId }} }} }}");
        assert_eq!(codes(&ask(&gateway, &users, &query).await.body), ["GRAPHQL_VALIDATION_FAILED"]);
    }
    assert_eq!(upstream(&gateway).await, []);
}
