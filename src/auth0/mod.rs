//! Auth0, as this program sees it: a typed, read-only client of the Management API.
//!
//! [`ManagementApi`] makes [`ApiRequest`]s, one kind per endpoint. Their arguments are values that were checked when
//! they were made ([`UserSearch`], [`LogSearch`], [`UserId`], …), so nothing that Auth0 would
//! refuse out of hand is ever sent. Its answers are Auth0's own bytes: what surrounds the records
//! is read here, the records themselves are not decoded.
//!
//! Every call carries one access token of the client-credentials grant, shared by all callers, and
//! a [`Deadline`](crate::deadline::Deadline). What can go wrong is [`Error`]; an error's `Display` is fit for the caller, its
//! `source()` is for the log.

mod api;
mod argument;
mod attempts;
#[cfg(feature = "bench")]
pub mod bench;
mod breaker;
mod cache;
mod client;
mod client_authentication;
mod condition;
mod context;
mod domain;
mod endpoints;
mod envelope;
mod error;
mod error_mapping;
mod fields;
mod freshness;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod grant;
mod ids;
mod keyset;
mod pace;
mod payload;
mod probe;
mod query;
mod reader;
mod request;
mod retry;
mod sanitize;
mod target;
mod token;

#[cfg(test)]
mod http_tests;

pub use api::{ClientPolicy, ManagementApi, Settings};
pub use argument::{ArgumentError, ArgumentProblem, REACHABLE_RECORDS};
pub use breaker::BreakerStatus;
pub use client_authentication::{AssertionAlgorithm, AssertionKey, AssertionKeyError, ClientAuthentication};
pub use condition::{Condition, Path, SHORTEST_SUFFIX, Searched};
pub use context::{CallBudget, CallContext, CallStats, CallerKey, Priority};
pub use domain::{Domain, DomainError};
pub use envelope::{AnswerIdentity, Page};
pub use error::{BuildError, Error, MisconfigurationError, Reason, UnavailableError};
pub use fields::{Fields, RefusedFields};
pub use ids::{Email, LogId, UserId};
pub use keyset::{Batch, CursorError, Keyset, KeysetError, Position, Walk};
pub use pace::{BucketStatus, Class};
pub use payload::FromPayload;
pub use probe::{Probe, ProbeError, TlsError};
pub use query::{Direction, LONGEST_Q, LogCheckpoint, LogSearch, UserListPart, UserLogs, UserSearch};
pub use request::{ApiRequest, UserList};
pub use token::TokenStatus;
