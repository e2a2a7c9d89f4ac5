//! Holds documents and operations to the limits, and counts what is beyond those that are only measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Enforcement, Limits, Measure, variable};
use crate::graphql::document::TokenMeasures;
use crate::graphql::error::{ErrorCode, GraphqlError};
use crate::telemetry::LogThrottle;

/// Holds to [`Limits`]. Cheap to clone: all clones count together.
#[derive(Clone)]
pub(crate) struct Limiter {
    limits: Limits,
    counters: Arc<[Counter; Measure::ALL.len()]>,
}

/// Counts of what was beyond one limit, and let pass.
#[derive(Debug, Default)]
struct Counter {
    times: AtomicU64,
    greatest: AtomicU64,
    throttle: LogThrottle,
}

/// A limit that was exceeded, and the number of times that this was let pass. A document is judged when the gateway meets it and an operation for each new set of
/// variables, not again for as long as they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExceededLimit {
    pub(crate) measure: &'static str,
    pub(crate) limit: u64,
    pub(crate) times: u64,
    pub(crate) greatest: u64,
}

impl From<Limits> for Limiter {
    fn from(limits: Limits) -> Self {
        Self { limits, counters: Arc::default() }
    }
}

impl Limiter {
    /// True if most of what is beyond a limit is let pass.
    pub(crate) fn only_measures(&self) -> bool {
        self.limits.enforcement == Enforcement::Measure
    }

    /// The limits that were exceeded, by measure.
    pub(crate) fn exceeded(&self) -> impl Iterator<Item = ExceededLimit> {
        Measure::ALL.into_iter().zip(&*self.counters).filter_map(|((measure, name, _), counter)| {
            let times = counter.times.load(Ordering::Relaxed);
            let greatest = counter.greatest.load(Ordering::Relaxed);
            let limit = self.limits.of(measure);
            (times > 0).then_some(ExceededLimit { measure: name, limit, times, greatest })
        })
    }

    /// Judges the text of a document, before it is looked at.
    pub(crate) fn check_length(&self, text: &str) -> Result<(), GraphqlError> {
        self.hold(Measure::Bytes, text.len() as u64)
    }

    /// Judges the tokens of a document, before it is parsed.
    pub(crate) fn check_tokens(&self, measures: &TokenMeasures) -> Result<(), GraphqlError> {
        let TokenMeasures { tokens, nesting, word } = *measures;
        self.hold(Measure::Tokens, tokens)?;
        self.hold(Measure::Word, word)?;
        self.hold(Measure::Nesting, nesting)
    }

    /// Judges the value that a caller gave for a variable, in JSON.
    pub(crate) fn check_variable(&self, value: &str) -> Result<(), GraphqlError> {
        let variable::ValueMeasures { nesting, list, string } = variable::measure(value);
        self.hold(Measure::Nesting, nesting)?;
        self.hold(Measure::List, list)?;
        self.hold(Measure::String, string)
    }

    /// Judges an operation in normal form: the number of calls to Auth0 that are certain to come, and its cost in values.
    pub(crate) fn check_operation(&self, calls: u64, cost: u64) -> Result<(), GraphqlError> {
        self.hold(Measure::UpstreamCalls, calls)?;
        self.hold(Measure::Cost, cost)
    }

    /// The most calls to Auth0 that an operation may make.
    pub(crate) fn upstream_calls(&self) -> u32 {
        self.limits.upstream_calls
    }

    /// Judges the number of calls that an operation with a join for each record can come to, before the first of them is made. Pages
    /// of at most `largest_page` records keep within the limit, if any do.
    pub(crate) fn check_joins(&self, calls: u64, largest_page: Option<u64>) -> Result<(), GraphqlError> {
        self.hold(Measure::UpstreamCalls, calls).map_err(|failure| {
            let limit = self.limits.upstream_calls;
            let (advice, failure) = match largest_page {
                Some(page) => {
                    (format!("Pages of at most {page} records fit."), failure.with("largestPage", page))
                }
                None => ("No page is small enough: leave out a join.".to_owned(), failure),
            };
            let message = format!(
                "The operation can come to {calls} calls to Auth0, one for each record that is joined to, and the limit is {limit}. {advice}"
            );
            GraphqlError { message, ..failure }
        })
    }

    pub(super) fn hold(&self, measure: Measure, value: u64) -> Result<(), GraphqlError> {
        let limit = self.limits.of(measure);
        if value <= limit {
            return Ok(());
        }
        if self.only_measures() && !measure.guards_the_process() {
            self.count(measure, limit, value);
            return Ok(());
        }
        let unit = measure.unit();
        let message =
            format!("The document is too complex: {value} {unit}, and the limit is {limit}. Ask for less at once.");
        Err(GraphqlError::new(ErrorCode::TooComplex, message)
            .with("measure", measure.name())
            .with("limit", limit)
            .with("value", value))
    }

    fn count(&self, measure: Measure, limit: u64, value: u64) {
        let Some(counter) = self.counters.get(measure as usize) else { return };
        counter.times.fetch_add(1, Ordering::Relaxed);
        let greatest = counter.greatest.fetch_max(value, Ordering::Relaxed).max(value);
        if let Some(times) = counter.throttle.count() {
            let measure = measure.name();
            tracing::warn!(
                measure,
                times,
                limit,
                greatest,
                "beyond a limit: with LIMITS=enforce this would be refused"
            );
        }
    }
}
