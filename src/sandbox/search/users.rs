//! User search, version 3: the rules that Auth0 documents on "User Search Query Syntax".

use std::borrow::Cow;
use std::cmp::Ordering;

use chrono::DateTime;
use serde_json::Value;

use super::{Bound, Edge, Expression, Leaf, Pattern, Test, parse, within};
use crate::sandbox::people::User;

/// A user query that Auth0 would run.
#[derive(Debug, Clone)]
pub(crate) struct UserQuery(Expression);

/// Fields whose values are compared without regard to case ("normalized" in Auth0's words).
const NORMALIZED: [&str; 5] = ["email", "name", "given_name", "family_name", "nickname"];

/// Root attributes that the index leaves out.
const NOT_INDEXED: [&str; 3] = ["picture", "multifactor", "last_password_reset"];

impl UserQuery {
    /// Reads `q`. The error is the message of a 400: no source gives Auth0's own text for a bad
    /// user query (its documentation says that the message varies), so the words are ours.
    pub(crate) fn parse(q: &str) -> Result<Self, String> {
        let expression = parse(q).map_err(|_| format!("Failed to parse query [{q}]. Check its syntax."))?;
        expression.check(&check)?;
        Ok(Self(expression))
    }

    /// Texts between which the date of creation of all who are found is, both included, of dates that are written as most are.
    pub(crate) fn created_between(&self) -> (Option<&str>, Option<&str>) {
        let parts = match &self.0 {
            Expression::All(parts) => parts.as_slice(),
            other => std::slice::from_ref(other),
        };
        let mut between = (None, None);
        for part in parts {
            let Expression::Leaf(Leaf { field: Some(field), test: Test::Range { lower, upper } }) = part else {
                continue;
            };
            if field == "created_at" {
                // As texts the dates are in order: of several ranges the narrowest holds.
                between.0 = between.0.max(written(lower).map(|[first, _]| first.as_str()));
                between.1 = match (between.1, written(upper).map(|[_, last]| last.as_str())) {
                    (Some(one), Some(other)) => Some(other.min(one)),
                    (one, other) => one.or(other),
                };
            }
        }
        between
    }

    /// True if the user is found.
    pub(crate) fn matches(&self, user: &User) -> bool {
        self.0.holds(&|leaf| leaf_matches(leaf, user))
    }
}

fn check(leaf: &Leaf) -> Result<(), String> {
    let field = leaf.field.as_deref().unwrap_or_default();
    let wildcard = matches!(&leaf.test, Test::Term(pattern) if pattern.text().is_none());
    let range = matches!(leaf.test, Test::Range { .. });
    if (wildcard || range) && (field == "user_metadata" || field.starts_with("user_metadata.")) {
        return Err(format!("Wildcards and ranges are not supported on [{field}]."));
    }
    match &leaf.test {
        Test::Term(pattern) if pattern.is_too_vague() => Err(format!(
            "A wildcard at the beginning of a term needs at least 3 characters after it{}.",
            if field.is_empty() { String::new() } else { format!(" on [{field}]") }
        )),
        _ => Ok(()),
    }
}

fn leaf_matches(leaf: &Leaf, user: &User) -> bool {
    let Some(field) = leaf.field.as_deref() else {
        return user.profile.iter().any(|(name, value)| {
            name != "user_metadata"
                && is_indexed(name)
                && any_scalar(value, &mut |value| test_matches(&leaf.test, value, is_normalized(name)))
        });
    };
    let test = |value: &Value| test_matches(&leaf.test, value, is_normalized(field));
    match field {
        "email.domain" => user
            .profile
            .get("email")
            .and_then(Value::as_str)
            .and_then(|email| email.rsplit_once('@'))
            .is_some_and(|(_, domain)| test(&domain.into())),
        pattern if pattern.contains('*') => {
            let pattern = Pattern::wildcard(pattern);
            user.profile.iter().any(|(name, value)| {
                is_indexed(name)
                    && any_path(name, value, &mut |path, value| {
                        pattern.matches(path, false) && test_matches(&leaf.test, value, is_normalized(path))
                    })
            })
        }
        "organization_id" => user.organizations.iter().any(|id| test(&id.as_str().into())),
        _ => {
            let (root, rest) = field.split_once('.').map_or((field, None), |(root, rest)| (root, Some(rest)));
            is_indexed(root)
                && user.profile.get(root).is_some_and(|value| {
                    at_path(value, rest, &mut |value| match leaf.test {
                        Test::Exists => any_scalar(value, &mut |_| true),
                        // A term on an object finds nothing: only its leaves are indexed.
                        _ => is_scalar(value) && test(value),
                    })
                })
        }
    }
}

fn is_indexed(root: &str) -> bool {
    !NOT_INDEXED.contains(&root)
}

fn is_normalized(field: &str) -> bool {
    NORMALIZED.contains(&field)
}

fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Number(_) | Value::String(_))
}

/// Follows a dotted path; an array on the way (or at its end) stands for each of its elements.
fn at_path(value: &Value, path: Option<&str>, test: &mut dyn FnMut(&Value) -> bool) -> bool {
    if let Value::Array(elements) = value {
        return elements.iter().any(|element| at_path(element, path, test));
    }
    match path {
        None => test(value),
        Some(path) => {
            let (key, rest) = path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest)));
            value.get(key).is_some_and(|inner| at_path(inner, rest, test))
        }
    }
}

/// Visits the indexed leaves below a value: `null`, `[]` and `{}` are none.
fn any_scalar(value: &Value, test: &mut dyn FnMut(&Value) -> bool) -> bool {
    match value {
        Value::Null => false,
        Value::Array(elements) => elements.iter().any(|element| any_scalar(element, test)),
        Value::Object(members) => members.values().any(|member| any_scalar(member, test)),
        scalar => test(scalar),
    }
}

/// Visits the same with their dotted paths.
fn any_path(path: &str, value: &Value, test: &mut dyn FnMut(&str, &Value) -> bool) -> bool {
    match value {
        Value::Null => false,
        Value::Array(elements) => elements.iter().any(|element| any_path(path, element, test)),
        Value::Object(members) => {
            members.iter().any(|(name, member)| any_path(&format!("{path}.{name}"), member, test))
        }
        scalar => test(path, scalar),
    }
}

fn test_matches(test: &Test, value: &Value, fold: bool) -> bool {
    match test {
        Test::Exists => true,
        Test::Range { lower, upper } => within(lower, upper, |edge| side(value, edge, fold)),
        Test::Term(pattern) => text(value).is_some_and(|text| pattern.matches(&text, fold && value.is_string())),
        Test::Regex(regex) => text(value).is_some_and(|text| regex.is_match(&text)),
        Test::Fuzzy { text: sought, edits } => {
            text(value).is_some_and(|text| strsim::damerau_levenshtein(sought, &text) <= *edits)
        }
    }
}

/// A scalar as the index has it.
fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(truth) => Some(truth.to_string().into()),
        _ => None,
    }
}

/// The side of `edge` on which a value is: as a number, a date or a text, whichever both are.
fn side(value: &Value, edge: &Edge, fold: bool) -> Option<Ordering> {
    match value {
        Value::Number(number) => number.as_f64()?.partial_cmp(&edge.text.parse::<f64>().ok()?),
        Value::String(text) => match &edge.date {
            Some(date) if is_written_as_most(text) => Some(side_as_text(text, &date.written)),
            Some(date) => {
                let at = DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis();
                Some(date.moment.side(at))
            }
            None if fold => Some(text.to_lowercase().cmp(&edge.text.to_lowercase())),
            None => Some(text.cmp(&edge.text)),
        },
        _ => None,
    }
}

/// The first and the last millisecond of a bound, if it is a date.
fn written(bound: &Bound) -> Option<&[String; 2]> {
    match bound {
        Bound::Open => None,
        Bound::Inclusive(edge) | Bound::Exclusive(edge) => edge.date.as_ref().map(|date| &date.written),
    }
}

/// True for a date in the form that nearly all have, in which the order of texts is that of time: `2026-03-01T12:00:00.000Z`.
pub(crate) fn is_written_as_most(text: &str) -> bool {
    text.len() == 24 && text.ends_with('Z') && text.as_bytes()[19] == b'.'
}

/// Reading a date costs ten times as much, and a search of a large tenant reads one of each user.
fn side_as_text(text: &str, [first, last]: &[String; 2]) -> Ordering {
    if text < first.as_str() {
        Ordering::Less
    } else if text > last.as_str() {
        Ordering::Greater
    } else {
        Ordering::Equal
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user() -> User {
        let Value::Object(profile) = json!({
            "user_id": "auth0|507f1f77bcf86cd799439011",
            "email": "Jane.Doe@example.com",
            "email_verified": true,
            "name": "Jane Doe",
            "picture": "https://cdn.example.com/jane.png",
            "created_at": "2026-03-01T12:00:00.000Z",
            "logins_count": 7,
            "identities": [
                {"connection": "github", "user_id": 583231, "profileData": {"email": "jd@example.org"}},
            ],
            "app_metadata": {"plan": "Gold", "seats": 12, "empty": [], "roles": [{"name": "admin"}]},
            "user_metadata": {"addresses": [{"city": "Paris"}], "theme": "dark"},
        }) else {
            unreachable!()
        };
        User { profile, organizations: vec!["org_one".into()], idp_tokens: Vec::new(), connection: 0 }
    }

    fn found(q: &str) -> bool {
        UserQuery::parse(q).expect(q).matches(&user())
    }

    #[test]
    fn what_auth0_documents_is_found() {
        for q in [
            "name:\"jane doe\"",
            "name:JANE*",
            "email:\"jane.doe@EXAMPLE.com\"",
            "email.domain:\"example.com\"",
            "*oe@example.com",
            "user_id:auth0\\|507f1f77bcf86cd799439011",
            "organization_id:org_one",
            "identities.connection:\"github\"",
            "identities.user_id:583231",
            "identities.profileData.email:\"jd@example.org\"",
            "app_metadata.roles.name:admin",
            "app_metadata.seats:[10 TO 20}",
            "app_metadata.plan:(Silver OR Gold)",
            "user_metadata.addresses.city:\"Paris\"",
            "logins_count:{6 TO *]",
            "created_at:[2026-03-01 TO 2026-03-01]",
            "created_at:[* TO 2026-03-02}",
            "_exists_:app_metadata.roles",
            "NOT _exists_:blocked OR blocked:false",
            "email_verified:true AND -blocked:true",
            "name:[j TO k]",
            "auth0|507f1f77bcf86cd799439011",
            "*",
        ] {
            assert!(found(q), "{q}");
        }
    }

    #[test]
    fn what_auth0_documents_as_not_found_is_not() {
        for q in [
            "name:Jane",
            "app_metadata.plan:gold",
            "dark",
            "picture:*png",
            "_exists_:picture",
            "_exists_:app_metadata.empty",
            "app_metadata:Gold",
            "created_at:{2026-03-01 TO *]",
            "created_at:[* TO 2026-03-01}",
            "logins_count:[8 TO *]",
            "email_verified:True",
            "name:\"jane*\"",
        ] {
            assert!(!found(q), "{q}");
        }
    }

    #[test]
    fn what_auth0_refuses_is_refused() {
        for q in ["email:", "name:*ab", "*b", "user_metadata.theme:da*", "user_metadata.theme:[a TO z]", "(name:a"] {
            assert!(UserQuery::parse(q).is_err(), "{q}");
        }
    }
}
