//! Pages of users, and their order.

use auth0_graphql::sandbox::Options;
use serde_json::Value;

use crate::gateway::{Setup, TestGateway};

/// A gateway on a tenant with this many users. The first dozen are always the sandbox's people.
async fn with_users(users: usize) -> TestGateway {
    let setup = Setup::uncached();
    TestGateway::spawn_with(Setup { sandbox: Options { users, ..setup.sandbox }, ..setup }).await
}

#[tokio::test]
async fn pages_say_whether_there_is_another() {
    let gateway = with_users(25).await;
    for (arguments, nodes, has_next, has_next_with_total) in [
        ("page: 0, perPage: 10", 10, true, true),
        ("page: 2, perPage: 10", 5, false, false),
        ("page: 3, perPage: 10", 0, false, false),
        // Only the total tells that a full page is the last.
        ("page: 4, perPage: 5", 5, true, false),
        ("page: 0, perPage: 100", 25, false, false),
    ] {
        let query = format!("{{ without: users({arguments}) {{ nodes {{ userId }} page perPage hasNextPage }} }}");
        let with = query.replace("without", "with").replace("hasNextPage", "hasNextPage total");
        let (without, with) = (gateway.data(&query).await, gateway.data(&with).await);
        assert_eq!(without["without"]["nodes"].as_array().unwrap().len(), nodes, "{arguments}");
        assert_eq!(without["without"]["hasNextPage"], has_next, "{arguments}");
        assert_eq!(with["with"]["hasNextPage"], has_next_with_total, "{arguments}");
        assert_eq!(with["with"]["total"], 25, "{arguments}");
        let echoed = format!("page: {}, perPage: {}", with["with"]["page"], with["with"]["perPage"]);
        assert_eq!(echoed, arguments);
    }
}

#[tokio::test]
async fn the_last_page_that_auth0_gives_out_has_no_next() {
    let gateway = TestGateway::uncached().await;
    for (arguments, expected) in [
        ("page: 8, perPage: 100", true),
        ("page: 9, perPage: 100", false),
        ("page: 19, perPage: 50", false),
        ("page: 10, perPage: 90", false),
        ("page: 999, perPage: 1", false),
    ] {
        for total in ["", "total"] {
            let data = gateway.data(&format!("{{ users({arguments}) {{ hasNextPage {total} }} }}")).await;
            assert_eq!(data["users"]["hasNextPage"], expected, "{arguments} {total}");
        }
    }
}

#[tokio::test]
async fn users_are_ordered_by_any_field_either_way() {
    let gateway = TestGateway::uncached().await;
    for (order, wire, field) in [
        ("CREATED_AT", "created_at", "createdAt"),
        ("UPDATED_AT", "updated_at", "updatedAt"),
        ("LAST_LOGIN", "last_login", "lastLogin"),
        ("LOGINS_COUNT", "logins_count", "loginsCount"),
        ("EMAIL", "email", "email"),
        ("NAME", "name", "name"),
        ("USER_ID", "user_id", "userId"),
        ("USERNAME", "username", "username"),
        ("GIVEN_NAME", "given_name", "givenName"),
        ("FAMILY_NAME", "family_name", "familyName"),
        ("NICKNAME", "nickname", "nickname"),
    ] {
        for (direction, sign) in [(", direction: ASC", "1"), (", direction: DESC", "-1"), ("", "1")] {
            let data = gateway
                .data(&format!(
                    "{{ users(perPage: 20, sort: {{ field: {order}{direction} }}) {{ nodes {{ {field} }} }} }}"
                ))
                .await;
            let mut values: Vec<_> =
                data["users"]["nodes"].as_array().unwrap().iter().map(|node| node[field].clone()).collect();
            // Dates that are none sort before all others.
            values.retain(|value| !value.is_null());
            assert!(values.len() > 17, "{order}: {values:?}");
            if sign == "-1" {
                values.reverse();
            }
            assert!(values.is_sorted_by(in_order), "{order} {direction}: {values:?}");
            let asked = gateway.asked().await;
            assert!(asked[0].contains(&format!("&sort={wire}%3A{sign}&")), "{asked:?}");
        }
    }
}

fn in_order(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_i64() <= b.as_i64(),
        _ => a.as_str() <= b.as_str(),
    }
}
