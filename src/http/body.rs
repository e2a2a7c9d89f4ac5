//! Bodies of requests: limits on their number, time and size.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::activity::Activity;
use super::address::network;
use super::error::HttpError;
use super::pool::{Pool, Replaceable};
use super::settings::Settings;
use crate::deadline::Deadline;

/// Most bytes of a refused body that are read: as many as are sent by mistake, and less than would be worth an attacker's while.
const MAX_DISCARDED: usize = 20_000_000;

/// Most bytes of all bodies under way, where each may be large.
const MAX_TOTAL: usize = 128 << 20;

/// Least number of bodies that may be under way, however large they may be.
const MIN_BODIES: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// A body that has not arrived.
pub(crate) struct PendingBody {
    since: Instant,
    replaced: CancellationToken,
}

impl Replaceable for PendingBody {
    fn idle_since(&self) -> Option<Instant> {
        Some(self.since)
    }

    fn replace(&self) {
        self.replaced.cancel();
    }
}

/// The pool of bodies under way: most arrive with their heads, so the oldest is the first that somebody holds back.
pub(crate) fn pool(settings: &Settings) -> Arc<Pool<PendingBody>> {
    let by_size = NonZeroUsize::new(MAX_TOTAL / settings.max_body_bytes.max(1)).unwrap_or(MIN_BODIES).max(MIN_BODIES);
    Pool::new(settings.max_bodies.min(by_size), Duration::ZERO)
}

/// Reads the body of a request from `address`, of `limit` bytes at the most.
pub(crate) async fn read(
    request: Request,
    bodies: &Arc<Pool<PendingBody>>,
    address: IpAddr,
    activity: Option<&Activity>,
    limit: usize,
    deadline: Deadline,
) -> Result<Bytes, HttpError> {
    let too_large = || {
        let message = format!("The body is larger than {limit} bytes: send less at once.");
        HttpError::bad(StatusCode::PAYLOAD_TOO_LARGE, message)
    };
    let announced = usize::try_from(request.body().size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        discard(request, deadline);
        return Err(too_large());
    }
    let pending = Arc::new(PendingBody { since: Instant::now(), replaced: CancellationToken::new() });
    let Ok(_membership) = bodies.join(Some(network(address)), Arc::clone(&pending)) else {
        return Err(replaced());
    };
    let _awaited = activity.map(Activity::await_body);
    let mut body = request.into_body();
    let arrived = tokio::select! {
        biased;
        arrived = deadline.limit(Limited::new(&mut body, limit).collect()) => arrived,
        () = pending.replaced.cancelled() => return Err(replaced()),
    };
    let too_slow = || HttpError::bad(StatusCode::REQUEST_TIMEOUT, "The body took too long to arrive.");
    match arrived.map_err(|_| too_slow())? {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            discard_rest(body, deadline);
            Err(too_large())
        }
        Err(_) => Err(HttpError::bad(StatusCode::BAD_REQUEST, "The body broke off.")),
    }
}

fn replaced() -> HttpError {
    HttpError::busy(
        "bodies",
        "Too many requests are on their way, and the body of this one took longest to arrive. Send it again.",
    )
}

/// Reads the body of a request that is refused, and drops it.
pub(crate) fn discard(request: Request, deadline: Deadline) {
    // Whoever asks before sending has sent nothing, and reading would ask for it.
    let asks_first = request.headers().contains_key(header::EXPECT);
    if !asks_first && !request.body().is_end_stream() {
        discard_rest(request.into_body(), deadline);
    }
}

/// Reads on in a body that is refused, while the answer is on its way: many clients send everything before they read, and
/// would see a broken connection in place of the answer.
fn discard_rest(mut body: Body, deadline: Deadline) {
    tokio::spawn(deadline.limit(async move {
        let mut left = MAX_DISCARDED;
        while let Some(Ok(frame)) = body.frame().await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return };
            left = rest;
        }
    }));
}
