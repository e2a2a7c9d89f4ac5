//! Parameters of Auth0's lists. Constructing a value is the validation: whatever exists can be sent.

mod logs;

use std::borrow::Cow;

pub use self::logs::{LogCheckpoint, LogSearch, UserLogs};
use super::argument_error::{ArgumentError, ArgumentProblem, REACHABLE_RECORDS, check_text};
use super::ids::Email;

/// The most records that Auth0 gives in one answer, as `per_page` or `take`.
pub const LARGEST_PAGE: i64 = 100;

/// The most bytes of a search. Longer ones risk a 414 from Auth0, which gives no limit of its own.
pub const LONGEST_Q: usize = 4096;

/// Parameters of a list.
pub(crate) trait Parameters {
    /// The parameters as the query of a request has them, in its order.
    fn pairs(&self) -> Pairs<'_>;
}

/// Names and values of parameters.
pub(crate) type Pairs<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// Direction in which a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Smallest or oldest first.
    Ascending,
    /// Greatest or newest first.
    Descending,
}

impl Direction {
    /// The other one.
    pub(super) fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }

    fn wire(self) -> &'static str {
        match self {
            Self::Ascending => "1",
            Self::Descending => "-1",
        }
    }

    /// The parameter that sorts logs: `date` is the one key that Auth0 documents.
    fn by_date(self) -> (&'static str, Cow<'static, str>) {
        ("sort", format!("date:{}", self.wire()).into())
    }
}

/// A page of a search: which records of the result, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct PageParameters {
    page: i64,
    per_page: i64,
}

impl PageParameters {
    fn new(page: i64, per_page: i64) -> Result<Self, ArgumentError> {
        at_least_zero("page", page)?;
        up_to_a_page("perPage", per_page)?;
        let page = Self { page, per_page };
        if !page.is_reachable() {
            return Err(ArgumentError { argument: "page", problem: ArgumentProblem::BeyondReach });
        }
        Ok(page)
    }

    fn is_reachable(self) -> bool {
        self.page.saturating_add(1).saturating_mul(self.per_page) <= REACHABLE_RECORDS
    }

    fn next_is_reachable(self) -> bool {
        Self { page: self.page + 1, ..self }.is_reachable()
    }

    fn pairs(self) -> Pairs<'static> {
        vec![("page", self.page.to_string().into()), ("per_page", self.per_page.to_string().into())]
    }
}

/// A page of a search for users.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserSearch {
    q: Option<String>,
    page: PageParameters,
    sort: Option<(String, Direction)>,
    with_total: bool,
}

impl UserSearch {
    /// `q` is in Auth0's user search syntax; a blank one is none. `page` counts from 0. `sort` has
    /// a profile attribute, such as `created_at`; without it the order is Auth0's.
    ///
    /// # Errors
    ///
    /// `page` below 0, `per_page` outside 1 to 100, a page beyond [`REACHABLE_RECORDS`], and a `q`
    /// that is longer than 4096 bytes or holds control characters.
    pub fn new(
        q: Option<&str>,
        page: i64,
        per_page: i64,
        sort: Option<(String, Direction)>,
    ) -> Result<Self, ArgumentError> {
        Ok(Self { q: searchable(q)?, page: PageParameters::new(page, per_page)?, sort, with_total: false })
    }

    /// The same, that asks for [`Page::total`](super::page::Page::total) too or does not.
    #[must_use]
    pub fn with_total(self, with_total: bool) -> Self {
        Self { with_total, ..self }
    }

    /// True if the page behind this one could be asked for at all.
    #[must_use]
    pub fn next_is_reachable(&self) -> bool {
        self.page.next_is_reachable()
    }
}

impl Parameters for UserSearch {
    fn pairs(&self) -> Pairs<'_> {
        let mut pairs = self.page.pairs();
        // Without it a tenant may still be searched by an older engine with another syntax.
        pairs.push(("search_engine", "v3".into()));
        pairs.extend(self.q.as_deref().map(|q| ("q", q.into())));
        pairs.extend(self.sort.as_ref().map(|(key, by)| ("sort", format!("{key}:{}", by.wire()).into())));
        pairs.extend(self.with_total.then(|| ("include_totals", "true".into())));
        pairs
    }
}

impl Parameters for Email {
    fn pairs(&self) -> Pairs<'_> {
        vec![("email", self.as_str().into())]
    }
}

/// The part of a list that is asked for, by the parameters that its endpoint has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListPart(ListRange);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum ListRange {
    Whole,
    Page(PageParameters),
    Checkpoint { from: Option<String>, take: i64 },
}

impl ListPart {
    /// The whole list, of an endpoint without parameters.
    #[must_use]
    pub fn whole() -> Self {
        Self(ListRange::Whole)
    }

    /// A page; `page` counts from 0.
    ///
    /// # Errors
    ///
    /// As for the pages of [`UserSearch::new`].
    pub fn page(page: i64, per_page: i64) -> Result<Self, ArgumentError> {
        Ok(Self(ListRange::Page(PageParameters::new(page, per_page)?)))
    }

    /// Up to `take` records: the first, or those from where an answer said that the list goes on.
    ///
    /// # Errors
    ///
    /// `take` outside 1 to 100, and a `from` that is empty, longer than 4096 bytes or holds control characters.
    pub fn checkpoint(from: Option<String>, take: i64) -> Result<Self, ArgumentError> {
        up_to_a_page("take", take)?;
        if let Some(from) = &from {
            check_text("from", from, LONGEST_Q)?;
        }
        Ok(Self(ListRange::Checkpoint { from, take }))
    }

    /// True if the page behind this one could be asked for at all.
    #[must_use]
    pub fn next_is_reachable(&self) -> bool {
        matches!(&self.0, ListRange::Page(page) if page.next_is_reachable())
    }
}

impl Parameters for ListPart {
    fn pairs(&self) -> Pairs<'_> {
        match &self.0 {
            ListRange::Whole => Vec::new(),
            ListRange::Page(page) => page.pairs(),
            ListRange::Checkpoint { from, take } => {
                let from = from.iter().map(|from| ("from", from.into()));
                from.chain([("take", take.to_string().into())]).collect()
            }
        }
    }
}

fn at_least_zero(argument: &'static str, value: i64) -> Result<(), ArgumentError> {
    if value < 0 {
        return Err(ArgumentError { argument, problem: ArgumentProblem::OutOfRange { value, least: 0, most: None } });
    }
    Ok(())
}

/// Refused rather than clamped: a page that is silently smaller than asked for makes its reader
/// skip records.
fn up_to_a_page(argument: &'static str, value: i64) -> Result<(), ArgumentError> {
    if !(1..=LARGEST_PAGE).contains(&value) {
        let problem = ArgumentProblem::OutOfRange { value, least: 1, most: Some(LARGEST_PAGE) };
        return Err(ArgumentError { argument, problem });
    }
    Ok(())
}

fn searchable(q: Option<&str>) -> Result<Option<String>, ArgumentError> {
    let Some(q) = q.filter(|q| !q.trim().is_empty()) else {
        return Ok(None);
    };
    check_text("q", q, LONGEST_Q)?;
    Ok(Some(q.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(page: i64, per_page: i64) -> Result<UserSearch, ArgumentError> {
        UserSearch::new(None, page, per_page, None)
    }

    #[test]
    fn a_page_is_within_bounds_and_within_reach() {
        for (page, per_page) in [(0, 1), (0, 100), (9, 100), (999, 1), (19, 50)] {
            assert!(search(page, per_page).is_ok(), "{page} {per_page}");
        }
        for (page, per_page, argument) in [
            (-1, 50, "page"),
            (i64::MIN, 50, "page"),
            (0, 0, "perPage"),
            (0, -1, "perPage"),
            (0, 101, "perPage"),
            (0, i64::MAX, "perPage"),
            (10, 100, "page"),
            (1000, 1, "page"),
            (20, 50, "page"),
            (i64::MAX, 100, "page"),
            (i64::MAX, 1, "page"),
        ] {
            assert_eq!(search(page, per_page).map_err(|e| e.argument), Err(argument), "{page} {per_page}");
        }
    }

    #[test]
    fn the_last_page_within_reach_has_no_next() {
        assert_eq!(search(8, 100).map(|s| s.next_is_reachable()), Ok(true));
        assert_eq!(search(9, 100).map(|s| s.next_is_reachable()), Ok(false));
        assert_eq!(search(9, 99).map(|s| s.next_is_reachable()), Ok(false));
    }

    #[test]
    fn a_page_beyond_reach_says_how_to_get_further() {
        let message = search(10, 100).map_err(|e| e.to_string());
        insta::assert_snapshot!(message.err().unwrap_or_default(), @"`page` lies too far in: Auth0 gives out only the first 1000 records of a search, so (page + 1) * perPage must not exceed 1000. Narrow the search with `q`, for example to a span of time, and start again at page 0");
    }

    #[test]
    fn a_blank_q_is_none_and_a_wild_one_is_refused() {
        for blank in [None, Some(""), Some("  \t")] {
            assert_eq!(UserSearch::new(blank, 0, 50, None), search(0, 50));
        }
        for (q, problem) in [
            ("name:a\nb".to_owned(), ArgumentProblem::ControlCharacter),
            ("a".repeat(4097), ArgumentProblem::TooLong { most: 4096 }),
        ] {
            let refused = ArgumentError { argument: "q", problem };
            assert_eq!(UserSearch::new(Some(&q), 0, 50, None), Err(refused.clone()));
            assert_eq!(LogSearch::new(Some(&q), 0, 50, Direction::Descending), Err(refused));
        }
        assert!(UserSearch::new(Some(&"a".repeat(4096)), 0, 50, None).is_ok());
    }
}
