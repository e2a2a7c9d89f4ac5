//! Check of the tenant's plan, as far as its rate limits show it. Pure.
//!
//! Nothing tells it but the sizes of the rate limit's buckets:
//! <https://auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy/rate-limit-configurations>

use super::report::{Bucket, Check};

pub(super) fn judge(buckets: &[Bucket]) -> Check {
    let limit = |name| buckets.iter().find(|bucket| bucket.covers.contains(&name)).map(|bucket| bucket.limit);
    let (users, logs) = (limit("users"), limit("logs"));
    let sizes = match (users, logs) {
        (None, None) => return Check::skipped("plan", "no answer told of a rate limit"),
        (Some(users), Some(logs)) if users == logs => format!("{users} calls at once"),
        (users, logs) => {
            let sizes = [(users, "users"), (logs, "logs")];
            let sizes = sizes.iter().filter_map(|(limit, name)| limit.map(|limit| format!("{limit} for {name}")));
            format!("{} at once", sizes.collect::<Vec<_>>().join(", "))
        }
    };
    let plan = guess(users, logs).unwrap_or("none of the documented ones");
    Check::ok("plan", format!("{plan}, by its rate limit of {sizes}"))
}

fn guess(users: Option<u32>, logs: Option<u32>) -> Option<&'static str> {
    let size = match (users, logs) {
        (Some(40), None | Some(10)) => return Some("Essentials or Professional"),
        (None, Some(10)) => return Some("Essentials, Professional or Enterprise (not production)"),
        (Some(users), Some(logs)) if users != logs => return None,
        (users, logs) => users.or(logs)?,
    };
    Some(match size {
        2 => "Free",
        10 => "Enterprise (not production)",
        20 => "Private Cloud (development)",
        50 => "Enterprise, or Private Cloud 100",
        250 => "Private Cloud 500",
        750 => "Private Cloud 1500",
        1_500 => "Private Cloud 3000",
        3_000 => "Private Cloud 6000",
        5_000 => "Private Cloud 10000",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::report::Status;
    use super::*;

    #[test]
    fn a_plan_is_known_by_its_buckets() {
        let bucket = |covers: &[&'static str], limit| Bucket { covers: covers.to_vec(), limit };
        for (buckets, expected) in [
            (vec![bucket(&["users", "logs"], 2)], "Free, by its rate limit of 2 calls at once"),
            (
                vec![bucket(&["users"], 40), bucket(&["logs"], 10)],
                "Essentials or Professional, by its rate limit of 40 for users, 10 for logs at once",
            ),
            (vec![bucket(&["users"], 40)], "Essentials or Professional, by its rate limit of 40 for users at once"),
            (
                vec![bucket(&["logs"], 10)],
                "Essentials, Professional or Enterprise (not production), by its rate limit of 10 for logs at once",
            ),
            (
                vec![bucket(&["users", "logs"], 50)],
                "Enterprise, or Private Cloud 100, by its rate limit of 50 calls at once",
            ),
            (
                vec![bucket(&["users", "logs"], 33)],
                "none of the documented ones, by its rate limit of 33 calls at once",
            ),
            (
                vec![bucket(&["users"], 2), bucket(&["logs"], 50)],
                "none of the documented ones, by its rate limit of 2 for users, 50 for logs at once",
            ),
        ] {
            assert_eq!(judge(&buckets).finding, expected);
        }
        assert_eq!(judge(&[bucket(&["others"], 5)]).status, Status::Skipped);
    }
}
