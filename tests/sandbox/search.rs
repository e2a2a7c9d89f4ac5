//! `q`, for users and for logs.

use serde_json::Value;

use super::{Answer, Tenant};

async fn search(tenant: &Tenant, endpoint: &str, q: &str) -> Answer {
    let q: String = url::form_urlencoded::byte_serialize(q.as_bytes()).collect();
    tenant.get(&format!("/api/v2/{endpoint}?per_page=100&q={q}")).await
}

async fn names(tenant: &Tenant, q: &str) -> Vec<String> {
    let answer = search(tenant, "users", q).await;
    let names = answer.column("name").into_iter();
    names.map(|name| name.as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn users_are_found_by_what_auth0_documents() {
    let tenant = Tenant::spawn().await;
    for (q, expected) in [
        ("email:\"BRUNO.KEITA@example.com\"", vec!["Bruno Keita"]),
        ("name:bru* AND blocked:true AND email.domain:\"example.com\"", vec!["Bruno Keita"]),
        ("phone_number:\"+15550100007\"", vec!["+15550100007"]),
        ("app_metadata.billing.address.city:Lisbon", vec!["Ada Brandt"]),
        ("user_metadata.addresses.city:\"Porto\"", vec!["Ada Brandt"]),
        ("identities.profileData.email:ada.brandt@example.org", vec!["Ada Brandt"]),
        ("identities.user_id:4000001", vec!["Finn Moreau"]),
        ("headline:Cartographer -name:\"Finn Moreau\"", vec!["Gala 🦊 Ferrer"]),
        ("name:(\"elif demir\" OR \"dara quist\")", vec!["Dara Quist", "Elif Demir"]),
        ("logins_count:[1234 TO 1234] AND last_login:{2026-09-22T07:45:12.344Z TO *]", vec!["Ada Brandt"]),
        ("千代", vec!["新井 千代"]),
        ("dark", vec![]),
        ("Email:\"bruno.keita@example.com\"", vec![]),
    ] {
        assert_eq!(names(&tenant, q).await, expected, "{q}");
    }
}

#[tokio::test]
async fn organization_members_and_the_never_logged_in_are_found() {
    let tenant = Tenant::spawn().await;
    let answer = search(&tenant, "users", "NOT _exists_:logins_count OR logins_count:0").await;
    assert!(answer.rows().len() > 50);
    for count in answer.column("logins_count") {
        assert!(count.is_null() || *count == 0, "{count}");
    }
    // Ids of organizations are random, so one is taken from a log.
    let logs = search(&tenant, "logs", "_exists_:organization_id").await;
    let organization = logs.rows()[0]["organization_id"].as_str().expect("an id").to_owned();
    let members = search(&tenant, "users", &format!("organization_id:{organization}")).await;
    let user = &logs.rows()[0]["user_id"];
    assert!(!members.rows().is_empty());
    let one = search(&tenant, "users", &format!("organization_id:{organization} AND user_id:{user}")).await;
    assert_eq!(one.column("user_id"), [user]);
}

#[tokio::test]
async fn logs_are_found_by_their_own_rules() {
    let tenant = Tenant::spawn().await;
    let all_are = async |q: &str, test: &dyn Fn(&Value) -> bool| {
        let answer = search(&tenant, "logs", q).await;
        assert!(!answer.rows().is_empty(), "{q}");
        assert!(answer.rows().iter().all(test), "{q}");
    };
    all_are("type:fp", &|log| log["type"] == "fp").await;
    all_are("type:(fp OR fu) AND strategy:auth0", &|log| log["strategy"] == "auth0" && log["type"] != "s").await;
    all_are("type:gd_*", &|log| log["type"].as_str().is_some_and(|t| t.starts_with("gd_"))).await;
    all_are("*password.", &|log| log["description"] == "Wrong email or password.").await;
    all_are("description:\"Create a User\"", &|log| {
        log["type"] == "sapi" || log["type"] == "mgmt_api_read" || log["type"] == "sscim"
    })
    .await;
    all_are("NOT type:s", &|log| log["type"] != "s").await;
    all_are("date:[2026-09-20 TO 2026-09-21}", &|log| {
        log["date"].as_str().is_some_and(|d| d.starts_with("2026-09-20"))
    })
    .await;

    for nothing in ["description:User", "type:FP", "user_name:ADA*"] {
        assert!(search(&tenant, "logs", nothing).await.rows().is_empty(), "{nothing}");
    }
    let id = tenant.get("/api/v2/logs?page=3&per_page=1").await.rows()[0]["log_id"].as_str().expect("an id").to_owned();
    let newer = search(&tenant, "logs", &format!("log_id:[{id} TO *]")).await;
    let newest = tenant.get("/api/v2/logs?per_page=4").await;
    assert!(newer.column("log_id").ends_with(&newest.column("log_id")[1..]));
    assert_eq!(newer.rows().last().map(|log| log["log_id"] == id), Some(true));
}

#[tokio::test]
async fn bad_log_queries_are_refused_in_auth0s_words() {
    let tenant = Tenant::spawn().await;
    let refusal = async |q: &str| {
        let answer = search(&tenant, "logs", q).await;
        let (status, message, code) = answer.error();
        assert_eq!((status, code), (400, ""));
        message.to_owned()
    };
    assert_eq!(refusal("user_email:a").await, "The search query string has an error: unknown field \"user_email\"");
    for unparsable in ["log_id:[ TO *]", "type:", "(type:s", "type:*ab", "ip:[a TO b]", "date:[yesterday TO *]"] {
        assert_eq!(
            refusal(unparsable).await,
            format!(
                "The query '{unparsable}' cannot be parsed. Please revise the query or visit https://auth0.com/docs/logs/log-search-query-syntax for help."
            )
        );
    }
}

#[tokio::test]
async fn a_query_of_any_length_is_answered() {
    let tenant = Tenant::spawn().await;
    for q in ["(".repeat(2_000), "NOT ".repeat(1_500), "a:(".repeat(1_000), "-".repeat(3_000), "[".repeat(2_000)] {
        let encoded = q.replace(' ', "+");
        for endpoint in ["users", "logs"] {
            let answer = tenant.get(&format!("/api/v2/{endpoint}?q={encoded}")).await;
            assert_eq!(answer.status, 400, "{}", &q[..8]);
        }
    }
    let answer = tenant.get(&format!("/api/v2/users?q={}", "a".repeat(9_000))).await;
    assert_eq!(answer.status, 414);
}
