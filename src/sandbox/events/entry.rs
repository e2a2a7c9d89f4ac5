//! A log as the API writes it: a fixed set of keys, null where they do not apply, as recorded
//! since 2023; and the keys that only some logs have.

use serde_json::{Map, Value, json};

use super::Event;
use super::kind::Shape;
use super::oddity::Oddity;
use crate::sandbox::people::object;

/// Parsed and raw user agents.
pub(in crate::sandbox) const BROWSERS: [(&str, &str); 4] = [
    ("Chrome 139.0.0 / Mac OS X 10.15.7", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/139.0.0.0"),
    ("Firefox 142.0.0 / Windows 10.0.0", "Mozilla/5.0 (Windows NT 10.0; rv:142.0) Firefox/142.0"),
    ("Mobile Safari 18.5.0 / iOS 18.5.0", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5) Version/18.5 Mobile Safari"),
    ("Other 0.0.0 / Other 0.0.0", "okhttp/4.12.0"),
];

/// A call of the Management API.
pub(super) struct ApiCall {
    pub(super) description: &'static str,
    method: &'static str,
    path: &'static str,
    status: u16,
}

static API_CALLS: [ApiCall; 4] = [
    ApiCall { description: "Create a User", method: "post", path: "/api/v2/users", status: 201 },
    ApiCall { description: "Update a User", method: "patch", path: "/api/v2/users/{id}", status: 200 },
    ApiCall { description: "Assign roles to a user", method: "post", path: "/api/v2/users/{id}/roles", status: 204 },
    ApiCall { description: "Get users", method: "get", path: "/api/v2/users", status: 200 },
];

pub(super) fn api_call(roll: u64) -> &'static ApiCall {
    &API_CALLS[(roll >> 8) as usize % API_CALLS.len()]
}

/// The keys that are always there and hold what log search sees.
const TEXTS: [&str; 16] = [
    "_id",
    "log_id",
    "date",
    "type",
    "description",
    "connection",
    "connection_id",
    "organization_id",
    "organization_name",
    "client_id",
    "client_name",
    "ip",
    "hostname",
    "user_id",
    "user_name",
    "user_agent",
];

impl Event<'_> {
    /// The log as JSON.
    pub(crate) fn entry(&self) -> Map<String, Value> {
        let mut entry = Map::new();
        for key in TEXTS.into_iter().chain(["strategy", "strategy_type"]) {
            entry.insert(key.into(), self.text(key).map_or(Value::Null, |text| text.into_owned().into()));
        }
        entry.insert("audience".into(), self.audience().into());
        entry.insert("isMobile".into(), self.user_agent().contains("Mobile").into());
        entry.insert("details".into(), self.details());
        entry.insert("location_info".into(), self.location());
        if let Some(scope) = self.scope() {
            entry.insert("scope".into(), scope);
        }
        self.sometimes(&mut entry);
        entry
    }

    fn audience(&self) -> Option<&'static str> {
        match self.kind.shape {
            Shape::Machine => Some("https://api.example.com/"),
            Shape::Exchange => Some("https://storefront.example.com/api"),
            _ => None,
        }
    }

    fn scope(&self) -> Option<Value> {
        match (self.oddity, self.kind.shape) {
            (Oddity::ScopeArray, _) => Some(json!(["openid", "profile", "email"])),
            (_, Shape::Exchange) => Some("openid profile email offline_access".into()),
            (_, Shape::Machine) => Some("read:orders write:orders".into()),
            // Recorded both ways: absent, and null.
            (_, Shape::Login) if self.roll.is_multiple_of(2) => Some(Value::Null),
            _ => None,
        }
    }

    fn location(&self) -> Value {
        match self.kind.shape {
            _ if self.oddity == Oddity::EmptyLocation => json!({}),
            Shape::Login | Shape::FailedLogin | Shape::Signup => [
                json!({
                    "country_code": "PT", "country_code3": "PRT", "country_name": "Portugal",
                    "city_name": "Lisbon", "latitude": 38.7219, "longitude": -9.1398,
                    "time_zone": "Europe/Lisbon", "continent_code": "EU",
                }),
                json!({
                    "country_code": "JP", "country_code3": "JPN", "country_name": "Japan",
                    "city_name": "Osaka", "latitude": 34.6937, "longitude": 135.5022,
                    "time_zone": "Asia/Tokyo", "continent_code": "AS",
                }),
                json!({"country_code": "CA", "country_name": "Canada", "continent_code": "NA"}),
                Value::Null,
            ][(self.roll >> 16) as usize % 4]
                .clone(),
            _ => Value::Null,
        }
    }

    fn details(&self) -> Value {
        if self.oddity == Oddity::NoDetails {
            return Value::Null;
        }
        let name = self.user_name().unwrap_or_default();
        match self.kind.shape {
            Shape::Machine if self.kind.code.starts_with('s') => Value::Null,
            Shape::Machine => {
                json!({"error": {"message": "Unauthorized", "oauthError": "access_denied", "type": "oauth-authorization"}})
            }
            Shape::Login => json!({
                "prompts": [{
                    "name": "login", "completedAt": self.date, "elapsedTime": null,
                    "identity": if self.roll.is_multiple_of(3) { json!(4_000_001) } else { json!("sandbox") },
                }],
                "initiatedAt": self.date - 4_000, "completedAt": self.date, "elapsedTime": 4_000,
                "session_id": format!("sandbox-session-{}", self.position),
                "stats": {"loginsCount": self.roll % 400},
            }),
            Shape::FailedLogin if self.oddity == Oddity::ErrorObject => json!({
                "error": {"message": "Access denied.", "reason": {"rule": "only-verified", "code": 403}},
                "stats": [{"loginsCount": 3}],
            }),
            Shape::FailedLogin => json!({"error": self.kind.description, "xhr": true}),
            Shape::Signup => json!({
                "body": {
                    "client_id": self.text("client_id"), "connection": self.text("connection"),
                    "email": name, "password": "*****", "tenant": "sandbox",
                },
            }),
            Shape::Exchange if self.kind.code.starts_with('f') => {
                json!({"code": "*************ndb", "error": self.kind.description})
            }
            Shape::Exchange => {
                json!({"code": "*************xQ9", "familyId": self.roll.to_string()})
            }
            Shape::Api => {
                let call = api_call(self.roll);
                json!({
                    "request": {
                        "method": call.method, "path": call.path.replace("{id}", "auth0%7Csandbox"), "query": {},
                        "body": if call.method == "get" { Value::Null } else { json!({"name": "Sandbox"}) },
                        "channel": "api", "ip": self.ip(), "userAgent": "importer/2.4.0",
                        "auth": {"user": {}, "strategy": "jwt", "credentials": {"scopes": ["create:users", "read:users"]}},
                    },
                    "response": {"statusCode": call.status, "body": {}},
                })
            }
            Shape::Factor => {
                json!({"authenticator": "guardian", "stage": self.kind.code, "response": "ok"})
            }
            Shape::Message if self.kind.code == "fn" => json!({
                "email_type": "welcome_email", "to": name, "error": "the domain is blocked",
            }),
            Shape::Message => {
                json!({"title": self.kind.description, "body": {"to": name, "tenant": "sandbox"}})
            }
            Shape::Tenant if self.kind.code.starts_with("api_limit") => {
                json!({"limit": {"bucket": "management", "global": true, "size": 50}})
            }
            Shape::Tenant => json!({}),
        }
    }

    /// Keys that are there on some logs only.
    fn sometimes(&self, entry: &mut Map<String, Value>) {
        if self.oddity == Oddity::ClientIdArray {
            entry.insert("client_id".into(), json!([self.text("client_id"), "not-a-client"]));
        }
        let sdk = json!({"name": "auth0-spa-js", "version": "2.1.3", "env": {"node": "22.1.0"}});
        if self.oddity == Oddity::Auth0ClientArray {
            entry.insert("auth0_client".into(), json!([sdk, {"name": "second"}]));
        } else if matches!(self.kind.shape, Shape::Login | Shape::Exchange) && self.roll % 4 < 3 {
            entry.insert("auth0_client".into(), sdk);
        }
        if self.kind.shape == Shape::FailedLogin && self.roll.is_multiple_of(5) {
            entry.insert("client_ip".into(), self.ip().into());
        }
        if self.kind.shape == Shape::Login && self.roll.is_multiple_of(3) {
            entry.insert("security_context".into(), json!({"ja3": "sandbox-ja3", "ja4": "sandbox-ja4"}));
        }
        if self.kind.shape == Shape::Api {
            entry.insert("references".into(), json!({"correlation_id": format!("sandbox-{}", self.position)}));
        }
        if self.kind.code == "w" {
            entry.insert("tracking_id".into(), format!("sandbox-{}", self.position).into());
        }
        if self.oddity == Oddity::StreamKeys {
            entry.extend(object(json!({
                "tenant_name": "sandbox", "environment_name": "prod-sandbox",
                "$event_schema": {"version": "1.0.0"}, "is_mobile": false,
                "identity_user_id": 4_000_001, "body": {"note": "as in log streams"},
            })));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;

    fn entries() -> Vec<serde_json::Map<String, serde_json::Value>> {
        let events = Events::new(7, 1_790_000_000_000, 1_000, Some(3_000), People::of(7, 2_500, 0));
        (0..1_000).map(|position| events.at(position).entry()).collect()
    }

    #[test]
    fn every_log_has_the_fixed_keys() {
        for entry in entries() {
            for key in [
                "_id",
                "log_id",
                "date",
                "type",
                "description",
                "connection",
                "connection_id",
                "organization_id",
                "organization_name",
                "client_id",
                "client_name",
                "ip",
                "hostname",
                "details",
                "user_id",
                "user_name",
                "user_agent",
                "audience",
                "strategy",
                "strategy_type",
                "isMobile",
                "location_info",
            ] {
                assert!(entry.contains_key(key), "{key} of {entry:?}");
            }
            assert_eq!(entry["_id"], entry["log_id"]);
        }
    }

    #[test]
    fn the_oddities_are_where_they_are_said_to_be() {
        let entries = entries();
        assert_eq!(entries[17]["type"], "sx_lighthouse_lit");
        assert!(entries[19]["client_id"].is_array());
        assert!(entries[23]["scope"].is_array());
        assert!(entries[29]["auth0_client"].is_array());
        assert!(entries[31]["details"]["error"].is_object());
        assert_eq!(entries[37]["user_id"], "");
        assert_eq!(entries[41]["location_info"], serde_json::json!({}));
        assert_eq!(entries[43]["tenant_name"], "sandbox");
        assert!(entries[47]["details"].is_null());
        assert!(entries[53]["description"].is_null());
    }

    #[test]
    fn scope_is_a_text_null_and_absent() {
        let entries = entries();
        let some =
            |test: &dyn Fn(Option<&serde_json::Value>) -> bool| entries.iter().any(|entry| test(entry.get("scope")));
        assert!(some(&|scope| scope.is_some_and(serde_json::Value::is_string)));
        assert!(some(&|scope| scope.is_some_and(serde_json::Value::is_null)));
        assert!(some(&|scope| scope.is_none()));
    }
}
