//! One operation of a WebSocket: the stages of a request over HTTP.

use std::net::IpAddr;

use axum::http::{HeaderMap, StatusCode};

use super::close::Close;
use super::init::Introduction;
use crate::auth::Caller;
use crate::graphql::{Deadline, Failure, Reply, Terms, refuse};
use crate::http::admission::Denial;
use crate::http::wishes::Wishes;
use crate::http::{Parts, Shared, parameters};

/// Why a client may not do what it asks for.
#[derive(Debug)]
pub(crate) enum TurnedAway {
    /// It may do so later.
    ForNow(Failure),
    /// Not with these credentials. The reason is for people to read.
    ForGood(String),
}

/// Finds out who asks with these credentials, and whether they may now.
pub(crate) async fn admit(
    shared: &Shared,
    credentials: &HeaderMap,
    address: IpAddr,
    deadline: Deadline,
) -> Result<Caller, TurnedAway> {
    let Parts { admission, authenticator, .. } = &**shared;
    admission.admit(credentials, address, authenticator, deadline).await.map_err(|denial| match denial {
        Denial::TooMany(too_many) => TurnedAway::ForNow(too_many.into_failure()),
        Denial::Refusal(refusal) => match refusal.into_failure() {
            (StatusCode::SERVICE_UNAVAILABLE, failure) => TurnedAway::ForNow(failure),
            (_, failure) => TurnedAway::ForGood(failure.message),
        },
    })
}

/// Answers what `payload` asks for. Who asks is found out for each operation, and not once for a connection that may outlive a
/// token: where the credentials are no longer good, the connection is to be closed.
pub(crate) async fn answer(
    shared: Shared,
    introduction: Introduction,
    address: IpAddr,
    payload: String,
    request_id: String,
) -> Result<Reply, Close> {
    let refused = |failure| Ok(refuse(vec![failure], &request_id));
    let Introduction { credentials, wishes } = introduction;
    let _place = match shared.admission.place() {
        Ok(place) => place,
        Err(too_many) => return refused(too_many.into_failure()),
    };
    let deadline = Deadline::within(wishes.timeout);
    let caller = match admit(&shared, &credentials, address, deadline).await {
        Ok(caller) => caller,
        Err(TurnedAway::ForNow(failure)) => return refused(failure),
        Err(TurnedAway::ForGood(reason)) => return Err(Close::Forbidden(reason)),
    };
    let request = match parameters::from_body(payload.as_bytes()) {
        Ok(request) => request,
        Err(failure) => return refused(failure),
    };
    let Wishes { is_fresh, explains, .. } = wishes;
    let terms = Terms { caller, deadline, request_id: &request_id, is_fresh, explains };
    Ok(shared.engine.execute(request, &terms).await)
}
