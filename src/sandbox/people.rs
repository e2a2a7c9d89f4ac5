//! The tenant's users. They depend on the seed and their number alone, not on the clock, so all
//! sandboxes of a process that agree on these share them.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::fixtures::{CONNECTIONS, Fixtures};

mod known;
mod name;
mod population;

pub(crate) use population::address;

/// A user, as the tenant stores it.
#[derive(Debug, Clone)]
pub(crate) struct User {
    /// The members that a client with `read:users` may see.
    pub(crate) profile: Map<String, Value>,
    /// Ids of the organizations that the user is a member of: searchable, not in the profile.
    pub(crate) organizations: Vec<String>,
    /// The position in [`CONNECTIONS`] of the user's main connection.
    pub(crate) connection: usize,
    /// The members that `read:user_idp_tokens` adds, with the position of their identity.
    pub(crate) idp_tokens: Vec<(usize, Map<String, Value>)>,
}

impl User {
    /// The `user_id`.
    pub(crate) fn id(&self) -> &str {
        self.text("user_id").unwrap_or_default()
    }

    /// A root attribute, if it is a string.
    pub(crate) fn text(&self, attribute: &str) -> Option<&str> {
        self.profile.get(attribute).and_then(Value::as_str)
    }

    /// The user's name in logs.
    pub(crate) fn login_name(&self) -> &str {
        self.text("email").or_else(|| self.text("phone_number")).or_else(|| self.text("username")).unwrap_or_default()
    }

    /// The profile, with the tokens of the identity providers among it.
    pub(crate) fn profile_with_idp_tokens(&self) -> Map<String, Value> {
        let mut profile = self.profile.clone();
        if let Some(Value::Array(identities)) = profile.get_mut("identities") {
            for (position, tokens) in &self.idp_tokens {
                if let Some(Value::Object(identity)) = identities.get_mut(*position) {
                    identity.extend(tokens.clone());
                }
            }
        }
        profile
    }
}

/// A person of the tenant worth knowing by name; see [`super::Sandbox::people`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The `name` of the profile.
    pub name: String,
    /// The address; empty for somebody who has only a phone number.
    pub email: String,
    /// The `user_id`.
    pub user_id: String,
    /// The special thing about this person.
    pub note: &'static str,
}

/// The date of creation of those who were imported.
const IMPORTED_AT: &str = "2025-03-01T09:30:00.250Z";

/// Everybody in a tenant.
#[derive(Debug)]
pub(crate) struct People {
    pub(crate) seed: u64,
    pub(crate) users: Vec<User>,
    imported: usize,
    /// Notes about the first users, who are made by hand.
    notes: Vec<&'static str>,
    by_id: HashMap<String, usize>,
    /// Positions of the users who log in now and then; the logs are about them.
    pub(crate) active: Vec<usize>,
}

impl People {
    /// The users of a seed, `count` of them, of whom the last `imported` were created in one millisecond. The first ones are always the
    /// people of [`known`], so a tenant with fewer users than those has only some of them.
    pub(crate) fn of(seed: u64, count: usize, imported: usize) -> Arc<Self> {
        /// The number of tenants that are kept for the next sandbox that asks for the same.
        const KEPT: usize = 4;
        static MADE: Mutex<Vec<Arc<People>>> = Mutex::new(Vec::new());

        let mut made = MADE.lock();
        let same =
            |people: &&Arc<Self>| people.seed == seed && people.users.len() == count && people.imported == imported;
        if let Some(people) = made.iter().find(same) {
            return Arc::clone(people);
        }
        let people = Arc::new(Self::make(seed, count, imported));
        if made.len() == KEPT {
            made.remove(0);
        }
        made.push(Arc::clone(&people));
        people
    }

    pub(super) fn make(seed: u64, count: usize, imported: usize) -> Self {
        let fixtures = Fixtures::new(seed);
        let mut users = Vec::with_capacity(count);
        let mut notes = Vec::new();
        for (user, note) in known::people(seed, &fixtures).into_iter().take(count) {
            users.push(user);
            notes.push(note);
        }
        for position in users.len()..count {
            users.push(population::user(seed, &fixtures, position));
        }
        let first_imported = count.saturating_sub(imported);
        for user in users.iter_mut().skip(first_imported) {
            user.profile.insert("created_at".to_owned(), IMPORTED_AT.into());
        }
        let by_id = users.iter().enumerate().map(|(position, user)| (user.id().to_owned(), position)).collect();
        let active = (0..users.len()).filter(|position| users[*position].profile.contains_key("last_login")).collect();
        Self { seed, users, imported, notes, by_id, active }
    }

    /// The people made by hand, for a banner.
    pub(crate) fn introduce(&self) -> Vec<Person> {
        let made_by_hand = self.users.iter().zip(&self.notes);
        made_by_hand
            .map(|(user, note)| Person {
                name: user.text("name").unwrap_or_default().to_owned(),
                email: user.text("email").unwrap_or_default().to_owned(),
                user_id: user.id().to_owned(),
                note,
            })
            .collect()
    }

    /// The user with this id.
    pub(crate) fn by_id(&self, id: &str) -> Option<&User> {
        self.by_id.get(id).map(|position| &self.users[*position])
    }
}

/// An identity as Auth0 writes it.
fn identity(connection: usize, user_id: impl Into<Value>) -> Value {
    let connection = &CONNECTIONS[connection];
    json!({
        "connection": connection.name,
        "provider": connection.strategy,
        "user_id": user_id.into(),
        "isSocial": connection.is_social(),
    })
}

/// A JSON object; anything else gives an empty one.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_the_same_seed_gives_the_same_people() {
        let people = People::make(7, 2_500, 0);
        let ids: HashSet<_> = people.users.iter().map(User::id).collect();
        assert_eq!(ids.len(), 2_500);
        assert_eq!(people.users[2_000].profile, People::make(7, 2_500, 0).users[2_000].profile);
        assert_ne!(people.users[2_000].profile, People::make(8, 2_500, 0).users[2_000].profile);
    }

    #[test]
    fn every_kind_of_user_is_there() {
        let people = People::of(7, 2_500, 0);
        let count = |test: &dyn Fn(&User) -> bool| people.users.iter().filter(|u| test(u)).count();
        for (connection, named) in CONNECTIONS.iter().enumerate() {
            assert!(count(&|u| u.connection == connection) > 25, "{}", named.name);
        }
        assert!(count(&|u| u.profile.get("blocked") == Some(&true.into())) > 25);
        assert!(count(&|u| u.profile.get("email_verified") == Some(&false.into())) > 100);
        assert!(count(&|u| !u.profile.contains_key("last_login")) > 100);
        assert!(count(&|u| !u.organizations.is_empty()) > 100);
        assert!(count(&|u| u.profile["identities"].as_array().is_some_and(|i| i.len() > 1)) > 50);
        assert!(count(&|u| u.profile.contains_key("app_metadata")) > 500);
        assert!(count(&|u| u.profile.contains_key("user_metadata")) > 500);
        assert!(count(&|u| u.profile.contains_key("phone_number")) > 50);
    }

    #[test]
    fn idp_tokens_are_apart_until_asked_for() {
        let people = People::of(7, 2_500, 0);
        let user = people.users.iter().find(|user| !user.idp_tokens.is_empty()).expect("a social user");
        let seen = |profile: &Map<String, Value>| Value::from(profile.clone()).to_string();
        assert!(!seen(&user.profile).contains("access_token"));
        assert!(seen(&user.profile_with_idp_tokens()).contains("access_token"));
    }
}
