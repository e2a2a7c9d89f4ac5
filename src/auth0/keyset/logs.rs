//! The order in which logs are walked, and what to ask for next. Pure.
//!
//! Auth0 gives logs newest first by their ids when no order is asked for, and ids grow with time. Each call asks for the first page of those
//! up to the last that was given, which the search counts in. What arrives meanwhile is newer than where the walk began.

use super::super::error::Error;
use super::super::ids::LogId;
use super::super::list_parameters::LARGEST_PAGE;

const PAGE: u32 = LARGEST_PAGE as u32;

/// A place in a walk over logs: the last that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogPosition(pub(super) Option<LogId>);

/// A call to make: the first page of the logs up to this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogCall {
    pub(super) up_to: Option<LogId>,
    pub(super) per_page: u32,
}

/// A log to give: its index in the answer, and the position behind.
pub(super) type FoundLog = (usize, LogPosition);

/// Decides about a walk over logs.
#[derive(Debug, Clone)]
pub(super) struct LogPlanner {
    position: LogPosition,
    is_done: bool,
}

impl LogPlanner {
    pub(super) fn new(position: LogPosition) -> Self {
        Self { position, is_done: false }
    }

    /// True when all has been given.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// The position behind everything that was given.
    pub(super) fn position(&self) -> &LogPosition {
        &self.position
    }

    /// The next call, if so many logs are wanted.
    pub(super) fn call(&self, wanted: u32) -> LogCall {
        let LogPosition(last) = &self.position;
        LogCall { up_to: last.clone(), per_page: wanted.saturating_add(u32::from(last.is_some())).min(PAGE) }
    }

    /// Takes in the answer to a call; `None` stands for a record that has no id. Gives out which are to be given, in order.
    pub(super) fn answered(&mut self, call: &LogCall, answer: &[Option<LogId>]) -> Result<Vec<FoundLog>, Error> {
        let placed = answer.iter().enumerate().filter_map(|(index, id)| Some((index, id.as_ref()?)));
        let placed: Vec<_> = placed.collect();
        let LogPosition(last) = &self.position;
        let is_in_order = placed.is_sorted_by(|(_, one), (_, other)| one > other);
        if !is_in_order || placed.iter().any(|(_, id)| last.as_ref().is_some_and(|last| *id > last)) {
            return Err(Error::Disordered);
        }
        let is_new = |id: &LogId| last.as_ref().is_none_or(|last| id < last);
        let found = placed.iter().filter(|(_, id)| is_new(id));
        let found: Vec<_> = found.map(|(index, id)| (*index, LogPosition(Some((*id).clone())))).collect();
        self.is_done = answer.len() < call.per_page as usize;
        match found.last() {
            Some((_, position)) => self.position = position.clone(),
            // A page of nothing that has a place: there is no way to get behind it.
            None if !self.is_done => return Err(Error::Disordered),
            None => {}
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[u32]) -> Vec<Option<LogId>> {
        ids.iter().map(|id| LogId::parse(&format!("{id:04}")).ok()).collect()
    }

    fn indices(found: &[FoundLog]) -> Vec<usize> {
        found.iter().map(|(index, _)| *index).collect()
    }

    #[test]
    fn the_last_that_was_given_is_asked_for_again_and_not_given_twice() {
        let mut planner = LogPlanner::new(LogPosition(None));
        let call = planner.call(3);
        assert_eq!((call.up_to.clone(), call.per_page), (None, 3));
        assert_eq!(indices(&planner.answered(&call, &ids(&[9, 8, 7])).unwrap()), [0, 1, 2]);
        let call = planner.call(3);
        assert_eq!((call.up_to.clone(), call.per_page), (LogId::parse("0007").ok(), 4));
        assert_eq!(indices(&planner.answered(&call, &ids(&[7, 5])).unwrap()), [1]);
        assert!(planner.is_done());
    }

    #[test]
    fn an_order_that_is_not_understood_is_refused() {
        for answer in [&[7, 8][..], &[8, 8]] {
            let mut planner = LogPlanner::new(LogPosition(None));
            let call = planner.call(3);
            assert!(matches!(planner.answered(&call, &ids(answer)), Err(Error::Disordered)));
        }
        let mut planner = LogPlanner::new(LogPosition(LogId::parse("0007").ok()));
        let call = planner.call(3);
        assert!(matches!(planner.answered(&call, &ids(&[8])), Err(Error::Disordered)));
    }
}
