//! The budget of unsent responses: bytes in all, of one connection and of one caller, and the time for them to be read.
//!
//! A response goes out in chunks that share its bytes, and its permit lies with these: it ends when the server has written and
//! dropped the last chunk. A permit with the body would end while megabytes wait in the server's own buffers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use ipnet::IpNet;
use parking_lot::Mutex;

use super::activity::{Activity, SendGuard};
use super::error::HttpError;
use super::media_type::MediaType;
use super::peer::{self, ConnectionInfo};
use super::rate_limit::RateLimitKey;
use super::responder::Responder;
use super::settings::SendLimits;
use crate::telemetry::LogThrottle;

/// Most bytes of a response that the server has at once.
const CHUNK: usize = 64 * 1024;

/// Bytes of responses that are not sent.
pub(crate) struct SendBudget {
    limits: SendLimits,
    used: AtomicUsize,
    /// Bytes of large responses, by caller.
    by_caller: Mutex<HashMap<RateLimitKey, usize>>,
    refused: LogThrottle,
}

/// A permit for the bytes of one response, until it is dropped.
pub(crate) struct SendPermit {
    budget: Arc<SendBudget>,
    bytes: usize,
    /// The caller of a large response.
    caller: Option<RateLimitKey>,
    _sending: Option<SendGuard>,
}

impl SendBudget {
    pub(crate) fn new(limits: SendLimits) -> Arc<Self> {
        let (used, by_caller) = (AtomicUsize::new(0), Mutex::default());
        Arc::new(Self { limits, used, by_caller, refused: LogThrottle::default() })
    }

    pub(crate) fn limits(&self) -> &SendLimits {
        &self.limits
    }

    /// Takes so many bytes for a response to `caller`. A small one only needs room, of which a quarter is kept for such; large
    /// ones share the rest, of which a connection has a third and a caller has half, unless it is their only one.
    pub(crate) fn permit(
        self: &Arc<Self>,
        bytes: usize,
        caller: RateLimitKey,
        activity: Option<&Activity>,
    ) -> Result<SendPermit, HttpError> {
        let is_large = bytes > CHUNK;
        let most = if is_large { self.limits.for_large() } else { self.limits.total };
        let is_beyond = |share: usize, used: usize| used > 0 && used + bytes > share;
        let is_beyond_share = || activity.is_some_and(|activity| is_beyond(most / 3, activity.unsent_bytes()));
        let has_room = |used: usize| Some(used + bytes).filter(|used| *used <= most);
        if (is_large && is_beyond_share())
            || self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, has_room).is_err()
        {
            return Err(self.exhausted());
        }
        // From here on the bytes are given back, whatever happens.
        let mut permit = SendPermit { budget: Arc::clone(self), bytes, caller: None, _sending: None };
        if is_large {
            let mut by_caller = self.by_caller.lock();
            let of_caller = by_caller.entry(caller).or_default();
            if is_beyond(most / 2, *of_caller) {
                drop(by_caller);
                return Err(self.exhausted());
            }
            *of_caller += bytes;
            permit.caller = Some(caller);
        }
        Ok(permit)
    }

    fn exhausted(&self) -> HttpError {
        if let Some(answers) = self.refused.count() {
            tracing::warn!(answers, bytes = self.limits.total, "refused: too many answers wait to be read");
        }
        HttpError::busy(
            "unread_responses",
            "Too many answers wait to be read. Read yours, and try again after `retryAfterMs`.",
        )
    }
}

impl SendPermit {
    /// Counts the response on its connection; with a time for it, a connection that takes longer is over.
    pub(crate) fn sent_on(mut self, activity: &Activity, is_timed: bool) -> Self {
        self._sending = Some(activity.send(self.bytes, is_timed.then_some(&self.budget.limits)));
        self
    }
}

impl Drop for SendPermit {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
        let Some(caller) = self.caller else { return };
        let mut by_caller = self.budget.by_caller.lock();
        if let Some(of_caller) = by_caller.get_mut(&caller) {
            *of_caller -= self.bytes;
            if *of_caller == 0 {
                by_caller.remove(&caller);
            }
        }
    }
}

impl SendPermit {
    /// The bytes that it is for. It ends when they are written, or dropped.
    pub(crate) fn hold(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(PermittedBytes { bytes, _permit: self })
    }
}

/// The bytes of a response, with the permit for them.
struct PermittedBytes {
    bytes: Bytes,
    _permit: SendPermit,
}

impl AsRef<[u8]> for PermittedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A body in chunks.
struct ChunkedBody {
    bytes: Bytes,
    /// The activity of its connection, if there is more than one chunk: whoever reads one after the other is not idle.
    activity: Option<Activity>,
}

impl HttpBody for ChunkedBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let length = self.bytes.len().min(CHUNK);
        if length > 0
            && let Some(activity) = &self.activity
        {
            activity.send_part();
        }
        Poll::Ready((length > 0).then(|| Ok(Frame::data(self.bytes.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

/// The mark of a response whose body is made while it is sent, as an extension: each part has a permit of its own.
#[derive(Clone, Copy)]
pub(crate) struct Streamed;

/// The client of a response that is not made yet.
pub(crate) struct Recipient {
    budget: Arc<SendBudget>,
    connection: Option<Arc<ConnectionInfo>>,
    address: IpAddr,
}

impl Recipient {
    /// The sender of `request`, whose responses go out within `budget`.
    pub(crate) fn of(request: &Request, budget: &Arc<SendBudget>, trusted_proxies: &[IpNet]) -> Self {
        let connection = request.extensions().get::<Arc<ConnectionInfo>>().cloned();
        let address = peer::client_of(request, trusted_proxies);
        Self { budget: Arc::clone(budget), connection, address }
    }

    /// Has a response sent within the budget, or refused.
    pub(crate) async fn send(self, response: Response) -> Response {
        let (head, body) = response.into_parts();
        if body.is_end_stream() || head.extensions.get::<Streamed>().is_some() {
            return Response::from_parts(head, body);
        }
        let bytes = whole(body).await;
        let caller = head.extensions.get().copied().unwrap_or_else(|| RateLimitKey::of(None, self.address));
        let activity = self.connection.as_ref().map(|connection| connection.activity());
        match self.budget.permit(bytes.len(), caller, activity) {
            Ok(permit) => {
                let permit = if let Some(activity) = activity { permit.sent_on(activity, true) } else { permit };
                let activity = activity.filter(|_| bytes.len() > CHUNK).cloned();
                Response::from_parts(head, Body::new(ChunkedBody { bytes: permit.hold(bytes), activity }))
            }
            Err(refusal) => Responder::new(MediaType::of(&head.headers)).refuse(refusal),
        }
    }
}

/// The whole of a body that is made within the gateway. One that is compressed comes in many frames, between which others run.
async fn whole(mut body: Body) -> Bytes {
    let mut first = Bytes::new();
    let mut rest = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest = first.to_vec();
            }
            rest.extend_from_slice(&data);
            tokio::task::yield_now().await;
        }
    }
    if rest.is_empty() {
        return first;
    }
    // A vector that grew holds up to twice of what it needs.
    rest.shrink_to_fit();
    rest.into()
}
