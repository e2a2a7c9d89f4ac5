//! Stands in for Auth0: answers the reads that the scenarios make, from memory, as fast as it can.
//!
//! An answer is made when it is first asked for and kept as the bytes that go out, so that what it costs falls on the
//! check before the measuring. Searching is not its business: the number in `q` says where the page begins.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::http;
use crate::tenant::{Tenant, list, object, text};

/// The gateway's scopes: everything that the scenarios read.
const SCOPES: &str = "read:users read:users_app_metadata read:logs read:roles read:role_members read:organizations \
                      read:authentication_methods read:sessions read:refresh_tokens";

/// A stand-in that serves until the process ends, on a thread of its own.
#[derive(Clone)]
pub(crate) struct StandIn(Arc<Shared>);

struct Shared {
    address: SocketAddr,
    tenant: Arc<Tenant>,
    token: String,
    answers: Mutex<HashMap<Box<[u8]>, Bytes>>,
    calls: AtomicU64,
    latency_ms: AtomicU64,
}

impl StandIn {
    pub(crate) fn start(tenant: Arc<Tenant>) -> Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let shared = Arc::new(Shared {
            address: listener.local_addr()?,
            tenant,
            token: format!("{:032x}{:032x}", fastrand::u128(..), fastrand::u128(..)),
            answers: Mutex::default(),
            calls: AtomicU64::new(0),
            latency_ms: AtomicU64::new(0),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let stand_in = Self(shared);
        let serving = stand_in.clone();
        thread::Builder::new().name("stand-in".to_owned()).spawn(move || runtime.block_on(serving.serve(listener)))?;
        Ok(stand_in)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// The number of reads; grants of tokens and traces do not count.
    pub(crate) fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// Holds each answer back for this time from now on.
    pub(crate) fn delay(&self, latency: Duration) {
        let milliseconds = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        self.0.latency_ms.store(milliseconds, Ordering::Relaxed);
    }

    async fn serve(self, listener: std::net::TcpListener) -> Result<()> {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (connection, _) = listener.accept().await?;
            let shared = Arc::clone(&self.0);
            tokio::spawn(async move {
                // A client that goes away ends its connection.
                let _ = shared.converse(connection).await;
            });
        }
    }
}

impl Shared {
    async fn converse(&self, mut connection: TcpStream) -> Result<()> {
        connection.set_nodelay(true)?;
        let mut buffer = Vec::with_capacity(8 * 1024);
        loop {
            let (head, length) = loop {
                if let Some(found) = http::message(&buffer)? {
                    break found;
                }
                if connection.read_buf(&mut buffer).await? == 0 {
                    return Ok(());
                }
            };
            let line = buffer[..head].split(|byte| *byte == b'\r').next().unwrap_or_default();
            let mut words = line.split(|byte| *byte == b' ');
            let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let answer = if target.ends_with(b"/v1/traces") {
                response("200 OK", "", "")
            } else if method == b"POST" {
                self.grant()
            } else {
                self.calls.fetch_add(1, Ordering::Relaxed);
                self.answer(target)
            };
            buffer.drain(..length);
            match self.latency_ms.load(Ordering::Relaxed) {
                0 => {}
                latency => sleep(Duration::from_millis(latency)).await,
            }
            connection.write_all(&answer).await?;
        }
    }

    fn grant(&self) -> Bytes {
        let body = format!(
            r#"{{"access_token":"{}","scope":"{SCOPES}","expires_in":86400,"token_type":"Bearer"}}"#,
            self.token
        );
        response("200 OK", "", &body)
    }

    fn answer(&self, target: &[u8]) -> Bytes {
        let lock = || self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = lock().get(target).cloned() {
            return answer;
        }
        let target = String::from_utf8_lossy(target).into_owned();
        let answer = self
            .make(&target)
            .unwrap_or_else(|| response("404 Not Found", "", r#"{"statusCode":404,"error":"Not Found"}"#));
        lock().insert(target.into_bytes().into(), answer.clone());
        answer
    }

    fn make(&self, target: &str) -> Option<Bytes> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let parameters: HashMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let parameter = |name: &str| parameters.get(name).map(AsRef::as_ref);
        let number =
            |name: &str, default| parameter(name).and_then(|text| text.parse::<usize>().ok()).unwrap_or(default);
        let fields: Option<Vec<&str>> = parameter("fields").map(|fields| fields.split(',').collect());
        let fields = fields.as_deref();
        let path = path.strip_prefix("/api/v2/")?;
        let decoded = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
        if let Some(list) = self.tenant.list_at(&decoded) {
            return Some(response("200 OK", "", list));
        }
        match path {
            "users" => {
                let q = parameter("q").unwrap_or_default();
                let users = match q.strip_prefix("user_id:(") {
                    // Ids stand in quotes: every other piece is one.
                    Some(ids) => ids.split('"').skip(1).step_by(2).filter_map(|id| self.tenant.user(id)).collect(),
                    None => self.tenant.users_of(first_number(q), number("per_page", 50)),
                };
                Some(response("200 OK", "", &list(&users, fields)))
            }
            "logs" => {
                let (from, take) = (parameter("from")?, number("take", 50));
                let logs = self.tenant.logs_after(from, take);
                let next = logs.last().and_then(|log| text(log, "log_id")).unwrap_or(from);
                let link = format!("link: <{}/api/v2/logs?from={next}&take={take}>; rel=\"next\"\r\n", self.url());
                // Auth0 ignores `fields` here.
                Some(response("200 OK", &link, &list(&logs, None)))
            }
            _ => {
                let id = decoded.strip_prefix("users/")?;
                Some(response("200 OK", "", &object(self.tenant.user(id)?, fields)))
            }
        }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn first_number(text: &str) -> usize {
    let digits = text.split(|character: char| !character.is_ascii_digit());
    digits.filter(|digits| !digits.is_empty()).find_map(|digits| digits.parse().ok()).unwrap_or(0)
}

/// A response with the headers that matter to a client of Auth0's: a rate limit that never ends, so that whoever paces
/// itself does its work and never waits.
fn response(status: &str, more: &str, body: &str) -> Bytes {
    format!(
        "HTTP/1.1 {status}\r\n\
         content-type: application/json; charset=utf-8\r\n\
         cache-control: no-cache\r\n\
         vary: origin,accept-encoding\r\n\
         x-ratelimit-limit: 1000000\r\n\
         x-ratelimit-remaining: 999999\r\n\
         x-ratelimit-reset: 4102444800\r\n\
         {more}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into()
}
