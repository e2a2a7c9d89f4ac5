//! The many forms that logs have, and what comes of them.

use serde_json::json;

use super::{answer_with, with_logs};

#[tokio::test]
async fn types_are_told_in_words_with_their_outcome() {
    let gateway = with_logs(0).await;
    let types = [
        ("s", "SUCCESS", Some("Successful login event")),
        ("fp", "FAILURE", Some("Failed Login (Incorrect Password)")),
        ("w", "WARNING", Some("Warning During Login")),
        // What the first letter says is not what they are.
        ("signup_pwd_leak", "FAILURE", Some("Breached Password on Signup")),
        ("ss_sso_failure", "FAILURE", Some("Failed SS-SSO Operation")),
        ("flows_execution_completed", "SUCCESS", Some("Flows Execution Completed")),
        ("fui", "WARNING", Some("Failed users import")),
        ("fc", "FAILURE", Some("Failed by Connector")),
        ("con", "SUCCESS", Some("AD/LDAP Connector Online")),
        ("token_quota_consumption_warning", "WARNING", Some("Token Quota Consumption Warning")),
        ("gd_user_delete", "OTHER", Some("User delete")),
        ("fdeleacft", "FAILURE", Some("Failed to Exchange Delegated Authorization Code for Access Token")),
        ("kms_key_state_changed", "OTHER", Some("KMS Key State Change")),
        ("sx_lighthouse_lit", "OTHER", None),
        ("S", "OTHER", None),
        ("", "OTHER", None),
    ];
    answer_with(&gateway, types.iter().map(|(ty, ..)| json!({ "type": ty })).collect()).await;
    let data = gateway.data("{ logs { nodes { type outcome typeDescription } } }").await;
    for (node, (ty, outcome, description)) in data["logs"]["nodes"].as_array().unwrap().iter().zip(types) {
        assert_eq!(*node, json!({ "type": ty, "outcome": outcome, "typeDescription": description }));
    }
    answer_with(&gateway, json!([{}, { "type": null }])).await;
    let data = gateway.data("{ logs { nodes { type outcome typeDescription } } }").await;
    let unknown = json!({ "type": null, "outcome": null, "typeDescription": null });
    assert_eq!(data["logs"]["nodes"], json!([unknown, unknown]));
}

#[tokio::test]
async fn a_type_that_no_documentation_lists_is_a_log_like_any_other() {
    let gateway = with_logs(100).await;
    let data = gateway
        .data("{ searchLogs(q: \"type:sx_lighthouse_lit\") { nodes { logId type outcome typeDescription date } hasNextPage } }")
        .await;
    let nodes = data["searchLogs"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 1);
    assert_eq!(nodes[0]["outcome"], "OTHER");
    assert!(nodes[0]["date"].is_string());
}

#[tokio::test]
async fn odd_logs_come_out_in_one_form() {
    let gateway = with_logs(0).await;
    let fields =
        "clientId scope isMobile auth0Client details identityUserId tenantName eventSchema { version attributes }
        locationInfo { countryCode latitude attributes } securityContext { ja3 ja4 } description body date attributes";
    let nothing = json!({
        "clientId": null, "scope": null, "isMobile": null, "auth0Client": null, "details": null, "identityUserId": null,
        "tenantName": null, "eventSchema": null, "locationInfo": null, "securityContext": null, "description": null,
        "body": null, "date": null, "attributes": {},
    });
    for (log, differences) in [
        (json!({}), json!({})),
        (
            json!({ "client_id": null, "scope": null, "details": null, "location_info": null, "description": null, "date": null }),
            json!({}),
        ),
        (
            json!({ "client_id": ["abc", "not-a-client"] }),
            json!({ "clientId": "abc", "attributes": { "client_id": ["abc", "not-a-client"] } }),
        ),
        (json!({ "client_id": ["abc"] }), json!({ "clientId": "abc" })),
        (
            json!({ "scope": [["openid", "email"], { "value": "x" }] }),
            json!({ "scope": [], "attributes": { "scope": [["openid", "email"], { "value": "x" }] } }),
        ),
        (json!({ "scope": "openid  profile" }), json!({ "scope": ["openid", "profile"] })),
        (json!({ "scope": ["openid", "read:a b", null, 7] }), json!({ "scope": ["openid", "read:a b", "7"] })),
        (json!({ "scope": "" }), json!({ "scope": [] })),
        (json!({ "is_mobile": true }), json!({ "isMobile": true })),
        (
            json!({ "isMobile": false, "is_mobile": true }),
            json!({ "isMobile": false, "attributes": { "is_mobile": true } }),
        ),
        (json!({ "isMobile": true, "is_mobile": "true" }), json!({ "isMobile": true })),
        (
            json!({ "isMobile": "maybe", "is_mobile": true }),
            json!({ "attributes": { "isMobile": "maybe", "is_mobile": true } }),
        ),
        (json!({ "isMobile": "maybe" }), json!({ "attributes": { "isMobile": "maybe" } })),
        (json!({ "auth0_client": [{ "name": "a" }, 1] }), json!({ "auth0Client": [{ "name": "a" }, 1] })),
        (json!({ "details": { "error": { "message": "m" } } }), json!({ "details": { "error": { "message": "m" } } })),
        (json!({ "details": "text" }), json!({ "details": "text" })),
        (json!({ "identity_user_id": 4_000_001 }), json!({ "identityUserId": "4000001" })),
        (
            json!({ "location_info": {} }),
            json!({ "locationInfo": { "countryCode": null, "latitude": null, "attributes": {} } }),
        ),
        (
            json!({ "location_info": { "country_code": "PT", "latitude": 38.5, "planet": "Earth" } }),
            json!({ "locationInfo": { "countryCode": "PT", "latitude": 38.5, "attributes": { "planet": "Earth" } } }),
        ),
        (
            json!({ "location_info": { "latitude": "-35.67" } }),
            json!({ "locationInfo": { "countryCode": null, "latitude": -35.67, "attributes": {} } }),
        ),
        (
            json!({ "location_info": { "latitude": "1e999" } }),
            json!({ "locationInfo": { "countryCode": null, "latitude": null, "attributes": { "latitude": "1e999" } } }),
        ),
        (
            json!({ "location_info": { "latitude": "35,67" } }),
            json!({ "locationInfo": { "countryCode": null, "latitude": null, "attributes": { "latitude": "35,67" } } }),
        ),
        (json!({ "location_info": "Lisbon" }), json!({ "attributes": { "location_info": "Lisbon" } })),
        (
            json!({ "tenant_name": "t", "$event_schema": { "version": "1.0.0" } }),
            json!({ "tenantName": "t", "eventSchema": { "version": "1.0.0", "attributes": {} } }),
        ),
        (json!({ "date": { "$date": 1 } }), json!({ "attributes": { "date": { "$date": 1 } } })),
        (json!({ "date": "yesterday" }), json!({ "attributes": { "date": "yesterday" } })),
        (json!({ "date": "2026-11-02T08:00:00.123Z" }), json!({ "date": "2026-11-02T08:00:00.123Z" })),
        (json!({ "of_next_year": [1] }), json!({ "attributes": { "of_next_year": [1] } })),
    ] {
        let mut expected = nothing.clone();
        expected.as_object_mut().unwrap().extend(differences.as_object().unwrap().clone());
        answer_with(&gateway, json!([log])).await;
        let data = gateway.data(&format!("{{ logs {{ nodes {{ {fields} }} }} }}")).await;
        assert_eq!(data["logs"]["nodes"], json!([expected]), "{log}");
        answer_with(&gateway, log.clone()).await;
        let data = gateway.data(&format!("{{ log(id: \"900\") {{ {fields} }} }}")).await;
        assert_eq!(data["log"], expected, "{log}");
    }
}

#[tokio::test]
async fn a_log_tells_the_state_or_province_that_it_is_thought_to_come_from() {
    let gateway = with_logs(0).await;
    answer_with(&gateway, json!([{ "location_info": { "subdivision_code": "CA", "subdivision_name": "California" } }]))
        .await;
    let data = gateway.data("{ logs { nodes { locationInfo { subdivisionCode subdivisionName attributes } } } }").await;
    let expected = json!({ "subdivisionCode": "CA", "subdivisionName": "California", "attributes": {} });
    assert_eq!(data["logs"]["nodes"][0]["locationInfo"], expected);
}

#[tokio::test]
async fn the_sandbox_s_logs_are_as_odd_as_auth0_s() {
    let gateway = with_logs(100).await;
    let fields =
        "logId type clientId scope auth0Client details locationInfo { countryCode } tenantName identityUserId isMobile";
    let data = gateway.data(&format!("{{ logs(from: \"900\", take: 100) {{ nodes {{ {fields} }} }} }}")).await;
    let nodes = data["logs"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 100);
    assert!(nodes.iter().all(|node| node["clientId"].is_string() || node["clientId"].is_null()));
    assert!(nodes.iter().any(|node| node["auth0Client"].is_array()));
    assert!(nodes.iter().any(|node| node["details"]["error"].is_object()));
    assert!(nodes.iter().any(|node| node["scope"] == json!(["openid", "profile", "email"])));
    assert!(nodes.iter().any(|node| node["locationInfo"] == json!({ "countryCode": null })));
    assert!(nodes.iter().any(|node| node["tenantName"] == "sandbox" && node["identityUserId"] == "4000001"));
}
