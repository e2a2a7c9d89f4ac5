//! Which part of each record is asked for.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::request::Call;

/// Which attributes of each record to send.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Fields {
    /// The whole record.
    All,
    /// These keys, as they are called on the wire; an empty list asks for the record's id, which is
    /// the least that Auth0 can send.
    Only(Vec<&'static str>),
    /// The whole record but for these. Users have it; with logs, Auth0 was recorded to leave out nearly everything.
    AllBut(Vec<&'static str>),
}

/// The names that `GET /users/{id}` and `GET /users-by-email` take in `fields`. Any other is answered with 400, and nothing of
/// the user. Quoted from that answer: <https://github.com/auth0/auth0-java/issues/177>.
pub(crate) const USER_FIELDS: &[&str] = &[
    "app_metadata",
    "blocked",
    "created_at",
    "email",
    "email_verified",
    "family_name",
    "given_name",
    "identities",
    "last_ip",
    "last_login",
    "logins_count",
    "name",
    "nickname",
    "phone_number",
    "picture",
    "updated_at",
    "user_id",
    "user_metadata",
    "username",
];

impl Fields {
    /// Adds `fields` and `include_fields`. Auth0 refuses a name that is not on the endpoint's `list`, if it has one, and on
    /// any endpoint one that is no plain name: then the whole record is asked for instead.
    pub(crate) fn add_to(&self, call: Call, id: &'static str, list: Option<&[&str]>) -> Call {
        let is_taken = |key: &&str| {
            let is_plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            is_plain && list.is_none_or(|list| list.contains(key))
        };
        let (names, include) = match self {
            Self::Only(keys) if keys.is_empty() => (vec![id], true),
            Self::Only(keys) => (keys.clone(), true),
            Self::AllBut(keys) => (keys.clone(), false),
            Self::All => (Vec::new(), true),
        };
        if names.is_empty() || !names.iter().all(is_taken) {
            return call;
        }
        call.with_fields(names, include)
    }
}

/// What endpoints were found to take in `fields`, by their own word when they refused a call.
#[derive(Debug, Default)]
pub(crate) struct LearnedFields(Mutex<HashMap<&'static str, Vec<String>>>);

impl LearnedFields {
    /// Whether the endpoint of `call` has been found to refuse a name that it sends.
    pub(crate) fn refuse(&self, call: &Call) -> bool {
        let names = call.field_names();
        if names.is_empty() {
            return false;
        }
        let lists = self.lock();
        let Some(list) = lists.get(call.endpoint()) else { return false };
        !names.iter().all(|name| list.iter().any(|taken| taken == name))
    }

    /// Keeps the list that an endpoint named when it refused `call`. Without one, it is sent no names any more.
    pub(crate) fn learn(&self, call: &Call, list: Vec<String>) {
        let endpoint = call.endpoint();
        let refused: Vec<_> =
            call.field_names().iter().filter(|name| !list.iter().any(|taken| taken == *name)).collect();
        tracing::warn!(
            endpoint,
            ?refused,
            "Auth0 does not take these names in `fields` any more: whole records are asked for"
        );
        self.lock().insert(endpoint, list);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<&'static str, Vec<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(fields: &Fields, list: Option<&[&str]>) -> Option<String> {
        let call = fields.add_to(Call::to("users"), "user_id", list);
        assert_eq!(call.target_without_fields(), "/api/v2/users");
        call.target().split_once('?').map(|(_, query)| query.to_owned())
    }

    #[test]
    fn fields_are_sent_only_if_auth0_will_take_them() {
        let any = |fields: &Fields| query(fields, None);
        assert_eq!(any(&Fields::All), None);
        assert_eq!(
            any(&Fields::Only(vec!["email", "isMobile"])).as_deref(),
            Some("fields=email,isMobile&include_fields=true")
        );
        assert_eq!(any(&Fields::Only(vec![])).as_deref(), Some("fields=user_id&include_fields=true"));
        assert_eq!(any(&Fields::Only(vec!["email", "$event_schema"])), None);
        assert_eq!(any(&Fields::Only(vec!["email", ""])), None);
        let all_but = Fields::AllBut(vec!["app_metadata", "identities"]);
        assert_eq!(any(&all_but).as_deref(), Some("fields=app_metadata,identities&include_fields=false"));
        assert_eq!(any(&Fields::AllBut(vec![])), None);
        assert_eq!(any(&Fields::AllBut(vec!["$event_schema"])), None);
    }

    #[test]
    fn where_there_is_a_list_every_name_is_on_it_or_none_is_sent() {
        let user = |fields: &Fields| query(fields, Some(USER_FIELDS));
        assert_eq!(
            user(&Fields::Only(vec!["email", "blocked"])).as_deref(),
            Some("fields=email,blocked&include_fields=true")
        );
        assert_eq!(user(&Fields::Only(vec!["email", "multifactor"])), None);
        assert_eq!(
            user(&Fields::AllBut(vec!["identities"])).as_deref(),
            Some("fields=identities&include_fields=false")
        );
        assert_eq!(user(&Fields::AllBut(vec!["identities", "tenant"])), None);
        assert_eq!(user(&Fields::Only(vec![])).as_deref(), Some("fields=user_id&include_fields=true"));
    }

    #[test]
    fn a_list_that_was_learned_holds_for_its_endpoint() {
        let learned = LearnedFields::default();
        let call = |endpoint, names| Fields::Only(names).add_to(Call::to(endpoint), "user_id", None);
        assert!(!learned.refuse(&call("users", vec!["email", "blocked"])));
        learned.learn(&call("users", vec!["email", "blocked"]), vec!["email".to_owned()]);
        assert!(learned.refuse(&call("users", vec!["email", "blocked"])));
        assert!(!learned.refuse(&call("users", vec!["email"])));
        assert!(!learned.refuse(&call("logs", vec!["blocked"])));
        assert!(!learned.refuse(&Call::to("users")));
    }
}
