//! The users of the Management API.

use auth0_graphql::sandbox::Options;
use serde_json::{Value, json};

use super::Tenant;

#[tokio::test]
async fn users_come_in_pages_of_fifty() {
    let tenant = Tenant::spawn().await;
    let first = tenant.get("/api/v2/users").await;
    assert_eq!(first.rows().len(), 50);
    assert_eq!(first.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(first.header("link"), None);
    let second = tenant.get("/api/v2/users?page=1").await;
    let both = tenant.get("/api/v2/users?per_page=100").await;
    assert_eq!(both.rows(), [first.rows(), second.rows()].concat());
    assert_eq!(tenant.get("/api/v2/users?per_page=0").await.rows().len(), 0);
}

#[tokio::test]
async fn totals_count_matches_up_to_a_thousand() {
    let tenant = Tenant::spawn().await;
    let mut body = tenant.get("/api/v2/users?include_totals=true&per_page=3&page=2").await.body;
    let users = body["users"].take();
    assert_eq!(users.as_array().map(Vec::len), Some(3));
    assert_eq!(body, json!({"start": 6, "limit": 3, "length": 3, "users": null, "total": 1_000}));
}

#[tokio::test]
async fn paging_ends_at_a_thousand_even_where_there_are_fewer() {
    let tenant = Tenant::with(Options { users: 20, ..Options::default() }).await;
    assert_eq!(tenant.get("/api/v2/users?page=9&per_page=100").await.body, json!([]));
    let wall = json!({
        "statusCode": 400,
        "error": "Bad Request",
        "message": "You can only page through the first 1000 records. See https://auth0.com/docs/users/search/v3/view-search-results-by-page#limitation",
        "errorCode": "invalid_paging",
    });
    for beyond in ["page=10&per_page=100", "page=20", "page=334&per_page=3", "page=4294967295&per_page=100"] {
        assert_eq!(tenant.get(&format!("/api/v2/users?{beyond}")).await.body, wall, "{beyond}");
    }
    assert_eq!(tenant.get("/api/v2/users?page=332&per_page=3").await.status, 200);
}

#[tokio::test]
async fn wrong_parameters_are_refused() {
    let tenant = Tenant::spawn().await;
    let answer = tenant.get("/api/v2/users?per_page=1000").await;
    assert_eq!(
        answer.error(),
        (
            400,
            "Query validation error: 'Value 1000 is greater than maximum 100' on property per_page (Number of results per page. Defaults to 50).",
            "invalid_query_string"
        )
    );
    for wrong in [
        "page=-1",
        "page=x",
        "from=a",
        "take=1",
        "include_totals=yes",
        "sort=email",
        "sort=email:2",
        "sort=app_metadata.plan:1",
        "connection=email",
        "search_engine=v1",
        "search_engine=v1&connection=email",
        "page=1&page=2",
        "q=email%3A",
        "q=%28",
    ] {
        let answer = tenant.get(&format!("/api/v2/users?{wrong}")).await;
        let (status, message, code) = answer.error();
        assert_eq!((status, code), (400, "invalid_query_string"), "{wrong}: {message}");
    }
    let unknown = tenant.get("/api/v2/users?nonsense=1").await;
    assert!(unknown.error().1.starts_with("Query validation error: 'Additional properties not allowed: nonsense'"));
}

#[tokio::test]
async fn fields_are_selected_and_excluded() {
    let tenant = Tenant::spawn().await;
    let keys = |row: &Value| row.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    let some = tenant.get("/api/v2/users?fields=user_id,email,never_heard_of&per_page=1").await;
    assert_eq!(keys(&some.rows()[0]), ["email", "user_id"]);
    let id = urlencoded(&tenant.sandbox.people()[0].user_id);
    let rest = tenant.get(&format!("/api/v2/users/{id}?fields=email,identities&include_fields=false")).await;
    let rest = keys(&rest.body);
    assert!(rest.contains(&"user_id".to_owned()) && !rest.contains(&"email".to_owned()), "{rest:?}");
}

#[tokio::test]
async fn a_single_user_is_given_for_listed_fields_or_none() {
    let tenant = Tenant::spawn().await;
    let person = &tenant.sandbox.people()[0];
    for endpoint in [
        format!("users/{}?", urlencoded(&person.user_id)),
        format!("users-by-email?email={}&", urlencoded(&person.email)),
    ] {
        for include in ["true", "false"] {
            let wrong = tenant.get(&format!("/api/v2/{endpoint}fields=email,tenant&include_fields={include}")).await;
            let (status, message, code) = wrong.error();
            assert_eq!((status, code), (400, "invalid_query_string"));
            let list = "'String 'email,tenant' does not match pattern. Must be a comma separated list of the following values: \
                        phone_number,email,";
            assert!(message.contains(list) && message.contains(",given_name' on property fields ("), "{message}");
        }
    }
}

#[tokio::test]
async fn sorting_puts_users_without_the_field_last() {
    let tenant = Tenant::with(Options { users: 90, ..Options::default() }).await;
    for (direction, descending) in [("1", false), ("-1", true)] {
        let answer = tenant.get(&format!("/api/v2/users?sort=logins_count:{direction}&per_page=100")).await;
        let counts: Vec<_> = answer.column("logins_count").into_iter().map(Value::as_u64).collect();
        let (with, without) = counts.split_at(counts.iter().flatten().count());
        assert!(!with.is_empty() && !without.is_empty());
        assert!(without.iter().all(Option::is_none));
        assert!(with.is_sorted_by(|a, b| if descending { a >= b } else { a <= b }), "{with:?}");
    }
}

#[tokio::test]
async fn a_user_is_found_by_id_or_is_inexistent() {
    let tenant = Tenant::spawn().await;
    for person in tenant.sandbox.people() {
        let user = tenant.get(&format!("/api/v2/users/{}", urlencoded(&person.user_id))).await;
        assert_eq!(user.body["user_id"], person.user_id);
    }
    assert_eq!(
        tenant.get("/api/v2/users/auth0%7C000000000000000000000000").await.body,
        json!({"statusCode": 404, "error": "Not Found", "message": "The user does not exist.", "errorCode": "inexistent_user"})
    );
    assert_eq!(tenant.get("/api/v2/users/%FF").await.status, 404);
    assert_eq!(tenant.get("/api/v2/connections").await.error(), (404, "Not Found", ""));
}

#[tokio::test]
async fn addresses_are_compared_with_regard_to_case() {
    let tenant = Tenant::spawn().await;
    let count = async |email: &str| tenant.get(&format!("/api/v2/users-by-email?email={email}")).await.rows().len();
    assert_eq!(count("ada.brandt%40example.com").await, 2);
    assert_eq!(count("Ada.Brandt%40example.com").await, 0);
    assert_eq!(count("Dara.Quist%40Example.com").await, 1);
    assert_eq!(count("dara.quist%40example.com").await, 0);
    assert_eq!(tenant.get("/api/v2/users-by-email").await.error().2, "invalid_query_string");
}

#[tokio::test]
async fn the_people_show_what_their_notes_say() {
    let tenant = Tenant::spawn().await;
    let everybody = tenant.get("/api/v2/users?per_page=12").await;
    let named = |name: &str| everybody.rows().iter().find(|user| user["name"] == name).expect(name);
    assert_eq!(named("Ada Brandt")["identities"][1]["profileData"]["locale"], "en");
    assert_eq!(named("Bruno Keita")["blocked"], true);
    assert_eq!(named("新井 千代").get("last_login"), None);
    assert_eq!(named("Dara Quist")["email_verified"], "true");
    assert_eq!(named("Elif Demir")["email_verified"], "elif.demir@example.org");
    assert!(named("Finn Moreau")["identities"][0]["user_id"].is_u64());
    assert_eq!(named("Gala 🦊 Ferrer")["location"]["country"]["code"], "es");
    assert_eq!(named("+15550100007")["phone_verified"], "true");
    assert_eq!(named("Ivo Santos")["created_at"], "");
    assert_eq!(everybody.rows().len(), tenant.sandbox.people().len());
}

#[tokio::test]
async fn a_seed_gives_the_same_tenant_and_another_seed_another() {
    let users = async |seed| {
        let tenant = Tenant::with(Options { seed, ..Options::default() }).await;
        (tenant.get("/api/v2/users?page=9&per_page=100&fields=user_id").await.body, tenant.sandbox.people())
    };
    assert_eq!(users(3).await, users(3).await);
    assert_ne!(users(3).await, users(4).await);
}

fn urlencoded(id: &str) -> String {
    url::form_urlencoded::byte_serialize(id.as_bytes()).collect()
}
