//! The operations that are asked, and their arguments.

use std::time::Duration;

use serde_json::{Value, json};

use crate::tenant::{Record, Tenant};

/// The number of values that the arguments take in turn, where they do.
pub(crate) const ARGUMENTS: usize = 200;

/// A load and the operation that it is made of.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) roots: &'static [Root],
    /// Every operation is the same one, which flatters whoever shares answers. Else arguments rotate.
    pub(crate) is_identical: bool,
    pub(crate) connections: usize,
    /// The time that the upstream takes to answer.
    pub(crate) latency: Duration,
    /// The most that an operation is to cost the gateway, in microseconds of CPU, if anything is asked.
    pub(crate) budget: Option<f64>,
}

/// A root field of the operation.
pub(crate) enum Root {
    Users {
        per_page: usize,
        fields: &'static [Field],
    },
    Logs {
        take: usize,
        fields: &'static [Field],
    },
    /// A user with all that there is about them.
    Page,
}

/// A field that is selected.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    /// The key of its value in Auth0's record.
    pub(crate) key: &'static str,
    pub(crate) of: Of,
}

/// The kind of a field's value.
pub(crate) enum Of {
    /// A value that is given out as it is.
    Value,
    /// A list of objects.
    List(&'static [Field]),
    /// The user whose id the value is.
    User(&'static [Field]),
}

const fn value(name: &'static str, key: &'static str) -> Field {
    Field { name, key, of: Of::Value }
}

const FIVE_OF_USER: &[Field] = &[
    value("userId", "user_id"),
    value("email", "email"),
    value("name", "name"),
    value("createdAt", "created_at"),
    value("lastLogin", "last_login"),
];

const IDENTITY: &[Field] = &[
    value("connection", "connection"),
    value("provider", "provider"),
    value("userId", "user_id"),
    value("isSocial", "isSocial"),
    value("profileData", "profileData"),
];

/// All but `attributes`, which is there for what is no field.
const ALL_OF_USER: &[Field] = &[
    value("userId", "user_id"),
    value("email", "email"),
    value("emailVerified", "email_verified"),
    value("username", "username"),
    value("phoneNumber", "phone_number"),
    value("phoneVerified", "phone_verified"),
    value("name", "name"),
    value("nickname", "nickname"),
    value("givenName", "given_name"),
    value("familyName", "family_name"),
    value("picture", "picture"),
    value("blocked", "blocked"),
    value("createdAt", "created_at"),
    value("updatedAt", "updated_at"),
    value("lastLogin", "last_login"),
    value("lastIp", "last_ip"),
    value("loginsCount", "logins_count"),
    value("lastPasswordReset", "last_password_reset"),
    value("multifactor", "multifactor"),
    value("multifactorLastModified", "multifactor_last_modified"),
    value("appMetadata", "app_metadata"),
    value("userMetadata", "user_metadata"),
    Field { name: "identities", key: "identities", of: Of::List(IDENTITY) },
    value("blockedFor", "blocked_for"),
    value("guardianAuthenticators", "guardian_authenticators"),
    value("tenant", "tenant"),
];

macro_rules! fifteen_of_log {
    ($($more:expr),*) => {
        &[
            value("logId", "log_id"),
            value("date", "date"),
            value("type", "type"),
            value("description", "description"),
            value("connection", "connection"),
            value("connectionId", "connection_id"),
            value("clientId", "client_id"),
            value("clientName", "client_name"),
            value("ip", "ip"),
            value("hostname", "hostname"),
            value("userId", "user_id"),
            value("userName", "user_name"),
            value("strategy", "strategy"),
            value("strategyType", "strategy_type"),
            value("isMobile", "isMobile"),
            $($more),*
        ]
    };
}

const LOG: &[Field] = fifteen_of_log!();
const LOG_AND_DETAILS: &[Field] = fifteen_of_log!(value("details", "details"));
const LOG_AND_USER: &[Field] = &[
    value("logId", "log_id"),
    value("date", "date"),
    value("type", "type"),
    value("description", "description"),
    Field { name: "user", key: "user_id", of: Of::User(&[value("name", "name"), value("email", "email")]) },
];

/// The fields on the page of a user.
const PAGE: &str = "user(id: $id) {
    userId email emailVerified name picture createdAt lastLogin loginsCount blocked appMetadata userMetadata
    identities { connection provider userId isSocial }
    logs(perPage: 10) { nodes { logId date type typeDescription ip clientName } }
    roles { nodes { id name description } }
    permissions { nodes { name resourceServerName } }
    organizations { nodes { id name displayName } }
    authenticationMethods { nodes { id type createdAt } }
    enrollments { nodes { id status type } }
    sessions { nodes { id createdAt lastInteractedAt device { lastIp lastUserAgent } } }
    refreshTokens { nodes { id clientId rotating } }
    blocks { nodes { identifier ip } }
}";

/// The lists on it: the fields, and where Auth0 has them.
pub(crate) const LISTS: [(&str, &str); 9] = [
    ("logs", "users/ID/logs?per_page=10"),
    ("roles", "users/ID/roles"),
    ("permissions", "users/ID/permissions"),
    ("organizations", "users/ID/organizations"),
    ("authenticationMethods", "users/ID/authentication-methods"),
    ("enrollments", "users/ID/enrollments"),
    ("sessions", "users/ID/sessions"),
    ("refreshTokens", "users/ID/refresh-tokens"),
    ("blocks", "user-blocks/ID"),
];

const S1: &[Root] = &[Root::Users { per_page: 10, fields: FIVE_OF_USER }];

const fn scenario(name: &'static str, about: &'static str, roots: &'static [Root]) -> Scenario {
    Scenario { name, about, roots, is_identical: false, connections: 64, latency: Duration::ZERO, budget: None }
}

impl Scenario {
    const fn identical(self) -> Self {
        Self { is_identical: true, ..self }
    }

    const fn connections(self, connections: usize) -> Self {
        Self { connections, ..self }
    }

    const fn latency(self, milliseconds: u64) -> Self {
        Self { latency: Duration::from_millis(milliseconds), ..self }
    }

    const fn budget(self, microseconds: f64) -> Self {
        Self { budget: Some(microseconds), ..self }
    }
}

/// Every scenario that can be named.
pub(crate) const ALL: &[Scenario] = &[
    scenario("S1", "10 users, 5 fields", S1).budget(36.0),
    scenario("S1=", "the same, every operation identical", S1).identical(),
    scenario("S2", "100 users, every field", &[Root::Users { per_page: 100, fields: ALL_OF_USER }]).budget(200.0),
    scenario("S3", "100 logs, 15 fields and details", &[Root::Logs { take: 100, fields: LOG_AND_DETAILS }])
        .budget(130.0),
    scenario(
        "S4",
        "25 users and 25 logs in one operation",
        &[Root::Users { per_page: 25, fields: FIVE_OF_USER }, Root::Logs { take: 25, fields: LOG }],
    )
    .budget(75.0),
    scenario("S5", "100 logs, each with its user", &[Root::Logs { take: 100, fields: LOG_AND_USER }]).budget(150.0),
    scenario("S6", "S1 from 1,000 connections, upstream at 50 ms", S1).connections(1000).latency(50),
    scenario("S6=", "the same, every operation identical", S1).identical().connections(1000).latency(50).budget(45.0),
    scenario("W1", "1 user's whole page: all their lists", &[Root::Page]),
    scenario("L1", "S1 from one connection", S1).connections(1),
    scenario("L20", "S1 from one connection, upstream at 20 ms", S1).connections(1).latency(20),
    scenario("U1", "1 user, every field", &[Root::Users { per_page: 1, fields: ALL_OF_USER }]),
    scenario("U10", "10 users, every field", &[Root::Users { per_page: 10, fields: ALL_OF_USER }]),
    scenario("C1", "S1 from 1 connection", S1).connections(1),
    scenario("C16", "S1 from 16 connections", S1).connections(16),
    scenario("C1000", "S1 from 1,000 connections", S1).connections(1000),
];

/// The scenarios that are run unless others are named.
pub(crate) const USUAL: &[&str] = &["S1", "S1=", "S2", "S3", "S4", "S5", "S6", "S6=", "L1", "L20"];

/// The scenarios that show how cost grows: with the size of a page, and with the number of connections.
pub(crate) const GROWTH: &[&str] = &["U1", "U10", "S2", "C1", "C16", "S1", "C1000"];

/// The form in which a server writes its lists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lists {
    /// Objects with `nodes`.
    Pages,
    /// Lists as they are.
    Bare,
}

impl Scenario {
    /// True if logs are joined with their users.
    pub(crate) fn joins(&self) -> bool {
        let joins = |root: &Root| root.fields().iter().any(|field| matches!(field.of, Of::User(_)));
        self.roots.iter().any(joins)
    }

    /// True if it is the page of a user.
    pub(crate) fn is_page(&self) -> bool {
        matches!(self.roots, [Root::Page])
    }

    /// The one root field, if there is one only.
    pub(crate) fn only_root(&self) -> Option<&'static Root> {
        match self.roots {
            [only] => Some(only),
            _ => None,
        }
    }

    /// The number of different operations.
    pub(crate) fn arguments(&self) -> usize {
        if self.is_identical { 1 } else { ARGUMENTS }
    }

    /// The body of the GraphQL request with the argument of that number.
    pub(crate) fn request(&self, lists: Lists, tenant: &Tenant, argument: usize) -> Value {
        let mut variables = serde_json::Map::new();
        let mut declared = Vec::new();
        let mut fields = Vec::new();
        for root in self.roots {
            let (variable, ty, value) = root.argument(tenant, argument);
            declared.push(format!("${variable}: {ty}"));
            variables.insert(variable.to_owned(), value.into());
            fields.push(root.document(lists));
        }
        let document = format!("query Load({}) {{ {} }}", declared.join(", "), fields.join(" "));
        json!({ "query": document, "variables": variables })
    }
}

impl Root {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Users { .. } => "users",
            Self::Logs { .. } => "logs",
            Self::Page => "user",
        }
    }

    pub(crate) fn fields(&self) -> &'static [Field] {
        match self {
            Self::Users { fields, .. } | Self::Logs { fields, .. } => fields,
            Self::Page => &[],
        }
    }

    /// The keys that are asked of Auth0; all where everything is wanted, and where Auth0 takes no list of them.
    pub(crate) fn keys(&self) -> Option<Vec<&'static str>> {
        match self {
            Self::Users { fields, .. } if fields.len() < ALL_OF_USER.len() => {
                Some(fields.iter().map(|field| field.key).collect())
            }
            Self::Users { .. } | Self::Logs { .. } | Self::Page => None,
        }
    }

    /// Name, type and value of the variable.
    fn argument(&self, tenant: &Tenant, argument: usize) -> (&'static str, &'static str, String) {
        match self {
            // What the number says to Auth0 is no matter: to the stand-in it says where the page begins.
            Self::Users { .. } => ("q", "String", format!("logins_count:[{argument} TO *]")),
            Self::Logs { .. } => ("from", "ID", tenant.log_before(logs_argument(argument)).to_owned()),
            Self::Page => ("id", "ID!", tenant.id_of_page(argument).to_owned()),
        }
    }

    fn document(&self, lists: Lists) -> String {
        let arguments = match self {
            Self::Users { per_page, .. } => format!("q: $q, perPage: {per_page}"),
            Self::Logs { take, .. } => format!("from: $from, take: {take}"),
            Self::Page => return PAGE.to_owned(),
        };
        let selection = selection(self.fields());
        let name = self.name();
        match lists {
            Lists::Pages => format!("{name}({arguments}) {{ nodes {selection} }}"),
            Lists::Bare => format!("{name}({arguments}) {selection}"),
        }
    }

    /// The question of a client without GraphQL to Auth0: the path and query of the same records.
    pub(crate) fn target(&self, tenant: &Tenant, argument: usize) -> String {
        let (_, _, value) = self.argument(tenant, argument);
        match self {
            Self::Users { per_page, .. } => {
                let q: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
                let mut target = format!("/api/v2/users?q={q}&search_engine=v3&page=0&per_page={per_page}");
                if let Some(keys) = self.keys() {
                    target.push_str(&format!("&fields={}&include_fields=true", keys.join(",")));
                }
                target
            }
            Self::Logs { take, .. } => format!("/api/v2/logs?from={value}&take={take}"),
            Self::Page => format!("/api/v2/users/{value}"),
        }
    }

    /// The records that the root field gives out.
    pub(crate) fn records<'t>(&self, tenant: &'t Tenant, argument: usize) -> Vec<&'t Record> {
        match self {
            Self::Users { per_page, .. } => tenant.users_of(argument, *per_page),
            Self::Logs { take, .. } => tenant.logs_after(tenant.log_before(logs_argument(argument)), *take),
            Self::Page => tenant.user(tenant.id_of_page(argument)).into_iter().collect(),
        }
    }
}

/// Another order of the arguments, so that operations with the same users never come with logs that are near each other.
fn logs_argument(argument: usize) -> usize {
    (argument * 73 + 17) % ARGUMENTS
}

fn selection(fields: &[Field]) -> String {
    let fields: Vec<_> = fields
        .iter()
        .map(|field| match field.of {
            Of::Value => field.name.to_owned(),
            Of::List(fields) | Of::User(fields) => format!("{} {}", field.name, selection(fields)),
        })
        .collect();
    format!("{{ {} }}", fields.join(" "))
}
