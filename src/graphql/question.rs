//! What a root field asks of Auth0, read from its normal form once for all the times that it is asked. Pure.

use async_graphql::{ID, InputType};
use bytes::Bytes;

use super::error::Failure;
use super::local::const_value;
use super::log::LOG;
use super::operation::{Arguments, Field};
use super::plan::Needs;
use super::project::PageFacts;
use super::query::{LogOrder, LogOrderField, SortDirection, UserOrder};
use super::user::USER;
use crate::auth0::{ApiRequest, Email, LogCheckpoint, LogId, LogSearch, Page, UserId, UserSearch};

/// What a root field asks.
#[derive(Debug)]
pub(crate) enum Question {
    Users(UserSearch),
    User(UserId),
    /// The caller's own user, whoever that is.
    Me,
    UsersByEmail(Email),
    LogsAfter(LogCheckpoint),
    SearchLogs(LogSearch),
    Log(LogId),
}

/// What is known of a page before it is read.
#[derive(Debug, Default)]
pub(crate) struct PageAsked {
    page: u32,
    per_page: u32,
    /// Whether Auth0 would refuse the page after this one.
    is_last_reachable: bool,
    /// Where the reading begins.
    from: Option<String>,
}

/// A read, of whichever kind.
#[derive(Debug, Clone)]
pub(crate) enum Reading {
    List(ApiRequest<Page>),
    Record(ApiRequest<Option<Bytes>>),
}

impl Question {
    /// What `field` asks, if its arguments are within bounds.
    pub(crate) fn of(field: &Field) -> Result<(Self, PageAsked), Failure> {
        let arguments = Reader(field.arguments.as_ref().map_err(Clone::clone)?);
        let alone = |question| (question, PageAsked::default());
        Ok(match field.name.as_str() {
            "users" => {
                let (page, per_page): (i32, i32) = (arguments.get("page")?, arguments.get("perPage")?);
                let q: Option<String> = arguments.get("q")?;
                let sort: Option<UserOrder> = arguments.get("sort")?;
                let sort = sort.map(|order| (order.field.into(), order.direction.into()));
                let search = UserSearch::new(q.as_deref(), page.into(), per_page.into(), sort)?;
                let asked = PageAsked::of(page, per_page, search.next_is_reachable());
                (Self::Users(search), asked)
            }
            "user" => alone(Self::User(UserId::parse(&arguments.get::<ID>("id")?)?)),
            "me" => alone(Self::Me),
            "usersByEmail" => alone(Self::UsersByEmail(Email::parse(&arguments.get::<String>("email")?)?)),
            "logs" => {
                let take: i32 = arguments.get("take")?;
                match arguments.get::<Option<ID>>("from")? {
                    Some(ID(from)) => {
                        let checkpoint = LogCheckpoint::new(&from, take.into())?;
                        (Self::LogsAfter(checkpoint), PageAsked { from: Some(from), ..PageAsked::default() })
                    }
                    None => alone(Self::SearchLogs(LogSearch::newest(take.into())?)),
                }
            }
            "log" => alone(Self::Log(LogId::parse(&arguments.get::<ID>("id")?)?)),
            "searchLogs" => {
                let (page, per_page): (i32, i32) = (arguments.get("page")?, arguments.get("perPage")?);
                let q: Option<String> = arguments.get("q")?;
                let sort: Option<LogOrder> = arguments.get("sort")?;
                let direction =
                    sort.map_or(SortDirection::Desc, |LogOrder { field: LogOrderField::Date, direction }| direction);
                let search = LogSearch::new(q.as_deref(), page.into(), per_page.into(), direction.into())?;
                let asked = PageAsked::of(page, per_page, search.next_is_reachable());
                (Self::SearchLogs(search), asked)
            }
            _ => return Err(Failure::internal()),
        })
    }

    /// The read that answers it with what is needed. None for [`Self::Me`], which depends on who asks.
    pub(crate) fn read(&self, needs: &Needs) -> Option<Reading> {
        Some(match self {
            Self::Users(search) => Reading::List(ApiRequest::users(search, &needs.fields(&USER), needs.total)),
            Self::User(id) => Reading::Record(ApiRequest::user(id, &needs.fields(&USER))),
            Self::Me => return None,
            Self::UsersByEmail(email) => Reading::List(ApiRequest::users_by_email(email, &needs.fields(&USER))),
            Self::LogsAfter(checkpoint) => Reading::List(ApiRequest::logs_after(checkpoint)),
            Self::SearchLogs(search) => Reading::List(ApiRequest::search_logs(search, &needs.fields(&LOG))),
            Self::Log(id) => Reading::Record(ApiRequest::log(id)),
        })
    }
}

impl PageAsked {
    fn of(page: i32, per_page: i32, next_is_reachable: bool) -> Self {
        // Both were found to be in range.
        let count = |number| u32::try_from(number).unwrap_or_default();
        Self { page: count(page), per_page: count(per_page), is_last_reachable: !next_is_reachable, from: None }
    }

    /// All that is known of the page, with what its answer told.
    pub(crate) fn facts<'a>(&'a self, total: Option<u64>, next: Option<&'a LogId>) -> PageFacts<'a> {
        let Self { page, per_page, is_last_reachable, ref from } = *self;
        PageFacts { total, page, per_page, is_last_reachable, next: next.map(LogId::as_str), from: from.as_deref() }
    }
}

/// The arguments of a field in normal form: all of them fit their types.
struct Reader<'f>(&'f Arguments);

impl Reader<'_> {
    fn get<T: InputType>(&self, name: &str) -> Result<T, Failure> {
        let value = self.0.get(name);
        T::parse(value.map(const_value)).map_err(|_| Failure::internal())
    }
}
