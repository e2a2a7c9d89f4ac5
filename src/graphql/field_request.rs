//! Requests of fields, once their arguments are known to be within bounds.

use std::fmt;

use bytes::Bytes;

use crate::auth0::endpoints::{Endpoint, List, ListOfUser, Record};
use crate::auth0::{ApiRequest, Condition, Fields, Keyset, LogId, Page, Parameters, Position, UserId};

/// The request of a root field.
pub(crate) struct FieldRequest {
    pub(crate) page: PageArgs,
    /// The search that was made of a `filter`.
    pub(crate) generated: Option<GeneratedSearch>,
    pub(crate) kind: FieldRequestKind,
}

/// A search that was made of typed conditions.
pub(crate) struct GeneratedSearch {
    /// The search as Auth0 is sent it.
    pub(crate) q: String,
    /// The paths of the fields that the conditions name.
    pub(crate) paths: Vec<String>,
}

/// A kind of request, with the means to make it for given keys of the records, with or without their total.
pub(crate) enum FieldRequestKind {
    /// The same for every caller.
    Shared(MakeRequest),
    /// The caller's own user, of this endpoint.
    OwnUser(&'static Record<UserId>),
    /// A walk in several calls, of which each depends on the answer to the one before.
    Connection(ConnectionRequest),
    /// Logs as they come.
    Tail(TailRequest),
}

/// A page of a connection.
pub(crate) struct ConnectionRequest {
    pub(crate) keyset: Keyset,
    pub(crate) from: Position,
    /// The most records.
    pub(crate) first: usize,
}

/// The request of a subscription.
#[derive(Debug, Clone)]
pub(crate) struct TailRequest {
    /// The log to go on from.
    pub(crate) from: Option<LogId>,
    /// The condition that logs have to meet.
    pub(crate) condition: Option<Condition>,
}

type MakeRequest = Box<dyn Fn(&Fields, bool) -> AnyApiRequest + Send + Sync>;
type MakeJoinRequest = Box<dyn Fn(&str) -> Option<AnyApiRequest> + Send + Sync>;

/// The request of a join for one parent. None for a parent whose key cannot be asked for.
pub(crate) struct JoinRequest {
    pub(crate) endpoint: &'static Endpoint,
    pub(crate) page: PageArgs,
    pub(crate) prepare: MakeJoinRequest,
}

/// A request to the Management API, of a list or of a record.
#[derive(Debug, Clone)]
pub(crate) enum AnyApiRequest {
    List(ApiRequest<Page>),
    Record(ApiRequest<Option<Bytes>>),
}

/// The page that the arguments ask for.
#[derive(Debug, Default)]
pub(crate) struct PageArgs {
    page: u32,
    per_page: u32,
    /// True if Auth0 would refuse the page after this one.
    is_last_reachable: bool,
    /// The record that the reading begins after.
    from: Option<String>,
}

/// Everything about a page but its records.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PageFacts<'a> {
    /// The number of records that match in all, if Auth0 was asked.
    pub(crate) total: Option<u64>,
    pub(crate) page: u32,
    pub(crate) per_page: u32,
    /// True if Auth0 would refuse the page after this one.
    pub(crate) is_last_reachable: bool,
    /// The place to read on from, as Auth0 says.
    pub(crate) next: Option<&'a str>,
    /// The place where the reading began.
    pub(crate) from: Option<&'a str>,
}

impl FieldRequest {
    /// A list. Its total is not asked for.
    pub(crate) fn list<P: Parameters + Send + Sync + 'static>(
        endpoint: &'static List<P>,
        page: PageArgs,
        parameters: P,
    ) -> Self {
        Self::shared(page, move |fields, _| ApiRequest::list(endpoint, &parameters, fields).into())
    }

    /// A record.
    pub(crate) fn record<I: AsRef<str> + Send + Sync + 'static>(endpoint: &'static Record<I>, id: I) -> Self {
        Self::shared(PageArgs::default(), move |fields, _| ApiRequest::record(endpoint, &id, fields).into())
    }

    /// A request that is the same for every caller.
    pub(crate) fn shared(
        page: PageArgs,
        prepare: impl Fn(&Fields, bool) -> AnyApiRequest + Send + Sync + 'static,
    ) -> Self {
        Self { page, generated: None, kind: FieldRequestKind::Shared(Box::new(prepare)) }
    }
}

impl JoinRequest {
    /// A list that belongs to the parent, a user.
    pub(crate) fn of_user<P: Parameters + Send + Sync + 'static>(
        endpoint: &'static ListOfUser<P>,
        page: PageArgs,
        parameters: P,
    ) -> Self {
        let prepare =
            move |user: &str| Some(ApiRequest::list_of_user(endpoint, &UserId::parse(user).ok()?, &parameters).into());
        Self { endpoint: &endpoint.endpoint, page, prepare: Box::new(prepare) }
    }
}

impl fmt::Debug for FieldRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldRequest").field("page", &self.page).finish_non_exhaustive()
    }
}

impl From<ApiRequest<Page>> for AnyApiRequest {
    fn from(read: ApiRequest<Page>) -> Self {
        Self::List(read)
    }
}

impl From<ApiRequest<Option<Bytes>>> for AnyApiRequest {
    fn from(read: ApiRequest<Option<Bytes>>) -> Self {
        Self::Record(read)
    }
}

impl PageArgs {
    /// A page of this number and size, which were found to be in range.
    pub(crate) fn of(page: i32, per_page: i32, next_is_reachable: bool) -> Self {
        let count = |number| u32::try_from(number).unwrap_or_default();
        Self { page: count(page), per_page: count(per_page), is_last_reachable: !next_is_reachable, from: None }
    }

    /// Records from there on.
    pub(crate) fn from(from: String) -> Self {
        Self { from: Some(from), ..Self::default() }
    }

    /// All that is known of the page, with what its answer told.
    pub(crate) fn facts<'a>(&'a self, total: Option<u64>, next: Option<&'a str>) -> PageFacts<'a> {
        let Self { page, per_page, is_last_reachable, ref from } = *self;
        PageFacts { total, page, per_page, is_last_reachable, next, from: from.as_deref() }
    }
}
