//! An operation of a WebSocket: the stages of a request over HTTP.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task;

use super::close::CloseReason;
use super::init::InitParams;
use crate::deadline::Deadline;
use crate::graphql::{
    EngineResponse, ErrorCode, GraphqlError, GraphqlResponse, OperationKind, RequestContext, StreamedResponse, refuse,
};
use crate::http::error::HttpError;
use crate::http::parameters;
use crate::http::peer::WebSocketMembership;
use crate::http::rate_limit::RateLimitKey;
use crate::http::request_options::RequestOptions;
use crate::http::send_budget::SendPermit;
use crate::http::state::ServerState;
use crate::http::subscription::Subscription;
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

/// Responses to a subscription that came together, with the permit for their bytes until they are sent.
pub(crate) struct StreamedReply {
    /// The task of the subscription.
    pub(crate) task: task::Id,
    pub(crate) responses: Vec<StreamedResponse>,
    _permit: SendPermit,
}

/// Runs the operation that `payload` asks for. Its caller is authenticated anew, since a connection may outlive a token: if the
/// credentials are no longer good, the connection is to be closed. The responses to a subscription are sent to `streamed`, and what
/// ends it is the reply.
pub(crate) async fn execute(
    state: ServerState,
    init: InitParams,
    membership: Arc<WebSocketMembership>,
    address: IpAddr,
    payload: String,
    request_id: String,
    streamed: mpsc::Sender<StreamedReply>,
) -> Result<OperationReply, CloseReason> {
    let under_way = membership.begin();
    let metrics = state.metrics.server();
    let refused = |error| Ok(refuse(&[error], &request_id).into());
    let count = |refusal: HttpError| {
        metrics.refused(refusal.reason);
        refusal
    };
    let InitParams { credentials, options } = init;
    let permit_to_run = match state.admission.permit().map_err(count) {
        Ok(permit) => permit,
        Err(busy) => return refused(*busy.error),
    };
    let deadline = Deadline::within(options.timeout);
    let caller = match state.admission.admit(&credentials, address, deadline).await.map_err(count) {
        Ok(caller) => caller,
        Err(refusal) if refusal.is_temporary() => return refused(*refusal.error),
        Err(refusal) => return Err(CloseReason::Forbidden(refusal.error.message)),
    };
    let request = match parameters::from_body(payload.as_bytes()) {
        Ok(request) => request,
        Err(error) => return refused(*count(error.into()).error),
    };
    let caller_key = RateLimitKey::of(Some(&caller), address);
    let RequestOptions { bypass_cache, explain, .. } = options;
    let context = RequestContext {
        caller: caller.clone(),
        deadline,
        request_id: &request_id,
        bypass_cache,
        explain,
        resume_after: None,
    };
    let (execution, times) = timed(pin!(state.engine.execute_or_subscribe(request, &context))).await;
    let mut reply = match execution {
        EngineResponse::Reply(reply) => reply,
        EngineResponse::Stream(mut stream) => {
            metrics.operation("websocket", OperationKind::Subscription.name(), None, times);
            let permit = match state.subscriptions.permit(caller_key).map_err(count) {
                Ok(permit) => permit,
                Err(refusal) => {
                    // For the audit trail, which has its beginning.
                    drop(stream.end((*refusal.error).clone()));
                    return refused(*refusal.error);
                }
            };
            drop((under_way, permit_to_run));
            let subscription = Subscription::new(stream, state.clone(), caller, credentials, permit);
            return Ok(stream_to(streamed, subscription, &state, &membership, caller_key).await.into());
        }
    };
    metrics.operation("websocket", reply.kind.name(), reply.first_code(), times);
    reply.body.shrink_to_fit();
    match state.send_budget.permit(reply.body.len(), caller_key, Some(membership.activity())) {
        // Sending has a time of its own here: a connection of HTTP/2 is not over for one of its WebSockets.
        Ok(permit) => Ok(OperationReply { reply, _permit: Some(permit.sent_on(membership.activity(), false)) }),
        Err(exhausted) => refused(*count(exhausted).error),
    }
}

/// Sends the responses to a subscription, as fast as its client takes them, until it ends.
async fn stream_to(
    streamed: mpsc::Sender<StreamedReply>,
    mut subscription: Subscription,
    state: &ServerState,
    membership: &WebSocketMembership,
    caller: RateLimitKey,
) -> GraphqlResponse {
    loop {
        let responses = match subscription.next().await {
            Ok(responses) => responses,
            Err(end) => return end,
        };
        let bytes = responses.iter().map(|response| response.body.len()).sum();
        let permit = match state.send_budget.permit(bytes, caller, Some(membership.activity())) {
            Ok(permit) => permit.sent_on(membership.activity(), false),
            Err(exhausted) => return subscription.end(*exhausted.error),
        };
        let reply = StreamedReply { task: task::id(), responses, _permit: permit };
        if streamed.send(reply).await.is_err() {
            // The connection is gone, and nobody reads this.
            return refuse(&[GraphqlError::new(ErrorCode::Stopping, "The connection is gone.")], "");
        }
    }
}
