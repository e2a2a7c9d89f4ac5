//! The people made by hand: each one shows something that an Auth0 client meets sooner or later.

use serde_json::{Value, json};

use super::{User, identity, object};
use crate::sandbox::fixtures::{Fixtures, Stream, alphanumeric, connection, hex, rng};

/// The people in their order, each with what is special about them.
pub(super) fn people(seed: u64, fixtures: &Fixtures) -> Vec<(User, &'static str)> {
    let organization = |position: usize| fixtures.organization_ids[position].clone();
    let mut maker = Maker { seed, made: 0 };
    let mut people = vec![
        (
            ada(&mut maker, fixtures),
            "has everything: linked Google identity, multifactor, organizations, deep metadata",
        ),
        (
            maker.user(
                connection::DATABASE,
                json!({
                    "email": "bruno.keita@example.com", "email_verified": true, "name": "Bruno Keita",
                    "nickname": "bruno", "blocked": true, "last_login": "2026-05-11T09:14:02.337Z",
                    "last_ip": "203.0.113.40", "logins_count": 14,
                    "app_metadata": {"block_reason": "chargeback", "plan": "free"},
                }),
            ),
            "is blocked by an administrator",
        ),
        (
            maker.user(
                connection::DATABASE,
                json!({
                    "email": "chiyo.arai@example.org", "email_verified": true, "name": "新井 千代",
                    "given_name": "千代", "family_name": "新井", "nickname": "chiyo",
                }),
            ),
            "has never logged in: no last_login, last_ip or logins_count",
        ),
        (
            maker.user(
                connection::SAML,
                json!({
                    "email": "Dara.Quist@Example.com", "email_verified": "true", "name": "Dara Quist",
                    "given_name": "Dara", "family_name": "Quist", "nickname": "dara.quist",
                    "groups": ["Engineering", "On-Call"], "department": "R&D",
                    "last_login": "2026-08-30T06:55:41.002Z", "last_ip": "2001:db8:12::7", "logins_count": 311,
                }),
            ),
            "came by SAML: email_verified is the text \"true\", the address has capitals, extra attributes",
        ),
        (
            maker.user(
                connection::SAML,
                json!({
                    "email": "elif.demir@example.org", "email_verified": "elif.demir@example.org",
                    "name": "Elif Demir", "nickname": "elif.demir",
                    "last_login": "2026-09-02T17:03:20.900Z", "last_ip": "198.51.100.8", "logins_count": 9,
                }),
            ),
            "came by SAML with a wrong mapping: email_verified is an e-mail address",
        ),
        (
            maker.user_with_id(
                "github|4000001",
                connection::GITHUB,
                json!(4_000_001),
                json!({
                    "email": "finn.moreau@example.com", "email_verified": true, "name": "Finn Moreau",
                    "nickname": "finnm", "company": null, "public_repos": 42, "site_admin": false,
                    "html_url": "https://code.example.com/finnm",
                    "last_login": "2026-09-14T21:40:10.120Z", "last_ip": "198.51.100.77", "logins_count": 128,
                }),
            ),
            "came by GitHub: the identity's user_id is a number",
        ),
        (
            maker.user(
                connection::LINKEDIN,
                json!({
                    "email": "gala.ferrer@example.com", "email_verified": true, "name": "Gala 🦊 Ferrer",
                    "given_name": "Gala 🦊", "family_name": "Ferrer", "nickname": "gala",
                    "headline": "Cartographer", "location": {"country": {"code": "es"}, "name": "Valencia Area"},
                    "positions": {"_total": 1, "values": [{"company": {"name": "Atlas & Sons"}, "isCurrent": true}]},
                    "last_login": "2026-07-01T12:00:00.000Z", "last_ip": "192.0.2.19", "logins_count": 3,
                }),
            ),
            "came by LinkedIn: nested attributes, an emoji in the name",
        ),
        (
            maker.user(
                connection::SMS,
                json!({
                    "phone_number": "+15550100007", "phone_verified": "true", "name": "+15550100007",
                    "nickname": "",
                    "last_login": "2026-09-20T04:18:33.410Z", "last_ip": "203.0.113.9", "logins_count": 6,
                }),
            ),
            "logs in by text message: no e-mail address, phone_verified is a text",
        ),
        (
            maker.user(
                connection::EMAIL,
                json!({
                    "email": "hana.lind@example.org", "email_verified": false, "name": "hana.lind@example.org",
                    "nickname": "hana.lind",
                }),
            ),
            "asked for a login link and never opened it: unverified",
        ),
        (
            maker.user(
                connection::DATABASE,
                json!({
                    "email": "ivo.santos@example.com", "email_verified": false, "name": "Ivo Santos",
                    "nickname": "ivo", "created_at": "", "updated_at": {}, "last_login": "",
                    "last_ip": "", "logins_count": 0, "blocked": false,
                    "app_metadata": {}, "user_metadata": {},
                }),
            ),
            "was imported badly: dates that are no dates, empty metadata",
        ),
        (
            maker.user(
                connection::ENTRA,
                json!({
                    "email": "june.okoro@example.com", "email_verified": true, "name": "June Okoro",
                    "given_name": "June", "family_name": "Okoro", "nickname": "june.okoro",
                    "upn": "june.okoro@example.com", "groups": [], "job_title": "Controller",
                    "last_login": "2026-09-21T08:01:59.044Z", "last_ip": "192.0.2.200", "logins_count": 902,
                }),
            ),
            "is a member of two organizations",
        ),
        (
            maker.user(
                connection::GOOGLE,
                json!({
                    "email": "ada.brandt@example.com", "email_verified": true, "name": "Ada Brandt",
                    "given_name": "Ada", "family_name": "Brandt", "nickname": "ada.brandt", "locale": "de",
                    "last_login": "2026-02-11T10:20:30.400Z", "last_ip": "192.0.2.14", "logins_count": 1,
                }),
            ),
            "has the address of Ada Brandt in a second account",
        ),
    ];
    people[3].0.organizations = vec![organization(0)];
    people[10].0.organizations = vec![organization(1), organization(2)];
    people
}

fn ada(maker: &mut Maker, fixtures: &Fixtures) -> User {
    let mut user = maker.user(
        connection::DATABASE,
        json!({
            "email": "ada.brandt@example.com", "email_verified": true, "username": "ada",
            "phone_number": "+15550100001", "phone_verified": true,
            "name": "Ada Brandt", "given_name": "Ada", "family_name": "Brandt", "nickname": "ada",
            "blocked": false, "multifactor": ["guardian"],
            "multifactor_last_modified": "2026-01-20T10:00:00.000Z",
            "last_password_reset": "2026-04-02T15:30:00.000Z",
            "last_login": "2026-09-22T07:45:12.345Z", "last_ip": "2001:db8::1", "logins_count": 1_234,
            "app_metadata": {
                "plan": "enterprise", "seats": 25, "beta": true,
                "roles": ["admin", "auditor"],
                "billing": {"customer": "cus_0001", "address": {"city": "Lisbon", "lines": ["Rua Um 1", "2 Esq."]}},
                "limits": {"daily": 1e6, "ratio": 0.25, "none": null},
            },
            "user_metadata": {
                "theme": "dark", "locale": "pt-PT",
                "addresses": [{"city": "Lisbon", "primary": true}, {"city": "Porto", "primary": false}],
            },
        }),
    );
    let mut google = identity(connection::GOOGLE, "100000000000000000001");
    google["profileData"] = json!({
        "email": "ada.brandt@example.org", "email_verified": true, "name": "Ada Brandt",
        "given_name": "Ada", "family_name": "Brandt", "locale": "en",
        "picture": "https://cdn.example.com/avatars/ada.png",
    });
    if let Some(Value::Array(identities)) = user.profile.get_mut("identities") {
        identities.push(google);
    }
    let mut rng = rng(maker.seed, Stream::Users, u64::MAX);
    user.idp_tokens = vec![(
        1,
        object(json!({
            "access_token": alphanumeric(&mut rng, 40),
            "refresh_token": alphanumeric(&mut rng, 40),
            "expires_in": 3599,
        })),
    )];
    user.organizations = vec![fixtures.organization_ids[0].clone(), fixtures.organization_ids[3].clone()];
    user
}

/// Gives the people by hand what every user has.
struct Maker {
    seed: u64,
    made: u64,
}

impl Maker {
    fn user(&mut self, connection: usize, attributes: Value) -> User {
        let mut rng = rng(self.seed, Stream::Users, self.made);
        let (user_id, identity_id) = super::population::ids(connection, &mut rng, self.made);
        self.user_with_id(&user_id, connection, identity_id, attributes)
    }

    fn user_with_id(&mut self, user_id: &str, connection: usize, identity_id: Value, attributes: Value) -> User {
        let mut rng = rng(self.seed, Stream::Users, self.made);
        self.made += 1;
        let mut profile = object(json!({
            "user_id": user_id,
            "picture": format!("https://cdn.example.com/avatars/{}.png", hex(&mut rng, 12)),
            "created_at": format!("2025-06-{:02}T08:30:00.000Z", self.made),
            "updated_at": format!("2026-09-{:02}T11:59:59.999Z", self.made),
            "identities": [identity(connection, identity_id)],
        }));
        profile.extend(object(attributes));
        User { profile, organizations: Vec::new(), connection, idp_tokens: Vec::new() }
    }
}
