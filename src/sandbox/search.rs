//! Search queries: Lucene's classic grammar, read into an [`Expression`] of tests, which [`users`] and [`logs`] hold against
//! their records, each by the rules that Auth0 documents for it.

use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};

pub(crate) mod logs;
mod moment;
mod pattern;
pub(crate) mod syntax;
mod token;
pub(crate) mod users;

use super::clock::{from_millis, rfc3339};
use moment::Moment;
use pattern::Pattern;
use syntax::Value;

/// A query whose grammar is right.
#[derive(Debug, Clone)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) enum Expression {
    /// `*`, or an empty query.
    Everything,
    Not(Box<Expression>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Leaf(Leaf),
}

/// A test of a field; without one, of every field that bare terms search.
#[derive(Debug, Clone)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) struct Leaf {
    /// The field; with `*` in it, every field that fits.
    pub(crate) field: Option<String>,
    pub(crate) test: Test,
}

/// Most bytes of a regular expression that is compiled. Lucene has a bound, too; this one is so that a search full of them ends.
const LARGEST_REGEX: usize = 256 << 10;

/// The test that a field is held against.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    /// `_exists_:field`, or `field:*`.
    Exists,
    /// A word, a phrase or a wildcard.
    Term(Pattern),
    /// `/…/`
    Regex(Regex),
    /// `word~`, and how many letters may differ.
    Fuzzy { text: String, edits: usize },
    /// `[a TO b]`, `{a TO b}`, `>a` and their mixtures.
    Range { lower: Bound, upper: Bound },
}

/// An end of a range.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Bound {
    Open,
    Inclusive(Edge),
    Exclusive(Edge),
}

/// The text at the end of a range, and the span of time that it is if it is a date.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Edge {
    text: String,
    date: Option<Box<Date>>,
}

/// A moment, and its first and its last millisecond as profiles have them.
#[derive(Debug, Clone, PartialEq)]
struct Date {
    moment: Moment,
    written: [String; 2],
}

impl Edge {
    fn new(text: String) -> Self {
        let date = Moment::parse(&text).map(|moment| {
            let written = [moment.first, moment.last].map(|at| rfc3339(from_millis(at)));
            Box::new(Date { moment, written })
        });
        Self { text, date }
    }

    fn moment(&self) -> Option<Moment> {
        self.date.as_ref().map(|date| date.moment)
    }
}

/// The query is not in the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SyntaxError;

/// Reads a query. An empty one finds everything, as no query does.
pub(crate) fn parse(query: &str) -> Result<Expression, SyntaxError> {
    if query.trim().is_empty() {
        return Ok(Expression::Everything);
    }
    syntax::read(query, &mut expression)
}

/// The test that a field and a value stand for, by Lucene and by what Elasticsearch adds to it: `_exists_`, comparisons.
fn expression(field: Option<&str>, value: Value) -> Result<Expression, SyntaxError> {
    let is_star = matches!(&value, Value::Wildcard(text) if text == "*");
    let (field, test) = match (field, value) {
        (None | Some("*"), _) if is_star => return Ok(Expression::Everything),
        (Some("_exists_"), Value::Word(name) | Value::Phrase(name) | Value::Wildcard(name)) => {
            (Some(name), Test::Exists)
        }
        (Some("_exists_"), Value::Prefix(name)) => (Some(name + "*"), Test::Exists),
        (field, _) if is_star => (field.map(str::to_owned), Test::Exists),
        (field, value) => (field.map(str::to_owned), test(value)?),
    };
    Ok(Expression::Leaf(Leaf { field, test }))
}

fn test(value: Value) -> Result<Test, SyntaxError> {
    Ok(match value {
        Value::Word(text) => comparison(&text).unwrap_or_else(|| Test::Term(Pattern::exact(&text))),
        Value::Phrase(text) => Test::Term(Pattern::exact(&text)),
        Value::Prefix(text) => Test::Term(Pattern::prefix(&text)),
        Value::Wildcard(text) => Test::Term(Pattern::wildcard(&text)),
        Value::Regex(text) => Test::Regex(regex(&text).map_err(|_| SyntaxError)?),
        Value::Fuzzy(text, distance) => Test::Fuzzy { edits: edits(&text, distance), text },
        Value::Range { lower, upper, lower_inclusive, upper_inclusive } => {
            Test::Range { lower: bound(lower, lower_inclusive), upper: bound(upper, upper_inclusive) }
        }
    })
}

fn regex(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&format!("^(?:{text})$")).size_limit(LARGEST_REGEX).build()
}

fn bound(text: Option<String>, inclusive: bool) -> Bound {
    match text.map(Edge::new) {
        None => Bound::Open,
        Some(edge) if inclusive => Bound::Inclusive(edge),
        Some(edge) => Bound::Exclusive(edge),
    }
}

/// `>a`, `>=a`, `<a` and `<=a`.
fn comparison(text: &str) -> Option<Test> {
    let (sign, text) = text.split_at_checked(1)?;
    let (inclusive, text) = text.strip_prefix('=').map_or((false, text), |text| (true, text));
    let edge = bound(Some(text.to_owned()).filter(|text| !text.is_empty()), inclusive);
    match (sign, edge) {
        (_, Bound::Open) => None,
        (">", edge) => Some(Test::Range { lower: edge, upper: Bound::Open }),
        ("<", edge) => Some(Test::Range { lower: Bound::Open, upper: edge }),
        _ => None,
    }
}

/// The number of letters that may differ: at most two, and less than one is a likeness.
fn edits(text: &str, distance: Option<f32>) -> usize {
    const MOST: f32 = 2.0;
    let edits = match distance.unwrap_or(MOST) {
        likeness if likeness > 0.0 && likeness < 1.0 => (1.0 - likeness) * text.chars().count() as f32,
        edits => edits,
    };
    edits.min(MOST) as usize
}

impl Expression {
    /// True if a record is found that answers the single tests by `matches`.
    pub(crate) fn holds(&self, matches: &impl Fn(&Leaf) -> bool) -> bool {
        match self {
            Expression::Everything => true,
            Expression::Not(inner) => !inner.holds(matches),
            Expression::All(parts) => parts.iter().all(|part| part.holds(matches)),
            Expression::Any(parts) => parts.iter().any(|part| part.holds(matches)),
            Expression::Leaf(leaf) => matches(leaf),
        }
    }

    /// Shows every single test to `check`, up to the first that it refuses.
    pub(crate) fn check<E>(&self, check: &impl Fn(&Leaf) -> Result<(), E>) -> Result<(), E> {
        match self {
            Expression::Everything => Ok(()),
            Expression::Not(inner) => inner.check(check),
            Expression::All(parts) | Expression::Any(parts) => parts.iter().try_for_each(|part| part.check(check)),
            Expression::Leaf(leaf) => check(leaf),
        }
    }
}

/// True if a value lies between two bounds, by the `side` of a bound that it is on. A value that
/// cannot be compared with a bound is outside.
fn within(lower: &Bound, upper: &Bound, side: impl Fn(&Edge) -> Option<Ordering>) -> bool {
    let above = match lower {
        Bound::Open => true,
        Bound::Inclusive(edge) => side(edge).is_some_and(Ordering::is_ge),
        Bound::Exclusive(edge) => side(edge).is_some_and(Ordering::is_gt),
    };
    above
        && match upper {
            Bound::Open => true,
            Bound::Inclusive(edge) => side(edge).is_some_and(Ordering::is_le),
            Bound::Exclusive(edge) => side(edge).is_some_and(Ordering::is_lt),
        }
}

#[cfg(test)]
mod tests {
    use super::syntax::DEEPEST;
    use super::*;

    impl PartialEq for Test {
        fn eq(&self, other: &Self) -> bool {
            format!("{self:?}") == format!("{other:?}")
        }
    }

    fn term(field: &str, text: &str) -> Expression {
        Expression::Leaf(Leaf { field: Some(field.to_owned()), test: Test::Term(Pattern::exact(text)) })
    }

    #[test]
    fn phrases_and_escapes_give_the_same_exact_term() {
        let ada = term("user_id", "auth0|ada");
        assert_eq!(parse(r#"user_id:"auth0|ada""#), Ok(ada.clone()));
        assert_eq!(parse(r"user_id:auth0\|ada"), Ok(ada.clone()));
        assert_eq!(parse("user_id:auth0|ada"), Ok(ada));
        assert_eq!(parse(r"name:John\ Doe"), Ok(term("name", "John Doe")));
        assert_eq!(parse("name:O'Brien"), Ok(term("name", "O'Brien")));
        assert_eq!(parse(r"name:a\*b"), Ok(term("name", "a*b")));
        assert_eq!(parse(r"name:a\\b"), Ok(term("name", r"a\b")));
        assert_eq!(parse(r#"name:"say \"hi\"""#), Ok(term("name", r#"say "hi""#)));
        assert_eq!(parse(r"description:\/api\/v2\/"), Ok(term("description", "/api/v2/")));
        assert_eq!(parse(r"name:\u0061da"), Ok(term("name", "ada")));
    }

    #[test]
    fn operators_combine_as_lucene_says() {
        let (a, b, c) = (term("x", "a"), term("x", "b"), term("x", "c"));
        let not = |inner: &Expression| Expression::Not(Box::new(inner.clone()));
        let any = |parts: &[&Expression]| Expression::Any(parts.iter().copied().cloned().collect());
        let all = |parts: &[&Expression]| Expression::All(parts.iter().copied().cloned().collect());
        assert_eq!(parse("x:(a OR b)"), Ok(any(&[&a, &b])));
        assert_eq!(parse("x:a x:b"), Ok(any(&[&a, &b])));
        assert_eq!(parse("x:a AND x:b"), Ok(all(&[&a, &b])));
        assert_eq!(parse("x:a OR x:b AND x:c"), Ok(any(&[&a, &all(&[&b, &c])])));
        assert_eq!(parse("NOT x:a"), Ok(not(&a)));
        assert_eq!(parse("-x:a"), Ok(not(&a)));
        assert_eq!(parse("NOT x:a OR x:b"), Ok(any(&[&not(&a), &b])));
        assert_eq!(parse("x:a AND NOT x:b"), Ok(all(&[&a, &not(&b)])));
        assert_eq!(parse("+x:a x:b"), Ok(a.clone()), "an optional clause decides nothing");
        assert_eq!(parse("x:a -x:b"), Ok(all(&[&not(&b), &a])));
    }

    #[test]
    fn ranges_take_dates_quotes_and_open_ends() {
        let range = |query: &str| match parse(query) {
            Ok(Expression::Leaf(Leaf { test: Test::Range { lower, upper }, .. })) => (lower, upper),
            other => panic!("{query}: {other:?}"),
        };
        let edge = |text: &str| Edge::new(text.to_owned());
        let day = edge("2026-01-01T00:00:00.000Z");
        assert_eq!(range("created_at:[2026-01-01T00:00:00.000Z TO *]"), (Bound::Inclusive(day.clone()), Bound::Open));
        assert_eq!(
            range(r#"created_at:{"2026-01-01T00:00:00.000Z" TO *}"#),
            (Bound::Exclusive(day.clone()), Bound::Open)
        );
        assert_eq!(range("logins_count:[1 TO 5}"), (Bound::Inclusive(edge("1")), Bound::Exclusive(edge("5"))));
        assert_eq!(range("logins_count:>=10"), (Bound::Inclusive(edge("10")), Bound::Open));
    }

    #[test]
    fn existence_and_everything() {
        let exists = |field: &str| Ok(Expression::Leaf(Leaf { field: Some(field.into()), test: Test::Exists }));
        assert_eq!(parse("_exists_:app_metadata.plan"), exists("app_metadata.plan"));
        assert_eq!(parse("email:*"), exists("email"));
        assert_eq!(parse("*"), Ok(Expression::Everything));
        assert_eq!(parse(""), Ok(Expression::Everything));
    }

    /// The first test that a query makes in the default fields.
    fn bare(query: &str) -> Option<Test> {
        let first = std::cell::RefCell::new(None);
        let stop = parse(query).expect(query).check(&|leaf| match leaf {
            Leaf { field: None, test } => Err(first.replace(Some(test.clone()))),
            Leaf { .. } => Ok(()),
        });
        stop.is_err().then(|| first.take()).flatten()
    }

    #[test]
    fn corners_of_the_grammar_are_lucene_s() {
        let gold = Some(Test::Term(Pattern::exact("gold")));
        for query in [
            "name:- gold",
            "name:+ gold",
            "name:! gold",
            "name:& gold",
            "name:= gold",
            "name:\u{a0} gold",
            "name:ada\u{3000}gold",
            "name:ada!gold",
            "name:[a\"b TO c] gold",
            "name:[a\tb TO c] gold",
            "name:ada^2gold",
            "name:(ada)gold",
            "name:ada\"gold\"",
            "name:\"ada\"~2 gold",
            "name:ada~0.5^2 gold",
            "name:/a\\/b/gold",
        ] {
            assert_eq!(bare(query), gold, "{query}");
        }
        assert_eq!(bare("name:ada gold*"), Some(Test::Term(Pattern::prefix("gold"))));
        assert!(matches!(bare("name:a/gold.*/"), Some(Test::Regex(_))));
        assert_eq!(bare("name: ada"), None);
        assert_eq!(parse(r"app_\*.plan:gold"), Ok(term("app_*.plan", "gold")));
        for query in ["name:|| gold", "name:&& gold", "name:ada || || gold"] {
            assert_eq!(parse(query), Err(SyntaxError), "{query}");
        }
    }

    #[test]
    fn what_is_not_lucene_is_refused_and_never_panics() {
        let deep = "(".repeat(20_000);
        let nots = "NOT ".repeat(20_000);
        for query in [
            "email:",
            "(a",
            "a)",
            "\"a",
            "a\\",
            "log_id:[ TO *]",
            "x:[a TO",
            "x:y:z",
            "AND",
            "x:IN [a b]",
            "()",
            "NOT NOT a",
            "a AND OR b",
            "name:a^",
            r"name:\u00",
            "name:/a",
            ":",
            "a OR",
            &deep,
            &nots,
        ] {
            assert_eq!(parse(query), Err(SyntaxError), "{}", &query[..query.len().min(20)]);
        }
    }

    #[test]
    fn the_deepest_query_that_is_read_fits_a_small_stack() {
        let parens = format!("{}x:a{}", "(".repeat(DEEPEST), ")".repeat(DEEPEST));
        let both = format!("{}x:a{}", "(NOT ".repeat(DEEPEST), ")".repeat(DEEPEST));
        for query in [parens, both] {
            let read =
                std::thread::Builder::new().stack_size(1 << 20).spawn(move || parse(&query).is_ok()).expect("a thread");
            assert!(read.join().expect("no overflow"));
        }
    }
}
