//! Lists that belong to a user: roles, permissions, organizations, sessions and the like. Made from the user's id alone.
//!
//! Shapes: <https://auth0.com/docs/api/management/v2/users>, and what was recorded.

use serde_json::{Map, Value, json};

use super::clock::{from_millis, rfc3339};
use super::events::BROWSERS;
use super::fixtures::{Fixtures, ORGANIZATIONS, alphanumeric, hex};
use super::people::User;

/// A kind of list, with what its endpoint is like.
#[derive(Debug)]
pub(crate) struct UserList {
    /// The last part of the path.
    pub(crate) path: &'static str,
    /// The key of the list in an answer that is an object.
    pub(crate) key: &'static str,
    pub(crate) scopes: Needed,
    pub(crate) paging: Paging,
    records: fn(&User, &Fixtures, &mut fastrand::Rng) -> Vec<Value>,
}

/// The scopes that an endpoint asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Needed {
    AnyOf(&'static [&'static str]),
    AllOf(&'static [&'static str]),
}

/// The parameters by which an endpoint is paged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paging {
    /// None: the whole list.
    Whole,
    /// None: the whole list, in an object.
    Wrapped,
    /// `page`, `per_page` from `least` on, and `include_totals`, with which the answer is an object.
    Pages { least: u64 },
    /// `from` and `take`: the answer is an object, with an opaque `next` unless it is the last.
    Checkpoints,
}

pub(crate) static USER_LISTS: [UserList; 7] = [
    UserList {
        path: "roles",
        key: "roles",
        scopes: Needed::AllOf(&["read:users", "read:roles", "read:role_members"]),
        paging: Paging::Pages { least: 1 },
        records: |_, _, rng| roles(rng),
    },
    UserList {
        path: "permissions",
        key: "permissions",
        scopes: Needed::AnyOf(&["read:users"]),
        paging: Paging::Pages { least: 1 },
        records: |_, _, rng| permissions(rng),
    },
    UserList {
        path: "organizations",
        key: "organizations",
        scopes: Needed::AnyOf(&["read:users", "read:organizations"]),
        paging: Paging::Pages { least: 1 },
        records: |user, fixtures, _| organizations(user, fixtures),
    },
    UserList {
        path: "authentication-methods",
        key: "authenticators",
        scopes: Needed::AnyOf(&["read:authentication_methods"]),
        paging: Paging::Pages { least: 0 },
        records: |_, _, rng| authentication_methods(rng),
    },
    UserList {
        path: "enrollments",
        key: "enrollments",
        scopes: Needed::AnyOf(&["read:users", "read:current_user"]),
        paging: Paging::Whole,
        records: |_, _, rng| enrollments(rng),
    },
    UserList {
        path: "sessions",
        key: "sessions",
        scopes: Needed::AnyOf(&["read:sessions"]),
        paging: Paging::Checkpoints,
        records: |user, fixtures, rng| sessions(user, fixtures, rng),
    },
    UserList {
        path: "refresh-tokens",
        key: "tokens",
        scopes: Needed::AnyOf(&["read:refresh_tokens"]),
        paging: Paging::Checkpoints,
        records: |user, fixtures, rng| refresh_tokens(user, fixtures, rng),
    },
];

/// `GET /user-blocks/{id}`: <https://auth0.com/docs/api/management/v2/user-blocks/get-user-blocks-by-id>.
pub(crate) static USER_BLOCKS: UserList = UserList {
    path: "user-blocks",
    key: "blocked_for",
    scopes: Needed::AnyOf(&["read:users"]),
    paging: Paging::Wrapped,
    records: |user, _, rng| blocks(user, rng),
};

impl UserList {
    /// The records of a user, the same each time.
    pub(crate) fn records(&self, user: &User, fixtures: &Fixtures) -> Vec<Value> {
        let bytes = user.id().bytes().chain(self.path.bytes());
        let seed = bytes.fold(0_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        (self.records)(user, fixtures, &mut fastrand::Rng::with_seed(seed))
    }
}

/// 2026-01-01.
const NEW_YEAR: i64 = 1_767_225_600_000;
const DAY: i64 = 86_400_000;

fn moment(rng: &mut fastrand::Rng) -> Value {
    at(some_millis(rng))
}

fn some_millis(rng: &mut fastrand::Rng) -> i64 {
    NEW_YEAR + rng.i64(0..200 * DAY)
}

fn at(millis: i64) -> Value {
    rfc3339(from_millis(millis)).into()
}

fn roles(rng: &mut fastrand::Rng) -> Vec<Value> {
    let all = [("Administrator", "Everything"), ("Auditor", "Reads, and changes nothing"), ("Support", "")];
    let mut roles = Vec::new();
    for (name, description) in all {
        if rng.u8(..3) == 0 {
            roles.push(
                json!({ "id": format!("rol_{}", alphanumeric(rng, 16)), "name": name, "description": description }),
            );
        }
    }
    roles
}

/// Up to a hundred and twenty of them, so that they fill more than a page. Older ones lack `sources`.
fn permissions(rng: &mut fastrand::Rng) -> Vec<Value> {
    let count = if rng.u8(..4) == 0 { rng.usize(50..120) } else { rng.usize(..4) };
    let one = |position: usize| {
        let mut permission = json!({
            "permission_name": format!("read:shelf_{position}"),
            "description": format!("Read shelf {position}"),
            "resource_server_name": "Library",
            "resource_server_identifier": "https://library.example.com/",
        });
        if !position.is_multiple_of(3) {
            permission["sources"] = json!([{ "source_id": "", "source_name": "", "source_type": "DIRECT" }]);
        }
        permission
    };
    (0..count).map(one).collect()
}

fn organizations(user: &User, fixtures: &Fixtures) -> Vec<Value> {
    let known = fixtures.organization_ids.iter().zip(ORGANIZATIONS);
    let of_user = known.filter(|(id, _)| user.organizations.contains(id));
    of_user.map(|(id, name)| json!({ "id": id, "name": name, "display_name": name.to_uppercase() })).collect()
}

/// Telephone numbers and addresses are masked.
fn authentication_methods(rng: &mut fastrand::Rng) -> Vec<Value> {
    let mut methods = Vec::new();
    for (kind, member, value) in [
        ("password", "name", "Password"),
        ("totp", "name", "Authenticator"),
        ("phone", "phone_number", "XXXXXXXX0107"),
        ("email", "email", "a***@exa***"),
        ("recovery-code", "name", "Recovery code"),
    ] {
        if rng.bool() {
            let mut method = Map::new();
            method.insert("id".into(), format!("{kind}|dev_{}", alphanumeric(rng, 16)).into());
            method.insert("type".into(), kind.into());
            method.insert("confirmed".into(), rng.bool().into());
            method.insert("created_at".into(), moment(rng));
            method.insert(member.into(), value.into());
            methods.push(method.into());
        }
    }
    methods
}

fn enrollments(rng: &mut fastrand::Rng) -> Vec<Value> {
    let enrollment = json!({
        "id": format!("dev_{}", alphanumeric(rng, 16)), "status": "confirmed", "type": "pn", "name": "Telephone",
        "identifier": hex(rng, 16), "phone_number": null, "auth_method": "guardian",
        "enrolled_at": moment(rng), "last_auth": moment(rng),
    });
    if rng.u8(..3) == 0 { vec![enrollment] } else { Vec::new() }
}

/// Auth0 describes their dates as texts, objects or nulls.
fn sessions(user: &User, fixtures: &Fixtures, rng: &mut fastrand::Rng) -> Vec<Value> {
    let count = rng.usize(..9);
    let session = |_| {
        let begun = some_millis(rng);
        let used = begun + rng.i64(0..3 * DAY);
        let idle_end = [Value::Null, json!({}), at(used + 3 * DAY)][rng.usize(..3)].take();
        let (agent, _) = BROWSERS[rng.usize(..BROWSERS.len())];
        json!({
            "id": alphanumeric(rng, 22), "user_id": user.id(),
            "created_at": at(begun), "updated_at": at(used), "authenticated_at": at(begun),
            "idle_expires_at": idle_end, "expires_at": at(begun + 30 * DAY), "last_interacted_at": at(used),
            "device": {
                "initial_user_agent": agent, "initial_ip": "203.0.113.7",
                "last_user_agent": agent, "last_ip": rng.bool().then_some("203.0.113.8"),
            },
            "clients": [{ "client_id": fixtures.application_ids[0] }],
            "authentication": { "methods": [{ "name": "pwd", "timestamp": at(begun) }] },
        })
    };
    (0..count).map(session).collect()
}

fn refresh_tokens(user: &User, fixtures: &Fixtures, rng: &mut fastrand::Rng) -> Vec<Value> {
    let count = rng.usize(..5);
    let token = |_| {
        let issued = some_millis(rng);
        json!({
            "id": alphanumeric(rng, 22), "user_id": user.id(), "client_id": fixtures.application_ids[1],
            "created_at": at(issued), "idle_expires_at": null, "expires_at": at(issued + 30 * DAY),
            "last_exchanged_at": at(issued + rng.i64(0..3 * DAY)), "rotating": true, "session_id": null,
            "resource_servers": [{ "audience": "https://library.example.com/", "scopes": "openid offline_access" }],
        })
    };
    (0..count).map(token).collect()
}

fn blocks(user: &User, rng: &mut fastrand::Rng) -> Vec<Value> {
    let identifier = user.text("email").unwrap_or_else(|| user.id());
    let block =
        json!({ "identifier": identifier, "ip": "198.51.100.23", "connection": "Username-Password-Authentication" });
    if rng.u8(..4) == 0 { vec![block] } else { Vec::new() }
}

/// The opaque `next` of an answer and `from` of the call after it.
pub(crate) mod cursor {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;

    use crate::sandbox::envelope::ApiError;

    pub(crate) fn write(position: u64) -> String {
        BASE64.encode(position.to_be_bytes())
    }

    /// Auth0's words for a bad one are not known.
    pub(crate) fn read(text: &str) -> Result<u64, ApiError> {
        let bytes = BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(u64::from_be_bytes).ok_or_else(|| ApiError::query("Invalid checkpoint in from."))
    }
}
