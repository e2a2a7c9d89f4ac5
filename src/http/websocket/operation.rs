//! An operation of a WebSocket: the stages of a request over HTTP.

use std::net::IpAddr;
use std::sync::Arc;

use super::close::CloseReason;
use super::init::InitParams;
use crate::graphql::{Deadline, GraphqlResponse, RequestContext, refuse};
use crate::http::connection_info::WebSocketMembership;
use crate::http::error::HttpError;
use crate::http::rate_limit::RateLimitKey;
use crate::http::request_options::RequestOptions;
use crate::http::send_budget::SendPermit;
use crate::http::{Shared, parameters};
use crate::telemetry::timed;

/// The reply to an operation, with the permit for its bytes until it is sent.
pub(crate) struct OperationReply {
    pub(crate) reply: GraphqlResponse,
    _permit: Option<SendPermit>,
}

impl From<GraphqlResponse> for OperationReply {
    /// A refusal, of a few bytes.
    fn from(reply: GraphqlResponse) -> Self {
        Self { reply, _permit: None }
    }
}

/// Runs the operation that `payload` asks for. Its caller is authenticated anew, since a connection may outlive a token: if the
/// credentials are no longer good, the connection is to be closed.
pub(crate) async fn execute(
    shared: Shared,
    init: InitParams,
    membership: Arc<WebSocketMembership>,
    address: IpAddr,
    payload: String,
    request_id: String,
) -> Result<OperationReply, CloseReason> {
    let _under_way = membership.begin();
    let metrics = shared.metrics.server();
    let refused = |error| Ok(refuse(&[error], &request_id).into());
    let count = |refusal: HttpError| {
        metrics.refused(refusal.reason);
        refusal
    };
    let InitParams { credentials, options } = init;
    let _permit = match shared.admission.permit().map_err(count) {
        Ok(permit) => permit,
        Err(busy) => return refused(*busy.error),
    };
    let deadline = Deadline::within(options.timeout);
    let caller = match shared.admission.admit(&credentials, address, deadline).await.map_err(count) {
        Ok(caller) => caller,
        Err(refusal) if refusal.is_temporary() => return refused(*refusal.error),
        Err(refusal) => return Err(CloseReason::Forbidden(refusal.error.message)),
    };
    let request = match parameters::from_body(payload.as_bytes()) {
        Ok(request) => request,
        Err(error) => return refused(*count(error.into()).error),
    };
    let caller_key = RateLimitKey::of(Some(&caller), address);
    let RequestOptions { is_fresh, explain, .. } = options;
    let context = RequestContext { caller, deadline, request_id: &request_id, is_fresh, explain };
    let (mut reply, times) = timed(shared.engine.execute(request, &context)).await;
    metrics.operation("websocket", reply.first_code(), times);
    reply.body.shrink_to_fit();
    match shared.send_budget.permit(reply.body.len(), caller_key, Some(membership.activity())) {
        // Sending has a time of its own here: a connection of HTTP/2 is not over for one of its WebSockets.
        Ok(permit) => Ok(OperationReply { reply, _permit: Some(permit.sent_on(membership.activity(), false)) }),
        Err(exhausted) => refused(*count(exhausted).error),
    }
}
