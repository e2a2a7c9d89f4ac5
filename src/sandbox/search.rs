//! Auth0's query language: a Lucene query becomes an [`Expression`], which [`users`] and
//! [`logs`] hold against their records, each by its own rules.
//!
//! `tantivy-query-grammar` reads the grammar, after [`shield`] has taken out of its way what is not
//! Lucene as Auth0 documents it.

use std::cmp::Ordering;

use tantivy_query_grammar::{Delimiter, Occur, UserInputAst, UserInputBound, UserInputLeaf, UserInputLiteral};

pub(crate) mod logs;
mod moment;
mod pattern;
mod shield;
pub(crate) mod users;

use moment::Moment;
use pattern::Pattern;

/// A query whose grammar is right.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    /// `*`, or an empty query.
    Everything,
    Not(Box<Expression>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Leaf(Leaf),
}

/// One test of one field; without a field, of every field that bare terms search.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Leaf {
    pub(crate) field: Option<String>,
    pub(crate) test: Test,
}

/// What a field is held against.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    /// `_exists_:field`, or `field:*`.
    Exists,
    /// A word, a phrase or a wildcard.
    Term(Pattern),
    /// `[a TO b]`, `{a TO b}`, `>a` and their mixtures.
    Range { lower: Bound, upper: Bound },
}

/// One end of a range.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Bound {
    Open,
    Inclusive(Edge),
    Exclusive(Edge),
}

/// What stands at the end of a range, and the span of time that it is if it is a date.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Edge {
    text: String,
    moment: Option<Moment>,
}

impl Edge {
    fn new(text: String) -> Self {
        let moment = Moment::parse(&text);
        Self { text, moment }
    }
}

/// The query is not in the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SyntaxError;

/// Reads a query.
pub(crate) fn parse(query: &str) -> Result<Expression, SyntaxError> {
    let shielded = shield::shield(query)?;
    let ast = tantivy_query_grammar::parse_query(&shielded).map_err(|_| SyntaxError)?;
    expression(ast)
}

impl Expression {
    /// Whether a record that answers the single tests by `matches` is found.
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

/// Whether a value lies between two bounds, by the `side` of a bound that it is on. A value that
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

fn expression(ast: UserInputAst) -> Result<Expression, SyntaxError> {
    match ast {
        UserInputAst::Clause(clauses) => combine(clauses),
        // A boost orders by relevance, and neither endpoint does.
        UserInputAst::Boost(inner, _) => expression(*inner),
        UserInputAst::Leaf(leaf) => single(*leaf),
    }
}

/// Lucene's reading of a list of clauses: with a required clause the optional ones decide
/// nothing; without, one of the optional ones has to hold.
fn combine(clauses: Vec<(Option<Occur>, UserInputAst)>) -> Result<Expression, SyntaxError> {
    let (mut required, mut optional) = (Vec::new(), Vec::new());
    for (occur, ast) in clauses {
        let part = expression(ast)?;
        match occur {
            Some(Occur::Must) => required.push(part),
            Some(Occur::MustNot) => required.push(Expression::Not(Box::new(part))),
            Some(Occur::Should) | None => optional.push(part),
        }
    }
    let only_prohibited = required.iter().all(|part| matches!(part, Expression::Not(_)));
    if only_prohibited {
        match optional.len() {
            0 => {}
            1 => required.append(&mut optional),
            _ => required.push(Expression::Any(optional)),
        }
    }
    Ok(match required.len() {
        0 => Expression::Everything,
        1 => required.swap_remove(0),
        _ => Expression::All(required),
    })
}

fn single(leaf: UserInputLeaf) -> Result<Expression, SyntaxError> {
    let (field, test) = match leaf {
        UserInputLeaf::All => return Ok(Expression::Everything),
        UserInputLeaf::Exists { field } => (Some(field), Test::Exists),
        UserInputLeaf::Range { field, lower, upper } => {
            (Some(field.ok_or(SyntaxError)?), Test::Range { lower: bound(lower), upper: bound(upper) })
        }
        UserInputLeaf::Literal(literal) => literal_test(literal)?,
        // Not Lucene; `/…/` never arrives here, because `/` is shielded.
        UserInputLeaf::Set { .. } | UserInputLeaf::Regex { .. } => return Err(SyntaxError),
    };
    Ok(Expression::Leaf(Leaf { field: field.map(|name| shield::unshield(&name)), test }))
}

fn literal_test(literal: UserInputLiteral) -> Result<(Option<String>, Test), SyntaxError> {
    let quoted = literal.delimiter != Delimiter::None;
    if literal.slop > 0 || (quoted && literal.prefix) {
        return Err(SyntaxError);
    }
    if literal.field_name.as_deref() == Some("_exists_") {
        return Ok((Some(literal.phrase), Test::Exists));
    }
    let pattern = if quoted {
        Pattern::exact(shield::unshield(&literal.phrase))
    } else {
        Pattern::from_shielded(&literal.phrase)
    };
    Ok((literal.field_name, Test::Term(pattern)))
}

fn bound(bound: UserInputBound) -> Bound {
    match bound {
        UserInputBound::Unbounded => Bound::Open,
        UserInputBound::Inclusive(text) => Bound::Inclusive(Edge::new(shield::unshield(&text))),
        UserInputBound::Exclusive(text) => Bound::Exclusive(Edge::new(shield::unshield(&text))),
    }
}

#[cfg(test)]
mod tests {
    use super::shield::DEEPEST;
    use super::*;

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
        assert_eq!(parse("description:/api/v2/"), Ok(term("description", "/api/v2/")));
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
            "name:\"a\"~2",
            "[a TO b]",
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
        let nots = format!("{}x:a", "NOT ".repeat(DEEPEST));
        let both = format!("{}x:a{}", "(NOT ".repeat(DEEPEST), ")".repeat(DEEPEST));
        for query in [parens, nots, both] {
            let read =
                std::thread::Builder::new().stack_size(1 << 20).spawn(move || parse(&query).is_ok()).expect("a thread");
            assert!(read.join().expect("no overflow"));
        }
    }
}
