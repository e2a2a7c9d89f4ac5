//! Connections: all that a search finds, past the 1,000 records that Auth0's paging reaches.

use std::collections::BTreeSet;
use std::time::Duration;

use auth0_graphql::sandbox::{Options, Plan};
use serde_json::{Value, json};

use crate::gateway::{Setup, TestGateway, codes};

const USERS: &str =
    "query Q($first: Int!, $after: String, $q: String, $filter: UserFilter, $direction: SortDirection! = ASC) {
    usersConnection(first: $first, after: $after, q: $q, filter: $filter, direction: $direction) {
        edges { cursor node { userId createdAt } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
}";

const LOGS: &str = "query Q($first: Int!, $after: String, $q: String, $filter: LogFilter) {
    logsConnection(first: $first, after: $after, q: $q, filter: $filter) {
        nodes { logId } pageInfo { hasNextPage endCursor }
    }
}";

/// A gateway that keeps no answers, on a tenant with this many users, of whom one has no date of creation and cannot be walked.
async fn with_users(users: usize) -> TestGateway {
    with(|sandbox| Options { users, ..sandbox }).await
}

/// A gateway that keeps no answers and has all the time in the world, on a tenant that is paced as good as not at all.
async fn with(options: impl FnOnce(Options) -> Options) -> TestGateway {
    let mut setup = Setup::uncached();
    // Five searches of a large tenant take seconds on a machine that does much besides.
    setup.http.request_timeout = Duration::from_secs(120);
    let sandbox = options(Options { plan: Plan::PrivateCloud, ..setup.sandbox });
    TestGateway::spawn_with(Setup { sandbox, ..setup }).await
}

/// A page of the one connection of `query`.
async fn page(gateway: &TestGateway, query: &str, mut variables: Value, after: Option<&str>) -> Value {
    variables["after"] = json!(after);
    let mut response = gateway.send(json!({ "query": query, "variables": variables })).await;
    assert_eq!(response.get("errors"), None, "{variables}: {response}");
    let data = response["data"].as_object_mut().unwrap();
    data.values_mut().next().unwrap().take()
}

/// Every page of a connection.
async fn pages(gateway: &TestGateway, query: &str, variables: Value) -> Vec<Value> {
    let mut pages: Vec<Value> = Vec::new();
    loop {
        let after = pages.last().map(|page| page["pageInfo"]["endCursor"].as_str().unwrap().to_owned());
        pages.push(page(gateway, query, variables.clone(), after.as_deref()).await);
        if pages.last().unwrap()["pageInfo"]["hasNextPage"] == false {
            return pages;
        }
        assert!(pages.len() < 200, "the connection has no end");
    }
}

/// The users of pages, each with the date of creation.
fn users(pages: &[Value]) -> Vec<(String, String)> {
    let edges = pages.iter().flat_map(|page| page["edges"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    edges.map(|edge| (text(&edge["node"]["createdAt"]), text(&edge["node"]["userId"]))).collect()
}

#[tokio::test]
async fn a_connection_gives_every_user_once_either_way() {
    let gateway = with_users(2_500).await;
    let up = users(&pages(&gateway, USERS, json!({ "first": 500 })).await);
    assert_eq!(up.len(), 2_499);
    assert_eq!(up.iter().collect::<BTreeSet<_>>().len(), 2_499);
    assert!(up.is_sorted());
    let calls = gateway.calls().await.len();
    assert!(calls <= 27, "{calls}");
    let mut down = users(&pages(&gateway, USERS, json!({ "first": 333, "direction": "DESC" })).await);
    down.reverse();
    assert!(down == up);
}

#[tokio::test]
async fn twenty_five_thousand_users_are_given_once_in_eleven_calls_a_thousand_or_less_an_import_of_800_among_them() {
    let gateway = with(|sandbox| Options { users: 25_000, imported: 800, logs: 0, ..sandbox }).await;
    let mut given = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = page(&gateway, USERS, json!({ "first": 500 }), after.as_deref()).await;
        given.extend(users(std::slice::from_ref(&page)));
        after = page["pageInfo"]["endCursor"].as_str().map(ToOwned::to_owned);
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        // Longer than a tenant refills its bucket.
        gateway.control("clock", json!({ "advanceMs": 1_000 })).await;
    }
    assert_eq!(given.len(), 24_999);
    assert_eq!(given.iter().filter(|(created_at, _)| created_at == "2025-03-01T09:30:00.250Z").count(), 800);
    let calls = gateway.calls().await.len();
    assert!(given.is_sorted());
    given.dedup();
    assert_eq!(given.len(), 24_999);
    assert!(calls * 1_000 <= given.len() * 11, "{calls} calls");
}

#[tokio::test]
async fn pages_of_any_size_come_to_the_same() {
    let gateway = with_users(150).await;
    let all = users(&pages(&gateway, USERS, json!({ "first": 500 })).await);
    for first in [1, 7, 50, 99, 100, 101, 148, 149, 150] {
        let pages = pages(&gateway, USERS, json!({ "first": first })).await;
        assert!(users(&pages) == all, "{first}");
        for (number, page) in pages.iter().enumerate() {
            let info = &page["pageInfo"];
            let edges = page["edges"].as_array().unwrap();
            assert!(edges.len() <= first, "{first}");
            assert_eq!(info["hasPreviousPage"], number > 0);
            if let (Some(start), Some(end)) = (edges.first(), edges.last()) {
                assert_eq!((&info["startCursor"], &info["endCursor"]), (&start["cursor"], &end["cursor"]), "{first}");
            } else {
                assert_eq!(info["startCursor"], Value::Null);
            }
        }
    }
}

#[tokio::test]
async fn any_cursor_of_a_page_is_a_place_to_go_on_from() {
    let gateway = with_users(120).await;
    let page_of_all = page(&gateway, USERS, json!({ "first": 500 }), None).await;
    let all = users(std::slice::from_ref(&page_of_all));
    for place in [0, 1, 57, 117, 118] {
        let cursor = page_of_all["edges"][place]["cursor"].as_str().unwrap();
        let rest = page(&gateway, USERS, json!({ "first": 500 }), Some(cursor)).await;
        assert!(users(&[rest]) == all[place + 1..], "{place}");
    }
}

#[tokio::test]
async fn a_page_of_a_few_is_one_call_at_a_hundredth_of_the_tenant_and_a_cursor_outlives_the_gateway() {
    let gateway = with_users(300).await;
    let first = page(&gateway, USERS, json!({ "first": 10 }), None).await;
    let asked = gateway.asked().await;
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(
        asked[0].starts_with("/api/v2/users?page=0&per_page=20&search_engine=v3&q=created_at%3A%5B%2A%20TO%20"),
        "{asked:?}"
    );
    assert!(asked[0].contains("&sort=created_at%3A1&"), "{asked:?}");
    assert!(asked[0].ends_with("&fields=created_at,user_id&include_fields=true"), "{asked:?}");
    let all = users(&pages(&gateway, USERS, json!({ "first": 500 })).await);
    let TestGateway { sandbox, .. } = gateway;
    let client = sandbox.client();
    let again = TestGateway::in_front_of(sandbox, client).await;
    let after = first["pageInfo"]["endCursor"].as_str();
    let rest = page(&again, USERS, json!({ "first": 500 }), after).await;
    assert!(users(&[rest]) == all[10..]);
}

#[tokio::test]
async fn a_search_is_walked_as_the_whole_is_and_its_cursor_fits_no_other() {
    let gateway = with_users(2_500).await;
    let all = users(&pages(&gateway, USERS, json!({ "first": 500, "q": "email:*@example.com" })).await);
    assert!(all.len() > 1_000, "{}", all.len());
    let filter = json!({ "email": { "endsWith": "@example.com" } });
    let filtered = users(&pages(&gateway, USERS, json!({ "first": 500, "filter": filter })).await);
    assert!(filtered == all);
    let of_filter = page(&gateway, USERS, json!({ "first": 5, "filter": filter }), None).await;
    let after = of_filter["pageInfo"]["endCursor"].as_str().unwrap();
    gateway.forget_calls().await;
    for variables in [
        json!({ "first": 5, "after": after }),
        json!({ "first": 5, "after": after, "filter": filter, "direction": "DESC" }),
        json!({ "first": 5, "after": after, "filter": { "email": { "endsWith": "@example.org" } } }),
        json!({ "first": 5, "after": after, "filter": filter, "q": "name:a" }),
        json!({ "first": 5, "after": format!("{after}A"), "filter": filter }),
        json!({ "first": 5, "after": "", "filter": filter }),
        json!({ "first": 5, "after": "x".repeat(30_000), "filter": filter }),
        json!({ "first": 0 }),
        json!({ "first": 501 }),
        json!({ "first": -1 }),
        json!({ "first": 5, "q": "name:a) OR (name:b" }),
        json!({ "first": 5, "q": "name:/a/" }),
        json!({ "first": 5, "filter": { "email": { "eq": null } } }),
    ] {
        let response = gateway.send(json!({ "query": USERS, "variables": variables })).await;
        assert_eq!(codes(&response), ["BAD_USER_INPUT"], "{variables}: {response}");
        assert_eq!(response["data"]["usersConnection"], Value::Null);
    }
    assert_eq!(gateway.asked().await, [] as [String; 0]);
}

#[tokio::test]
async fn the_total_is_asked_for_when_it_is_selected_and_null_where_auth0_stops_counting() {
    let gateway = with_users(1_000).await;
    let query =
        "query Q($after: String) { usersConnection(first: 10, after: $after) { totalCount pageInfo { endCursor } } }";
    let first = page(&gateway, query, json!({}), None).await;
    assert_eq!(first["totalCount"], 999);
    assert_eq!(gateway.asked().await.len(), 1);
    let second = page(&gateway, query, json!({}), first["pageInfo"]["endCursor"].as_str()).await;
    assert_eq!(second["totalCount"], 999);
    assert_eq!(gateway.asked().await.len(), 2);
    let page_without = page(&gateway, &query.replace("totalCount", ""), json!({}), None).await;
    assert_eq!(page_without.get("totalCount"), None);
    assert!(!gateway.asked().await[0].contains("include_totals=true"));
    let gateway = with_users(1_001).await;
    assert_eq!(page(&gateway, query, json!({}), None).await["totalCount"], Value::Null);
}

#[tokio::test]
async fn nodes_are_users_with_their_joins() {
    let gateway = with_users(12).await;
    let data = gateway
        .data(
            "{ usersConnection(first: 2) { __typename nodes { name roles { nodes { name } } } edges { __typename node { name } } pageInfo { __typename } } }",
        )
        .await;
    let connection = &data["usersConnection"];
    assert_eq!(connection["__typename"], "UserConnection");
    assert_eq!(connection["edges"][0]["__typename"], "UserEdge");
    assert_eq!(connection["pageInfo"]["__typename"], "PageInfo");
    assert_eq!(connection["nodes"][1]["name"], connection["edges"][1]["node"]["name"]);
    assert!(connection["nodes"][0]["roles"]["nodes"].is_array(), "{data}");
    // The page, and the roles of two.
    assert_eq!(gateway.asked().await.len(), 3);
    let logs = gateway.data("{ logsConnection(first: 20) { edges { node { type user { name } } } } }").await;
    assert_eq!(logs["logsConnection"]["edges"].as_array().unwrap().len(), 20);
    assert!(gateway.asked().await.len() <= 3);
}

#[tokio::test]
async fn what_a_connection_can_come_to_is_known_before_the_first_call() {
    let gateway = with_users(2_500).await;
    let response = gateway.query("{ usersConnection(first: 500) { nodes { roles { nodes { name } } } } }").await;
    assert_eq!(codes(&response), ["QUERY_TOO_COMPLEX"]);
    assert_eq!(response["errors"][0]["extensions"]["value"], 505);
    assert_eq!(response["errors"][0]["extensions"]["largestPage"], 19);
    // Five pages of five calls each.
    let pages = |first| {
        (0..5).map(move |page| format!("p{page}: usersConnection(first: {}) {{ nodes {{ userId }} }} ", first + page))
    };
    let response = gateway.query(&format!("{{ {} }}", pages(450).collect::<String>())).await;
    assert_eq!(codes(&response), ["QUERY_TOO_COMPLEX"], "{response}");
    assert_eq!(response["errors"][0]["extensions"]["value"], 25);
    assert_eq!(gateway.asked().await, [] as [String; 0]);
}

#[tokio::test]
async fn a_search_that_takes_too_long_is_asked_for_less() {
    let gateway = with_users(200).await;
    // Each search is tried twice.
    gateway.fault(json!({ "path": "/api/v2/users", "times": 4, "fault": { "status": 503 } })).await;
    let all = users(&pages(&gateway, USERS, json!({ "first": 500 })).await);
    assert_eq!(all.len(), 199);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 199);
}

#[tokio::test]
async fn all_logs_are_walked_newest_first() {
    let gateway = with(|sandbox| Options { logs: 1_500, ..sandbox }).await;
    let pages = pages(&gateway, LOGS, json!({ "first": 500 })).await;
    let ids: Vec<_> = pages
        .iter()
        .flat_map(|page| page["nodes"].as_array().unwrap())
        .map(|node| node["logId"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 1_500);
    assert!(ids.is_sorted_by(|one, other| one > other));
    let asked = gateway.asked().await;
    assert!(asked.len() <= 17, "{}", asked.len());
    assert!(asked.iter().all(|target| target.contains("page=0&") && !target.contains("sort=")), "{asked:?}");
}

#[tokio::test]
async fn logs_whose_search_fails_behind_the_first_make_a_shorter_page_that_the_next_goes_on_from() {
    let gateway = with(|sandbox| Options { logs: 400, ..sandbox }).await;
    // One search is answered, and the next one, which is tried twice, is not.
    for (times, fault) in [(1, json!({ "slow": 1 })), (2, json!({ "status": 503 }))] {
        gateway.fault(json!({ "path": "/api/v2/logs", "times": times, "fault": fault })).await;
    }
    let first = page(&gateway, LOGS, json!({ "first": 300 }), None).await;
    assert_eq!((first["nodes"].as_array().unwrap().len(), &first["pageInfo"]["hasNextPage"]), (100, &json!(true)));
    let rest = page(&gateway, LOGS, json!({ "first": 300 }), first["pageInfo"]["endCursor"].as_str()).await;
    let ids = |page: &Value| page["nodes"].as_array().unwrap().clone();
    let all: BTreeSet<_> = ids(&first).iter().chain(&ids(&rest)).map(ToString::to_string).collect();
    assert!(all.len() == 100 + ids(&rest).len() && all.len() > 390, "{}", all.len());
    // Nothing before it: the failure is told.
    gateway.fault(json!({ "path": "/api/v2/logs", "times": 2, "fault": { "status": 503 } })).await;
    let response = gateway.send(json!({ "query": LOGS, "variables": { "first": 300 } })).await;
    assert_eq!(codes(&response), ["UPSTREAM_UNAVAILABLE"], "{response}");
}

#[tokio::test]
async fn who_lacks_a_scope_is_given_no_connection() {
    let gateway = TestGateway::spawn_with_scopes(&["read:logs"]).await;
    let response = gateway.query("{ usersConnection { nodes { userId } } logsConnection { nodes { logId } } }").await;
    assert_eq!(codes(&response), ["UPSTREAM_MISCONFIGURED"], "{response}");
    assert_eq!(response["data"]["usersConnection"], Value::Null);
    assert_eq!(response["data"]["logsConnection"]["nodes"].as_array().unwrap().len(), 50);
}
