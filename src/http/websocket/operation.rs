//! One operation of a WebSocket: the stages of a request over HTTP.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};

use super::close::Close;
use super::init::InitParams;
use crate::auth::Caller;
use crate::graphql::{Deadline, GraphqlError, Reply, RequestContext, refuse};
use crate::http::admission::{Denial, SOON};
use crate::http::peer::WebSocketPlace;
use crate::http::rate_limit::CallerKey;
use crate::http::request_options::RequestOptions;
use crate::http::responder::to_be_sent_again;
use crate::http::send_budget::{Exhausted, SendPermit};
use crate::http::{Parts, Shared, parameters};

/// Why a client may not do what it asks for.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It may do so later.
    ForNow(GraphqlError),
    /// Not with these credentials. The reason is for people to read.
    ForGood(String),
}

/// Finds out who asks with these credentials, and whether they may now.
pub(crate) async fn admit(
    shared: &Shared,
    credentials: &HeaderMap,
    address: IpAddr,
    deadline: Deadline,
) -> Result<Caller, Refusal> {
    let Parts { admission, authenticator, .. } = &**shared;
    admission.admit(credentials, address, authenticator, deadline).await.map_err(|denial| match denial {
        Denial::TooMany(too_many) => Refusal::ForNow(too_many.into_failure()),
        Denial::Refusal(refusal) => match refusal.into_failure() {
            (StatusCode::SERVICE_UNAVAILABLE, failure) => Refusal::ForNow(failure),
            (_, failure) => Refusal::ForGood(failure.message),
        },
    })
}

/// An answer, with the permit for its bytes until it is sent.
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    _permit: Option<SendPermit>,
}

impl From<Reply> for Answer {
    /// A refusal, of a few bytes.
    fn from(reply: Reply) -> Self {
        Self { reply, _permit: None }
    }
}

/// Answers what `payload` asks for. Who asks is found out for each operation, and not once for a connection that may outlive a
/// token: where the credentials are no longer good, the connection is to be closed.
pub(crate) async fn answer(
    shared: Shared,
    init: InitParams,
    place: Arc<WebSocketPlace>,
    address: IpAddr,
    payload: String,
    request_id: String,
) -> Result<Answer, Close> {
    let _under_way = place.begin();
    let refused = |failure| Ok(refuse(&[failure], &request_id).into());
    let InitParams { credentials, options } = init;
    let _permit = match shared.admission.permit() {
        Ok(permit) => permit,
        Err(too_many) => return refused(too_many.into_failure()),
    };
    let deadline = Deadline::within(options.timeout);
    let caller = match admit(&shared, &credentials, address, deadline).await {
        Ok(caller) => caller,
        Err(Refusal::ForNow(failure)) => return refused(failure),
        Err(Refusal::ForGood(reason)) => return Err(Close::Forbidden(reason)),
    };
    let request = match parameters::from_body(payload.as_bytes()) {
        Ok(request) => request,
        Err(failure) => return refused(failure),
    };
    let caller_key = CallerKey::of(Some(&caller), address);
    let RequestOptions { is_fresh, explains, .. } = options;
    let terms = RequestContext { caller, deadline, request_id: &request_id, is_fresh, explains };
    let mut reply = shared.engine.execute(request, &terms).await;
    reply.body.shrink_to_fit();
    match shared.send_budget.permit(reply.body.len(), caller_key, Some(place.activity())) {
        // Sending has a time of its own here: a connection of HTTP/2 is not over for one of its WebSockets.
        Ok(permit) => Ok(Answer { reply, _permit: Some(permit.sent_on(place.activity(), false)) }),
        Err(Exhausted) => refused(to_be_sent_again(Exhausted::failure(), SOON)),
    }
}
