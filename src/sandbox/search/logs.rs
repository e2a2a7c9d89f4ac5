//! Log search: a subset of Lucene over sixteen fields, none of them split into words.
//! From Auth0's page "Log Search Query Syntax".

use super::{Bound, Expression, Leaf, Moment, Pattern, Test, parse, within};
use crate::sandbox::events::Event;

/// A log query that Auth0 would run.
#[derive(Debug, Clone)]
pub(crate) struct LogQuery(Expression);

const SEARCHABLE: [&str; 16] = [
    "client_id",
    "client_name",
    "connection",
    "connection_id",
    "date",
    "description",
    "hostname",
    "ip",
    "log_id",
    "organization_id",
    "strategy",
    "strategy_type",
    "type",
    "user_agent",
    "user_id",
    "user_name",
];

/// The fields in which terms without a field are looked for.
const BARE: [&str; 7] = ["client_name", "connection", "description", "ip", "log_id", "type", "user_name"];

impl LogQuery {
    /// Reads `q`; the error is Auth0's message, word for word as people quoted it.
    pub(crate) fn parse(q: &str) -> Result<Self, String> {
        let unparsable = || {
            format!(
                "The query '{q}' cannot be parsed. Please revise the query or visit https://auth0.com/docs/logs/log-search-query-syntax for help."
            )
        };
        let expression = parse(q).map_err(|_| unparsable())?;
        expression.check(&|leaf: &Leaf| match &leaf.field {
            Some(name) if !SEARCHABLE.contains(&name.as_str()) => {
                Err(format!("The search query string has an error: unknown field \"{name}\""))
            }
            _ => check(leaf).map_err(|()| unparsable()),
        })?;
        Ok(Self(expression))
    }

    /// Logs of one user.
    pub(crate) fn of_user(id: &str) -> Self {
        let (field, test) = (Some("user_id".to_owned()), Test::Term(Pattern::exact(id)));
        Self(Expression::Leaf(Leaf { field, test }))
    }

    /// True if the event is found.
    pub(crate) fn matches(&self, event: &Event<'_>) -> bool {
        self.0.holds(&|leaf| match leaf.field.as_deref() {
            Some(field) => leaf_matches(&leaf.test, field, event),
            None => BARE.iter().any(|field| leaf_matches(&leaf.test, field, event)),
        })
    }
}

/// Beyond the fields, Auth0 documents ranges on two of them only, a wildcard at the front only with three letters after it, and
/// of the rest of Lucene nothing.
fn check(leaf: &Leaf) -> Result<(), ()> {
    let fine = match &leaf.test {
        Test::Exists => true,
        Test::Term(pattern) => !pattern.without_single_wildcards().is_too_vague(),
        Test::Range { lower, upper } => match leaf.field.as_deref() {
            Some("log_id") => true,
            Some("date") => [lower, upper].into_iter().all(|bound| match bound {
                Bound::Open => true,
                Bound::Inclusive(edge) | Bound::Exclusive(edge) => edge.moment().is_some(),
            }),
            _ => false,
        },
        Test::Regex(_) | Test::Fuzzy { .. } => false,
    };
    if fine { Ok(()) } else { Err(()) }
}

fn leaf_matches(test: &Test, field: &str, event: &Event<'_>) -> bool {
    if field == "date" {
        return date_matches(test, event.date_millis());
    }
    let Some(value) = event.text(field) else {
        return false;
    };
    match test {
        Test::Exists => true,
        // `?` is no wildcard here, so it stands for itself.
        Test::Term(pattern) => pattern.without_single_wildcards().matches(&value, false),
        Test::Range { lower, upper } => within(lower, upper, |edge| Some(value.as_ref().cmp(edge.text.as_str()))),
        Test::Regex(_) | Test::Fuzzy { .. } => false,
    }
}

fn date_matches(test: &Test, at: i64) -> bool {
    match test {
        Test::Exists => true,
        Test::Term(pattern) => {
            pattern.text().and_then(|text| Moment::parse(&text)).is_some_and(|moment| moment.side(at).is_eq())
        }
        Test::Range { lower, upper } => within(lower, upper, |edge| edge.moment().map(|moment| moment.side(at))),
        Test::Regex(_) | Test::Fuzzy { .. } => false,
    }
}
