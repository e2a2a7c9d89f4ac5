//! Everybody else: users made from the seed and their position, of every connection.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::name::Name;
use super::{User, identity, object};
use crate::sandbox::clock::{from_millis, rfc3339};
use crate::sandbox::fixtures::{CONNECTIONS, Fixtures, Stream, alphanumeric, connection, hex, rng};

/// 2023-01-01 and 2026-06-30: between these everybody signed up.
const FIRST_SIGNUP: i64 = 1_672_531_200_000;
const LAST_SIGNUP: i64 = 1_782_777_600_000;
/// 2026-09-30: nobody logged in later, as far as profiles tell.
const LAST_LOGIN: i64 = 1_790_726_400_000;

/// The user at a position.
pub(super) fn user(seed: u64, fixtures: &Fixtures, position: usize) -> User {
    let mut rng = rng(seed, Stream::Users, position as u64);
    let connection = pick_connection(&mut rng);
    let (user_id, identity_id) = ids(connection, &mut rng, position as u64);
    let created = rng.i64(FIRST_SIGNUP..LAST_SIGNUP);
    let mut profile = Map::new();
    profile.insert("user_id".into(), user_id.into());
    profile.insert("created_at".into(), date(created));
    profile.insert("picture".into(), format!("https://cdn.example.com/avatars/{}.png", hex(&mut rng, 12)).into());
    let person = Name::pick(&mut rng, position);
    names(&mut profile, &person, connection, position, &mut rng);
    logins(&mut profile, connection, created, &mut rng);
    from_the_provider(&mut profile, &person, connection, &mut rng);
    metadata(&mut profile, &mut rng);

    let mut identities = vec![identity(connection, identity_id)];
    let mut idp_tokens = Vec::new();
    if CONNECTIONS[connection].is_social() {
        idp_tokens.push((0, tokens(&mut rng)));
    }
    if connection == connection::DATABASE && rng.u32(..100) < 6 {
        identities.push(linked(&person, &mut rng, position));
        idp_tokens.push((1, tokens(&mut rng)));
    }
    profile.insert("identities".into(), identities.into());

    let organizations = match CONNECTIONS[connection].strategy_type {
        "enterprise" => 1,
        _ if rng.u32(..100) < 6 => rng.usize(1..=2),
        _ => 0,
    };
    let first = rng.usize(..fixtures.organization_ids.len());
    User {
        profile,
        organizations: fixtures.organization_ids.iter().cycle().skip(first).take(organizations).cloned().collect(),
        connection,
        idp_tokens,
    }
}

/// A `user_id` and the `user_id` of its first identity, in the form of the connection.
pub(super) fn ids(connection: usize, rng: &mut Rng, position: u64) -> (String, Value) {
    let made = &CONNECTIONS[connection];
    let id = match connection {
        connection::GOOGLE => format!("1{:020}", rng.u64(..1 << 60)),
        connection::GITHUB => {
            // A number on the wire, so it has to be unique as a number.
            let id = 5_000_000 + position * 97 + rng.u64(..97);
            return (format!("github|{id}"), id.into());
        }
        connection::LINKEDIN => alphanumeric(rng, 10),
        connection::SAML | connection::AD => {
            // Enterprise ids name the connection, then what the provider calls the user.
            let id = format!("{}|{}", made.name, hex(rng, 16));
            return (format!("{}|{id}", made.strategy), id.into());
        }
        connection::ENTRA => alphanumeric(rng, 43),
        _ => hex(rng, 24),
    };
    (format!("{}|{id}", made.strategy), id.into())
}

fn pick_connection(rng: &mut Rng) -> usize {
    let mut left = rng.u32(..100);
    for (position, connection) in CONNECTIONS.iter().enumerate() {
        match left.checked_sub(connection.share) {
            Some(rest) => left = rest,
            None => return position,
        }
    }
    connection::DATABASE
}

fn one<'a>(rng: &mut Rng, options: &[&'a str]) -> &'a str {
    options[rng.usize(..options.len())]
}

fn date(at: i64) -> Value {
    rfc3339(from_millis(at)).into()
}

fn names(profile: &mut Map<String, Value>, person: &Name, connection: usize, position: usize, rng: &mut Rng) {
    if connection == connection::SMS {
        // 555-01xx is the range of telephone numbers kept for fiction.
        let phone = format!("+1555{:07}", 100_000 + position);
        profile.insert("name".into(), phone.as_str().into());
        profile.insert("phone_number".into(), phone.into());
        profile.insert("phone_verified".into(), true.into());
        return;
    }
    let domain = one(rng, &["example.com", "example.org"]);
    let email = format!("{}@{domain}", person.mailbox);
    profile.insert("nickname".into(), person.mailbox.as_str().into());
    if connection == connection::EMAIL || (connection == connection::DATABASE && rng.bool()) {
        profile.insert("name".into(), email.as_str().into());
    } else {
        profile.insert("name".into(), format!("{} {}", person.first, person.last).into());
        profile.insert("given_name".into(), person.first.into());
        profile.insert("family_name".into(), person.last.into());
    }
    if connection == connection::DATABASE && rng.u32(..100) < 30 {
        profile.insert("username".into(), format!("{}_{position}", person.first.to_lowercase()).into());
    }
    let verified = match CONNECTIONS[connection].strategy_type {
        "database" => rng.u32(..100) < 75,
        "passwordless" => rng.u32(..100) < 90,
        _ => true,
    };
    // Some SAML mappings give a text where Auth0 documents a boolean.
    let verified = match connection {
        connection::SAML if rng.u32(..100) < 20 => "true".into(),
        _ => Value::Bool(verified),
    };
    profile.insert("email_verified".into(), verified);
    profile.insert("email".into(), email.into());
}

fn logins(profile: &mut Map<String, Value>, connection: usize, created: i64, rng: &mut Rng) {
    let mut updated = created;
    if rng.u32(..100) >= 15 {
        let last = rng.i64(created..LAST_LOGIN);
        updated = last;
        profile.insert("last_login".into(), date(last));
        profile.insert("last_ip".into(), address(rng).into());
        profile.insert("logins_count".into(), rng.u32(1..400).into());
    }
    if connection == connection::DATABASE && rng.u32(..100) < 12 {
        let reset = rng.i64(created..LAST_LOGIN);
        updated = updated.max(reset);
        profile.insert("last_password_reset".into(), date(reset));
    }
    if rng.u32(..100) < 8 {
        profile.insert("multifactor".into(), json!(["guardian"]));
        profile.insert("multifactor_last_modified".into(), date(rng.i64(created..LAST_LOGIN)));
    }
    if rng.u32(..100) < 3 {
        profile.insert("blocked".into(), true.into());
    } else if rng.u32(..100) < 10 {
        profile.insert("blocked".into(), false.into());
    }
    profile.insert("updated_at".into(), date(updated));
}

/// An address from the blocks kept for documentation.
pub(crate) fn address(rng: &mut Rng) -> String {
    match rng.u32(..4) {
        0 => format!("2001:db8:{:x}::{:x}", rng.u16(1..), rng.u16(1..)),
        1 => format!("192.0.2.{}", rng.u8(1..255)),
        2 => format!("198.51.100.{}", rng.u8(1..255)),
        _ => format!("203.0.113.{}", rng.u8(1..255)),
    }
}

/// Attributes that identity providers send along and Auth0 keeps at the root.
fn from_the_provider(profile: &mut Map<String, Value>, person: &Name, connection: usize, rng: &mut Rng) {
    let more = match connection {
        connection::GOOGLE => json!({"locale": one(rng, &["en", "de", "pt-BR", "ja"])}),
        connection::GITHUB => json!({
            "company": null, "public_repos": rng.u32(..300), "site_admin": false,
            "html_url": format!("https://code.example.com/{}", person.mailbox),
        }),
        connection::LINKEDIN => json!({
            "headline": "Consultant",
            "location": {"country": {"code": "nl"}, "name": "Utrecht Area"},
        }),
        connection::SAML => json!({"groups": ["Everyone"], "department": "Operations"}),
        connection::ENTRA => json!({
            "upn": format!("{}@example.com", person.mailbox), "groups": ["All Staff", "Finance"],
        }),
        connection::AD => json!({
            "dn": format!("CN={},OU=Staff,DC=example,DC=com", person.mailbox), "groups": [],
        }),
        _ => return,
    };
    profile.extend(object(more));
}

fn metadata(profile: &mut Map<String, Value>, rng: &mut Rng) {
    let app = match rng.u32(..10) {
        0..=2 => {
            json!({"plan": one(rng, &["free", "team", "enterprise"]), "seats": rng.u32(1..50)})
        }
        3 => json!({"roles": ["viewer", "editor"], "beta": rng.bool()}),
        4 => json!({"billing": {"currency": "EUR", "address": {"city": "Ghent", "zip": "9000"}}}),
        5 => json!({}),
        _ => Value::Null,
    };
    let own = match rng.u32(..10) {
        0..=2 => json!({"theme": one(rng, &["dark", "light"])}),
        3 => json!({"addresses": [{"city": "Paris", "primary": true}, {"city": "Lyon"}]}),
        4 => {
            json!({"newsletter": {"weekly": rng.bool(), "topics": ["maps", "tides"]}, "height_cm": 171.5})
        }
        _ => Value::Null,
    };
    for (name, value) in [("app_metadata", app), ("user_metadata", own)] {
        if !value.is_null() {
            profile.insert(name.into(), value);
        }
    }
}

fn linked(person: &Name, rng: &mut Rng, position: usize) -> Value {
    let connection = [connection::GOOGLE, connection::GITHUB][rng.usize(..2)];
    // Apart from the ids of main identities, which stay below a million positions.
    let (_, id) = ids(connection, rng, 1_000_000 + position as u64);
    let mut linked = identity(connection, id);
    linked["profileData"] = json!({
        "email": format!("{}@example.org", person.mailbox),
        "email_verified": true,
        "name": format!("{} {}", person.first, person.last),
        "given_name": person.first,
        "family_name": person.last,
    });
    linked
}

fn tokens(rng: &mut Rng) -> Map<String, Value> {
    object(json!({"access_token": alphanumeric(rng, 40), "expires_in": 3599}))
}
