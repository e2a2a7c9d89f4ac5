//! Auth0, as this program sees it: a typed, read-only client of the Management API.
//!
//! [`ManagementApi`] makes [`ApiRequest`]s, each to an endpoint of a table. Their arguments are values that were checked when
//! they were made ([`UserSearch`], [`LogSearch`], [`UserId`], …), so nothing that Auth0 would
//! refuse out of hand is ever sent. Its answers are Auth0's own bytes: what surrounds the records
//! is read here, the records themselves are not decoded.
//!
//! Every call carries one access token of the client-credentials grant, shared by all callers, and
//! a [`Deadline`](crate::deadline::Deadline). What can go wrong is [`Error`]; an error's `Display` is fit for the caller, its
//! `source()` is for the log.

mod api_request;
mod argument_error;
mod breaker;
mod call_context;
mod client_authentication;
mod derived_key;
mod domain;
pub(crate) mod endpoints;
mod error;
mod error_mapping;
mod fields_parameter;
mod freshness;
mod grant;
mod http_client;
mod ids;
mod keyset;
mod list_parameters;
mod management_api;
mod pace;
mod page;
mod payload;
mod probe;
mod reader;
mod request_target;
mod response_cache;
mod retry;
mod sanitize;
mod sealed_token;
mod search_condition;
mod shared_token;
mod tail;
#[cfg(any(test, feature = "bench", feature = "fuzzing"))]
pub mod testing;
mod token;
mod transport;

#[cfg(test)]
mod http_tests;

pub use api_request::ApiRequest;
pub use argument_error::{ArgumentError, ArgumentProblem, REACHABLE_RECORDS};
pub use breaker::BreakerStatus;
pub use call_context::{CallBudget, CallContext, CallStats, CallerKey, Priority};
pub use client_authentication::{AssertionAlgorithm, AssertionKey, AssertionKeyError, ClientAuthentication};
pub use domain::{Domain, DomainError};
pub use error::{BuildError, Error, MisconfigurationError, UnavailableError, UnavailableReason};
pub use fields_parameter::{Fields, RefusedFields};
pub use ids::{Email, LogId, UserId};
pub use keyset::{Batch, COUNTED_RECORDS, Keyset, Position, Walk};
pub(crate) use list_parameters::Parameters;
pub use list_parameters::{
    Direction, LARGEST_PAGE, LONGEST_Q, ListPart, LogCheckpoint, LogSearch, UserLogs, UserSearch,
};
pub use management_api::{ClientPolicy, ManagementApi, Settings};
pub use pace::{BucketStatus, FleetStatus, RateClass};
pub use page::{AnswerIdentity, Page};
pub use payload::FromPayload;
pub(crate) use payload::Payload;
pub use probe::{Probe, ProbeError, TlsError};
pub(crate) use sanitize::is_format;
pub use search_condition::{Condition, Path, SHORTEST_SUFFIX, Searched};
pub use tail::{BatchedLog, Delivery, LogBatch, LogReader, LogTail, PushError, TailEvent, TailSettings};
pub use token::TokenStatus;
