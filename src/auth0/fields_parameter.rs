//! The parameter `fields`: the part of each record that is asked for.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;

use super::endpoints::{Endpoint, Selectable};

/// The attributes of each record that are asked for.
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

impl Fields {
    /// The names for `fields`, and what `include_fields` says; `None` if whole records are to be asked for. Auth0 refuses a name
    /// that is not on the endpoint's list, if it has one, and on any endpoint one that is no plain name.
    pub(super) fn parameter(&self, selectable: Selectable) -> Option<(Vec<&'static str>, bool)> {
        let (least, list) = match selectable {
            Selectable::Nothing => return None,
            Selectable::Any { least } => (least, None),
            Selectable::Listed { least, names } => (least, Some(names)),
        };
        let (names, include) = match self {
            Self::Only(keys) if keys.is_empty() => (vec![least], true),
            Self::Only(keys) => (keys.clone(), true),
            Self::AllBut(keys) => (keys.clone(), false),
            Self::All => return None,
        };
        let is_taken = |key: &&str| {
            let is_plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            is_plain && list.is_none_or(|list| list.contains(key))
        };
        (!names.is_empty() && names.iter().all(is_taken)).then_some((names, include))
    }
}

/// Names that an endpoint was found not to take in `fields`: what selects one of them reads whole records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedFields {
    /// The endpoint's name.
    pub endpoint: &'static str,
    /// The names as they are called on the wire, in order.
    pub names: Vec<&'static str>,
}

/// The names that endpoints were found to take in `fields`, by their own word when they refused a request.
#[derive(Debug, Default)]
pub(crate) struct LearnedFields(Mutex<BTreeMap<&'static str, Learned>>);

#[derive(Debug, Default)]
struct Learned {
    taken: Vec<String>,
    refused: BTreeSet<&'static str>,
}

impl Learned {
    /// Notes the names that are not taken, and tells whether there are any.
    fn refuse(&mut self, names: &[&'static str]) -> bool {
        let refused = names.iter().filter(|name| !self.taken.iter().any(|taken| taken == *name));
        let refused: Vec<_> = refused.copied().collect();
        self.refused.extend(&refused);
        !refused.is_empty()
    }
}

impl LearnedFields {
    /// True if the endpoint has been found to refuse a name of the request.
    pub(crate) fn refuse(&self, endpoint: &Endpoint, names: &[&'static str]) -> bool {
        self.0.lock().get_mut(endpoint.name).is_some_and(|learned| learned.refuse(names))
    }

    /// Keeps the list that an endpoint named when it refused the request, as far as it is of names that are known of it. Without one,
    /// it is sent no names any more.
    pub(crate) fn learn(&self, endpoint: &Endpoint, names: &[&'static str], mut taken: Vec<String>) {
        if let Selectable::Listed { names: known, .. } = endpoint.selectable {
            taken.retain(|name| known.contains(&name.as_str()));
        }
        let mut endpoints = self.0.lock();
        let learned = endpoints.entry(endpoint.name).or_default();
        learned.taken = taken;
        learned.refuse(names);
        let (endpoint, refused) = (endpoint.name, &learned.refused);
        tracing::warn!(endpoint, ?refused, "Auth0 does not take these names in `fields`: whole records are asked for");
    }

    /// The names that were refused so far.
    pub(crate) fn refused(&self) -> Vec<RefusedFields> {
        let names = |learned: &Learned| learned.refused.iter().copied().collect();
        self.0.lock().iter().map(|(&endpoint, learned)| RefusedFields { endpoint, names: names(learned) }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::endpoints::{USER, USER_FIELDS, USERS_BY_EMAIL};
    use super::*;

    const ANY: Selectable = Selectable::Any { least: "user_id" };

    fn only(names: &[&'static str]) -> Fields {
        Fields::Only(names.to_vec())
    }

    fn all_but(names: &[&'static str]) -> Fields {
        Fields::AllBut(names.to_vec())
    }

    #[test]
    fn fields_are_sent_only_if_auth0_will_take_them() {
        for (fields, expected) in [
            (Fields::All, None),
            (only(&["email", "isMobile"]), Some((vec!["email", "isMobile"], true))),
            (only(&[]), Some((vec!["user_id"], true))),
            (only(&["email", "$event_schema"]), None),
            (only(&["email", ""]), None),
            (all_but(&["app_metadata", "identities"]), Some((vec!["app_metadata", "identities"], false))),
            (all_but(&[]), None),
            (all_but(&["$event_schema"]), None),
        ] {
            assert_eq!(fields.parameter(ANY), expected, "{fields:?}");
            assert_eq!(fields.parameter(Selectable::Nothing), None);
        }
    }

    #[test]
    fn where_there_is_a_list_every_name_is_on_it_or_none_is_sent() {
        for (fields, expected) in [
            (only(&["email", "blocked"]), Some((vec!["email", "blocked"], true))),
            (only(&["email", "multifactor"]), None),
            (all_but(&["identities"]), Some((vec!["identities"], false))),
            (all_but(&["identities", "tenant"]), None),
            (only(&[]), Some((vec!["user_id"], true))),
        ] {
            assert_eq!(fields.parameter(USER_FIELDS), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_list_that_was_learned_holds_for_its_endpoint() {
        let learned = LearnedFields::default();
        assert!(!learned.refuse(&USER.endpoint, &["email", "blocked"]));
        learned.learn(&USER.endpoint, &["email", "blocked"], vec!["email".to_owned()]);
        assert!(learned.refuse(&USER.endpoint, &["email", "blocked"]));
        assert!(!learned.refuse(&USER.endpoint, &["email"]));
        assert!(!learned.refuse(&USERS_BY_EMAIL.endpoint, &["blocked"]));
        assert!(!learned.refuse(&USER.endpoint, &[]));
        assert!(learned.refuse(&USER.endpoint, &["name"]));
        assert_eq!(learned.refused(), [RefusedFields { endpoint: "user", names: vec!["blocked", "name"] }]);
    }
}
