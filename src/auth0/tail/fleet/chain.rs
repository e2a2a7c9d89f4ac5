//! The place of a replica in the stream. Pure.

use std::time::Duration;

use crate::shared_state::StreamId;

/// Time before the last entry from which on a replica reads that comes from elsewhere: what was pushed shortly before cannot be read from
/// Auth0 yet.
const LOOK_BACK: Duration = Duration::from_secs(15);

/// The place of a replica in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chain {
    /// It comes from elsewhere, and takes in what follows an id.
    Joining {
        /// The id.
        after: StreamId,
        /// The last entry there was when it came.
        last: StreamId,
    },
    /// It has taken in all up to this entry; of a stream without any if there is none.
    Behind(Option<StreamId>),
}

impl Chain {
    /// The place of one who comes from elsewhere, while that is the stream's last entry.
    pub(super) fn joining(last: Option<StreamId>) -> Self {
        last.map_or(Self::Behind(None), |last| Self::Joining { after: last.earlier(LOOK_BACK), last })
    }

    /// The place of one who comes back, while that is the stream's last entry.
    pub(super) fn rejoining(self, last: Option<StreamId>) -> Self {
        match self {
            Self::Behind(Some(own)) if last.is_some_and(|last| last >= own) => self,
            // The stream has begun anew.
            _ => Self::joining(last),
        }
    }

    /// The id behind which to read on.
    pub(super) fn after(self) -> StreamId {
        match self {
            Self::Joining { after, .. } => after,
            Self::Behind(id) => id.unwrap_or(StreamId::LOWEST),
        }
    }

    /// The last entry that was taken in, if that is known and there is one.
    pub(super) fn last(self) -> Option<StreamId> {
        match self {
            Self::Joining { .. } => None,
            Self::Behind(id) => id,
        }
    }

    /// True if nothing is missing before the entry `id`, which was written behind `previous`.
    pub(super) fn is_continued_by(self, id: StreamId, previous: Option<StreamId>) -> bool {
        match self {
            // What was before it came is read from Auth0, but for what was pushed lately.
            Self::Joining { last, .. } => id <= last || previous == Some(last),
            Self::Behind(own) => own == previous,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> StreamId {
        StreamId::parse(text).unwrap()
    }

    #[test]
    fn who_has_taken_in_an_entry_misses_nothing_if_the_next_was_written_behind_it() {
        let chain = Chain::Behind(Some(id("20000-1")));
        let next = id("20007-0");
        assert!(chain.is_continued_by(next, Some(id("20000-1"))));
        assert!(!chain.is_continued_by(next, Some(id("20000-2"))) && !chain.is_continued_by(next, None));
        assert_eq!(chain.after(), id("20000-1"));
        let empty = Chain::joining(None);
        assert!(empty.is_continued_by(next, None) && !empty.is_continued_by(next, Some(id("1-1"))));
        assert_eq!(empty.after(), StreamId::LOWEST);
    }

    #[test]
    fn who_comes_from_elsewhere_begins_some_time_before_the_end() {
        let chain = Chain::joining(Some(id("20000-1")));
        assert_eq!(chain.after(), id("5000-0"));
        assert!(chain.is_continued_by(id("6000-0"), Some(id("4999-0"))), "what is older is read");
        assert!(chain.is_continued_by(id("20007-0"), Some(id("20000-1"))));
        assert!(!chain.is_continued_by(id("20009-0"), Some(id("20007-0"))), "one that followed is not there any more");
    }

    #[test]
    fn who_comes_back_goes_on_where_it_was_unless_the_stream_has_begun_anew() {
        let chain = Chain::Behind(Some(id("20000-1")));
        assert_eq!(chain.rejoining(Some(id("20000-1"))), chain);
        assert_eq!(chain.rejoining(Some(id("90000-1"))), chain);
        assert_eq!(chain.rejoining(Some(id("20000-0"))), Chain::joining(Some(id("20000-0"))));
        assert_eq!(chain.rejoining(None), Chain::Behind(None));
        let joining = Chain::joining(Some(id("20000-1")));
        assert_eq!(Chain::joining(Some(id("1-0"))).rejoining(Some(id("20000-1"))), joining);
    }
}
