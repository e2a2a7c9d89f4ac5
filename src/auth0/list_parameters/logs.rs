//! Parameters of the lists of logs.

use super::{Direction, LARGEST_PAGE, PageParameters, Pairs, Parameters, searchable, up_to_a_page};
use crate::auth0::argument_error::ArgumentError;
use crate::auth0::ids::LogId;

/// A page of a search for logs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogSearch {
    q: Option<String>,
    page: PageParameters,
    /// The order by `date`; Auth0's own order, newest first by id, where it is `None`.
    sort: Option<Direction>,
}

impl LogSearch {
    /// `q` is in Auth0's log search syntax; a blank one is none. `page` counts from 0. `sort` is on
    /// `date`, the one key that Auth0 documents.
    ///
    /// # Errors
    ///
    /// As for [`UserSearch::new`](super::UserSearch::new).
    pub fn new(q: Option<&str>, page: i64, per_page: i64, sort: Direction) -> Result<Self, ArgumentError> {
        Ok(Self { q: searchable(q)?, page: PageParameters::new(page, per_page)?, sort: Some(sort) })
    }

    /// The first page in Auth0's own order: newest first by id, not by date.
    ///
    /// # Errors
    ///
    /// As for [`UserSearch::new`](super::UserSearch::new).
    pub(crate) fn in_order_of_ids(q: Option<&str>, per_page: i64) -> Result<Self, ArgumentError> {
        Ok(Self { q: searchable(q)?, page: PageParameters::new(0, per_page)?, sort: None })
    }

    /// The `take` newest logs, newest first.
    ///
    /// # Errors
    ///
    /// `take` outside 1 to 100.
    pub fn newest(take: i64) -> Result<Self, ArgumentError> {
        up_to_a_page("take", take)?;
        Ok(Self { q: None, page: PageParameters::new(0, take)?, sort: Some(Direction::Descending) })
    }

    /// The newest logs, as many as there are on a page.
    pub(crate) fn newest_page() -> Self {
        Self { q: None, page: PageParameters { page: 0, per_page: LARGEST_PAGE }, sort: None }
    }

    /// The oldest log that the tenant keeps.
    pub(crate) fn oldest() -> Self {
        Self { q: None, page: PageParameters { page: 0, per_page: 1 }, sort: Some(Direction::Ascending) }
    }

    /// True if the page behind this one could be asked for at all.
    #[must_use]
    pub fn next_is_reachable(&self) -> bool {
        self.page.next_is_reachable()
    }
}

impl Parameters for LogSearch {
    fn pairs(&self) -> Pairs<'_> {
        let mut pairs = self.page.pairs();
        // Newest first is Auth0's default too; sending it says so, whatever the default becomes.
        pairs.extend(self.sort.map(Direction::by_date));
        pairs.extend(self.q.as_deref().map(|q| ("q", q.into())));
        pairs
    }
}

/// A page of one user's logs, which Auth0 sorts by `date` alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserLogs {
    page: PageParameters,
    sort: Direction,
}

impl UserLogs {
    /// `page` counts from 0.
    ///
    /// # Errors
    ///
    /// `page` below 0, `per_page` outside 1 to 100, and a page beyond [`REACHABLE_RECORDS`](crate::auth0::argument_error::REACHABLE_RECORDS).
    pub fn new(page: i64, per_page: i64, sort: Direction) -> Result<Self, ArgumentError> {
        Ok(Self { page: PageParameters::new(page, per_page)?, sort })
    }

    /// True if the page behind this one could be asked for at all.
    #[must_use]
    pub fn next_is_reachable(&self) -> bool {
        self.page.next_is_reachable()
    }
}

impl Parameters for UserLogs {
    fn pairs(&self) -> Pairs<'_> {
        let mut pairs = self.page.pairs();
        pairs.push(self.sort.by_date());
        pairs
    }
}

/// A place in the stream of logs, and how many to read on from there, oldest first. It reaches as
/// far as the tenant keeps its logs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogCheckpoint {
    from: LogId,
    take: i64,
}

impl LogCheckpoint {
    /// The logs that follow this one, as many as there are on a page.
    pub(crate) fn page_after(from: LogId) -> Self {
        Self { from, take: LARGEST_PAGE }
    }

    /// Up to `take` logs behind the log `from`, which itself is not among them.
    ///
    /// # Errors
    ///
    /// `take` outside 1 to 100, and a `from` that [`LogId::parse`] refuses.
    pub fn new(from: &str, take: i64) -> Result<Self, ArgumentError> {
        up_to_a_page("take", take)?;
        Ok(Self { from: LogId::parse_argument("from", from)?, take })
    }
}

impl Parameters for LogCheckpoint {
    fn pairs(&self) -> Pairs<'_> {
        // Beside `from`, Auth0 ignores everything but `take`.
        vec![("from", self.from.as_str().into()), ("take", self.take.to_string().into())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth0::argument_error::ArgumentProblem;

    #[test]
    fn take_is_called_take() {
        let refused = |value| ArgumentError {
            argument: "take",
            problem: ArgumentProblem::OutOfRange { value, least: 1, most: Some(100) },
        };
        assert_eq!(LogSearch::newest(0), Err(refused(0)));
        assert_eq!(LogSearch::newest(101), Err(refused(101)));
        assert_eq!(LogCheckpoint::new("9001", 101), Err(refused(101)));
        assert_eq!(refused(101).to_string(), "`take` must be from 1 to 100, but is 101");
        assert_eq!(LogCheckpoint::new("", 1), Err(ArgumentError { argument: "from", problem: ArgumentProblem::Empty }));
    }
}
