//! Lists that belong to a user: their keys, their paging and their scopes.

use serde_json::json;

use super::Tenant;

const SCOPES: &str = "read:users read:roles read:role_members read:organizations read:authentication_methods read:sessions \
                      read:refresh_tokens";

async fn token(tenant: &Tenant, scopes: &str) -> String {
    let scopes: Vec<_> = scopes.split_whitespace().collect();
    let client = tenant.new_client(json!({ "scopes": scopes })).await;
    tenant.ask(&client).await.body["access_token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn lists_have_their_own_keys_and_no_length() {
    let tenant = Tenant::spawn().await;
    let token = token(&tenant, SCOPES).await;
    let id = tenant.sandbox.people()[0].user_id.replace('|', "%7C");
    for (list, key) in [
        ("roles", "roles"),
        ("permissions", "permissions"),
        ("organizations", "organizations"),
        ("authentication-methods", "authenticators"),
    ] {
        let path = format!("/api/v2/users/{id}/{list}?per_page=2");
        let plain = tenant.get_with(&token, &path).await;
        let total = tenant.get_with(&token, &format!("{path}&include_totals=true")).await;
        assert_eq!(total.body[key], plain.body, "{list}");
        assert_eq!((&total.body["start"], &total.body["limit"]), (&json!(0), &json!(2)), "{list}");
        assert!(total.body["total"].is_u64() && total.body.get("length").is_none(), "{list}: {}", total.body);
    }
    assert!(tenant.get_with(&token, &format!("/api/v2/users/{id}/enrollments")).await.body.is_array());
    assert_eq!(tenant.get_with(&token, &format!("/api/v2/users/{id}/nothing")).await.status, 404);
    assert_eq!(tenant.get_with(&token, "/api/v2/users/none/roles").await.error().2, "inexistent_user");
}

#[tokio::test]
async fn the_next_page_is_behind_an_opaque_checkpoint_until_there_is_none() {
    let tenant = Tenant::spawn().await;
    let token = token(&tenant, SCOPES).await;
    let mut longest = 0;
    for person in tenant.sandbox.people() {
        let path = format!("/api/v2/users/{}/sessions", person.user_id.replace('|', "%7C"));
        let whole = tenant.get_with(&token, &path).await.body;
        let sessions = whole["sessions"].as_array().expect("a list");
        assert!(whole.get("next").is_none(), "{whole}");
        longest = longest.max(sessions.len());
        let (mut seen, mut from) = (Vec::new(), String::new());
        loop {
            tenant.clock.advance(std::time::Duration::from_secs(1));
            let page = tenant.get_with(&token, &format!("{path}?take=2{from}")).await.body;
            seen.extend(page["sessions"].as_array().expect("a list").clone());
            let Some(next) = page["next"].as_str() else { break };
            from = format!("&from={next}");
        }
        assert_eq!(&seen, sessions);
    }
    assert!(longest > 2, "a tenant in which nobody has more than a page");
    let first = tenant.sandbox.people()[0].user_id.replace('|', "%7C");
    assert_eq!(tenant.get_with(&token, &format!("/api/v2/users/{first}/sessions?from=x")).await.status, 400);
}

#[tokio::test]
async fn a_session_is_begun_then_used_and_then_it_ends() {
    let tenant = Tenant::spawn().await;
    let token = token(&tenant, SCOPES).await;
    let mut count = 0;
    for person in tenant.sandbox.people() {
        tenant.clock.advance(std::time::Duration::from_secs(1));
        let path = format!("/api/v2/users/{}/sessions", person.user_id.replace('|', "%7C"));
        let answer = tenant.get_with(&token, &path).await.body;
        for session in answer["sessions"].as_array().expect("a list") {
            let moments =
                ["created_at", "last_interacted_at", "expires_at"].map(|key| session[key].as_str().expect(key));
            // As texts they sort by time.
            assert!("2026" < moments[0] && moments.is_sorted(), "{session}");
            count += 1;
        }
    }
    assert!(count > 0, "a tenant without sessions");
}

#[tokio::test]
async fn roles_need_all_of_three_scopes() {
    let tenant = Tenant::spawn().await;
    let token = token(&tenant, "read:users read:roles").await;
    let id = tenant.sandbox.people()[0].user_id.replace('|', "%7C");
    let answer = tenant.get_with(&token, &format!("/api/v2/users/{id}/roles")).await;
    let message = "Insufficient scope, expected all of: read:users,read:roles,read:role_members";
    assert_eq!(answer.error(), (403, message, "insufficient_scope"));
    assert_eq!(tenant.get_with(&token, &format!("/api/v2/users/{id}/permissions")).await.status, 200);
}
