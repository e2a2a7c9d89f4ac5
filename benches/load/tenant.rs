//! The records that everything is measured with: the sandbox's users and logs, read once.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use auth0_graphql::sandbox::{Clock, Options, Plan, Sandbox};
use chrono::DateTime;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::scenario::{ARGUMENTS, LISTS};

/// A record of Auth0's: its values as they stand on the wire.
pub(crate) type Record = BTreeMap<String, Box<RawValue>>;

/// Search reaches this many records, in pages of [`PAGE`].
const REACH: usize = 1_000;
const PAGE: usize = 100;

/// The number of users that the logs are of.
const AWAKE: usize = 45;

/// The number of users whose pages are asked for.
const PAGES: usize = 40;

/// The number of records between the beginnings of two arguments' pages.
const STEP: usize = 4;

/// A tenant's users and logs, in Auth0's order.
pub(crate) struct Tenant {
    users: Vec<Record>,
    logs: Vec<Record>,
    user_places: HashMap<String, usize>,
    log_places: HashMap<String, usize>,
    /// The lists of the users whose pages are asked for, by their paths.
    lists: HashMap<String, String>,
}

#[derive(Deserialize)]
struct Grant {
    access_token: String,
}

impl Tenant {
    /// Reads the tenant of the sandbox's usual seed.
    ///
    /// Records in which a value has another form than Auth0 documents are left out: the gateway takes them in, but the
    /// servers beside it would answer with errors, and they are to do the same work.
    pub(crate) async fn read() -> Result<Self> {
        // A clock that stands still, so that every run has the same logs.
        let now = DateTime::from_timestamp(1_790_000_000, 0).context("no such time")?;
        let options = Options { clock: Clock::manual(now), plan: Plan::PrivateCloud, ..Options::default() };
        let sandbox = Sandbox::start(options, TcpListener::bind(("127.0.0.1", 0)).await?).await?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        let credentials = sandbox.client();
        let grant: Grant = client
            .post(format!("{}/oauth/token", sandbox.url()))
            .json(&json!({
                "grant_type": "client_credentials",
                "client_id": credentials.id,
                "client_secret": credentials.secret.expose_secret(),
                "audience": sandbox.audience(),
            }))
            .send()
            .await?
            .json()
            .await?;
        let read = async |query: &str| -> Result<Vec<Record>> {
            let mut records = Vec::new();
            for page in 0..REACH / PAGE {
                let url = format!("{}/api/v2/{query}&page={page}&per_page={PAGE}", sandbox.url());
                let response = client.get(url).bearer_auth(&grant.access_token).send().await?;
                records.extend(response.error_for_status()?.json::<Vec<Record>>().await?);
            }
            Ok(records)
        };
        let mut users = read("users?search_engine=v3").await?;
        let mut logs = read("logs?sort=date:1").await?;
        users.retain(is_documented_user);
        logs.retain(is_documented_log);
        ensure!(users.len() > ARGUMENTS && logs.len() > ARGUMENTS * STEP + PAGE, "the sandbox has too few records");
        let mut lists = HashMap::new();
        for id in users.iter().take(PAGES).filter_map(|user| text(user, "user_id")) {
            let encoded: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
            for (_, path) in LISTS {
                let url = format!("{}/api/v2/{}", sandbox.url(), path.replace("ID", &encoded));
                let response = client.get(url).bearer_auth(&grant.access_token).send().await?.error_for_status()?;
                lists.insert(list_path(path, id), response.text().await?);
            }
        }
        logs.sort_by_key(|log| text(log, "log_id").map(str::to_owned));
        name_present_users(&mut logs, &users)?;
        users.iter_mut().enumerate().try_for_each(|(number, user)| grow_user(number, user))?;
        logs.iter_mut().enumerate().try_for_each(|(number, log)| grow_log(number, log))?;
        Self::new(users, logs, lists)
    }

    fn new(users: Vec<Record>, logs: Vec<Record>, lists: HashMap<String, String>) -> Result<Self> {
        let places = |records: &[Record], key: &str| {
            let place = |(place, record)| Some((text(record, key)?.to_owned(), place));
            records.iter().enumerate().map(place).collect::<Option<HashMap<_, _>>>().context("a record has no id")
        };
        let (user_places, log_places) = (places(&users, "user_id")?, places(&logs, "log_id")?);
        Ok(Self { user_places, log_places, users, logs, lists })
    }

    /// The users that a search of that number finds.
    pub(crate) fn users_of(&self, number: usize, count: usize) -> Vec<&Record> {
        self.users.iter().cycle().skip(number * STEP % self.users.len()).take(count.min(self.users.len())).collect()
    }

    pub(crate) fn user(&self, id: &str) -> Option<&Record> {
        self.user_places.get(id).map(|place| &self.users[*place])
    }

    /// The id of the user whose page that argument asks for.
    pub(crate) fn id_of_page(&self, argument: usize) -> &str {
        text(&self.users[argument % PAGES], "user_id").unwrap_or_default()
    }

    /// A list of a user, as Auth0 answers.
    pub(crate) fn list(&self, path: &str, id: &str) -> Option<&str> {
        self.list_at(&list_path(path, id))
    }

    /// The same by its path.
    pub(crate) fn list_at(&self, path: &str) -> Option<&str> {
        self.lists.get(path).map(String::as_str)
    }

    /// The id of the log after which the logs of that argument begin.
    pub(crate) fn log_before(&self, argument: usize) -> &str {
        text(&self.logs[argument * STEP], "log_id").unwrap_or_default()
    }

    pub(crate) fn logs_after(&self, id: &str, count: usize) -> Vec<&Record> {
        let first = self.log_places.get(id).map_or(self.logs.len(), |place| place + 1);
        self.logs.iter().skip(first).take(count).collect()
    }
}

/// Has logs name users who are there: some of the sandbox's were left out, or are beyond the reach of search. Of a hundred logs
/// some forty are distinct then.
fn name_present_users(logs: &mut [Record], users: &[Record]) -> Result<()> {
    let mut awake = users.iter().filter_map(|user| text(user, "user_id")).take(AWAKE).cycle();
    let mut names = HashMap::new();
    for log in logs {
        let Some(id) = text(log, "user_id").filter(|id| id.contains('|')) else { continue };
        let name = match names.get(id) {
            Some(name) => name,
            None => names.entry(id.to_owned()).or_insert(awake.next().context("there are no users")?),
        };
        let name = serde_json::value::to_raw_value(name)?;
        log.insert("user_id".to_owned(), name);
    }
    Ok(())
}

/// Adds what real profiles have and invented ones lack, up to some 1.2 kB: metadata in several levels, texts with escapes
/// and emoji, up to five identities.
fn grow_user(number: usize, user: &mut Record) -> Result<()> {
    let mut identities: Vec<Value> =
        user.get("identities").map_or(Ok(Vec::new()), |raw| serde_json::from_str(raw.get()))?;
    for linked in identities.len()..=number % 5 {
        let (connection, provider) =
            [("google-oauth2", "google-oauth2"), ("github", "github"), ("corp-saml", "samlp")][linked % 3];
        identities.push(json!({
            "connection": connection,
            "provider": provider,
            "user_id": format!("{:021}", number * 7_919 + linked),
            "isSocial": linked % 3 < 2,
            "profileData": {
                "email": format!("person.{number}.{linked}@example.org"),
                "email_verified": true,
                "name": format!("Pat \"{number}\" Exemple-Ångström"),
            },
        }));
    }
    let plan = ["free", "team", "enterprise"][number % 3];
    let app = json!({
        "plan": plan,
        "roles": ["viewer", "editor", "billing"],
        "billing": {
            "currency": "EUR",
            "seats": number % 90,
            "address": { "city": "Ghent", "zip": "9000", "lines": ["Veldstraat 1", "2/b"] },
        },
        "features": { "beta": number.is_multiple_of(2), "limits": { "exports": 12, "rate": 0.25 } },
    });
    let own = json!({
        "bio": format!("Cartographer 🗺️ no. {number}\nLikes \"tides\" \\ maps\t– and cafés."),
        "addresses": [{ "city": "Paris", "primary": true }, { "city": "Kraków" }],
        "newsletter": { "weekly": true, "topics": ["maps", "tides", "🌊"] },
    });
    for (key, value) in [("identities", Value::from(identities)), ("app_metadata", app), ("user_metadata", own)] {
        user.insert(key.to_owned(), serde_json::value::to_raw_value(&value)?);
    }
    Ok(())
}

/// Adds to a log what Auth0 tells of a request, up to some 1.1 kB.
fn grow_log(number: usize, log: &mut Record) -> Result<()> {
    let details: Option<Value> = log.get("details").map(|raw| serde_json::from_str(raw.get())).transpose()?;
    let Value::Object(mut details) = details.unwrap_or_default() else { return Ok(()) };
    details.entry("prompts").or_insert_with(|| {
        json!([{
            "name": "prompt-authenticate",
            "initiatedAt": 1_790_000_000_000_u64 + number as u64,
            "completedAt": 1_790_000_001_234_u64 + number as u64,
            "connection": "Username-Password-Authentication",
            "stats": { "loginsCount": number },
            "elapsedTime": null,
        }])
    });
    details
        .entry("error")
        .or_insert_with(|| json!({ "message": "No \"error\"\n– none ✅", "oauthError": "", "type": "none" }));
    log.insert("details".to_owned(), serde_json::value::to_raw_value(&details)?);
    Ok(())
}

/// The path of a user's list, without its query.
fn list_path(path: &str, id: &str) -> String {
    path.split('?').next().unwrap_or_default().replace("ID", id)
}

/// The text that stands under `key`; the sandbox's ids need no unescaping.
pub(crate) fn text<'r>(record: &'r Record, key: &str) -> Option<&'r str> {
    record.get(key)?.get().strip_prefix('"')?.strip_suffix('"')
}

fn holds(record: &Record, key: &str, form: impl Fn(&Value) -> bool) -> bool {
    record
        .get(key)
        .is_none_or(|raw| serde_json::from_str(raw.get()).is_ok_and(|value: Value| value.is_null() || form(&value)))
}

fn is_documented_user(user: &Record) -> bool {
    let has_text_id = |identity: &Value| identity["user_id"].is_string();
    ["email_verified", "phone_verified", "blocked"].iter().all(|key| holds(user, key, Value::is_boolean))
        && ["email", "username", "name", "nickname", "given_name", "family_name", "picture", "phone_number", "last_ip"]
            .iter()
            .all(|key| holds(user, key, Value::is_string))
        && ["created_at", "updated_at", "last_login", "last_password_reset", "multifactor_last_modified"]
            .iter()
            .all(|key| holds(user, key, Value::is_string))
        && user.contains_key("identities")
        && holds(user, "identities", |value| value.as_array().is_some_and(|all| all.iter().all(has_text_id)))
}

fn is_documented_log(log: &Record) -> bool {
    log.iter().all(|(key, _)| match key.as_str() {
        "isMobile" => holds(log, key, Value::is_boolean),
        "details" | "location_info" | "auth0_client" | "scope" => true,
        "security_context" | "references" => holds(log, key, Value::is_object),
        _ => holds(log, key, Value::is_string),
    })
}

/// Records as Auth0 writes them, with these keys or all.
pub(crate) fn list(records: &[&Record], fields: Option<&[&str]>) -> String {
    let records: Vec<_> = records.iter().map(|record| object(record, fields)).collect();
    format!("[{}]", records.join(","))
}

/// A record as Auth0 writes it, with these keys or all.
pub(crate) fn object(record: &Record, fields: Option<&[&str]>) -> String {
    let mut object = String::from("{");
    for (key, value) in record.iter().filter(|(key, _)| fields.is_none_or(|fields| fields.contains(&key.as_str()))) {
        let comma = if object.len() > 1 { "," } else { "" };
        // Writing to a string does not fail.
        let _ = write!(object, r#"{comma}"{key}":{value}"#);
    }
    object.push('}');
    object
}
