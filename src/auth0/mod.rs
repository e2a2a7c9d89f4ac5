//! Auth0, as this program sees it: a typed, read-only client of the Management API.
//!
//! [`ManagementApi`] makes [`Read`]s, one kind per endpoint. Their arguments are values that were checked when
//! they were made ([`UserSearch`], [`LogSearch`], [`UserId`], …), so nothing that Auth0 would
//! refuse out of hand is ever sent. Its answers are Auth0's own bytes: what surrounds the records
//! is read here, the records themselves are not decoded.
//!
//! Every call carries one access token of the client-credentials grant, shared by all callers, and
//! a [`Deadline`]. What can go wrong is [`Error`]; an error's `Display` is fit for the caller, its
//! `source()` is for the log.

mod argument;
#[cfg(feature = "bench")]
pub mod bench;
mod breaker;
mod cache;
mod call;
mod domain;
mod envelope;
mod errand;
mod error;
mod explanation;
mod fields;
mod freshness;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod grant;
mod identifier;
mod key;
mod knock;
mod management;
mod pace;
mod query;
mod read;
mod reader;
mod refusal;
mod rendition;
mod retry;
mod token;
mod transport;
mod wire;

#[cfg(test)]
mod wire_tests;

pub use argument::{InvalidArgument, Problem};
pub use breaker::BreakerStatus;
pub use domain::{Domain, DomainError};
pub use envelope::{Identity, Page};
pub use errand::{CallBudget, CallerKey, Effort, Errand, Priority};
pub use error::{BuildError, Error, Misconfiguration, Outage, Reason};
pub use fields::Fields;
pub use identifier::{Email, LogId, UserId};
pub use knock::{Knock, TlsFault, Unreachable};
pub use management::{Care, ManagementApi, Settings};
pub use pace::{BucketStatus, Class};
pub use query::{Direction, LogCheckpoint, LogSearch, REACHABLE_RECORDS, UserLogs, UserSearch, UserSort};
pub use read::{Landing, Read};
pub use rendition::Renditions;
pub use token::TokenStatus;
