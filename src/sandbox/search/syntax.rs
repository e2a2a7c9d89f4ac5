//! Lucene's classic grammar: the clauses of a query, the field and the value of each.

use super::token::{RangeEnd, Token, tokens, unescape};
use super::{Expression, SyntaxError};

/// Groups within groups, so that no query exhausts the stack.
pub(super) const DEEPEST: usize = 24;

/// The value of a clause, escapes taken out where Lucene takes them out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Word(String),
    Phrase(String),
    /// The text before the `*`.
    Prefix(String),
    /// The pattern as written.
    Wildcard(String),
    Regex(String),
    /// The word, and how many edits away from it.
    Fuzzy(String, Option<f32>),
    /// None: without an end.
    Range {
        lower: Option<String>,
        upper: Option<String>,
        lower_inclusive: bool,
        upper_inclusive: bool,
    },
}

/// The weight of a clause among its siblings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Modifier {
    None,
    Required,
    Prohibited,
}

/// A clause with the operator before it.
struct Clause {
    is_and: bool,
    is_or: bool,
    modifier: Modifier,
    expression: Expression,
}

/// Makes a test of a field, or of the default fields, and a value.
type MakeTest<'m> = dyn FnMut(Option<&str>, Value) -> Result<Expression, SyntaxError> + 'm;

/// Reads a query.
pub(crate) fn read(query: &str, make_test: &mut MakeTest<'_>) -> Result<Expression, SyntaxError> {
    let tokens = tokens(query)?;
    let mut parser = Parser { rest: &tokens, make_test };
    let expression = parser.query(None, 0)?;
    if parser.rest.is_empty() { Ok(expression) } else { Err(SyntaxError) }
}

struct Parser<'t, 'q> {
    rest: &'t [Token<'q>],
    make_test: &'t mut MakeTest<'t>,
}

impl<'q> Parser<'_, 'q> {
    fn query(&mut self, field: Option<&str>, depth: usize) -> Result<Expression, SyntaxError> {
        let mut clauses = vec![self.clause(field, depth, false, false)?];
        while !matches!(self.rest.first(), None | Some(Token::Close)) {
            let is_and = self.takes(&Token::And);
            let is_or = !is_and && self.takes(&Token::Or);
            clauses.push(self.clause(field, depth, is_and, is_or)?);
        }
        Ok(combine(clauses))
    }

    fn clause(&mut self, field: Option<&str>, depth: usize, is_and: bool, is_or: bool) -> Result<Clause, SyntaxError> {
        let modifier = if self.takes(&Token::Plus) {
            Modifier::Required
        } else if self.takes(&Token::Minus) || self.takes(&Token::Not) {
            Modifier::Prohibited
        } else {
            Modifier::None
        };
        let named = match self.rest {
            [Token::Word(name), Token::Colon, ..] => Some(unescape(name)?),
            [Token::Star, Token::Colon, ..] => Some("*".to_owned()),
            _ => None,
        };
        if named.is_some() {
            self.rest = &self.rest[2..];
        }
        let field = named.as_deref().or(field);
        let expression = if self.takes(&Token::Open) {
            if depth == DEEPEST {
                return Err(SyntaxError);
            }
            let group = self.query(field, depth + 1)?;
            if !self.takes(&Token::Close) {
                return Err(SyntaxError);
            }
            self.takes(&Token::Boost);
            group
        } else {
            self.term(field)?
        };
        Ok(Clause { is_and, is_or, modifier, expression })
    }

    fn term(&mut self, field: Option<&str>) -> Result<Expression, SyntaxError> {
        let (token, rest) = self.rest.split_first().ok_or(SyntaxError)?;
        self.rest = rest;
        let value = match *token {
            Token::Word(text) | Token::Sign(text) => Value::Word(unescape(text)?),
            Token::Star => Value::Wildcard("*".to_owned()),
            Token::Prefix(text) => Value::Prefix(unescape(&text[..text.len() - 1])?),
            Token::Wildcard(text) => unescape(text).map(|_| Value::Wildcard(text.to_owned()))?,
            // The slash after it counts: a backslash at the end escapes that.
            Token::Regex(text) => unescape(&format!("{text}/")).map(|_| Value::Regex(text.to_owned()))?,
            Token::Phrase(text) => Value::Phrase(unescape(text)?),
            Token::Range { lower, upper, lower_inclusive, upper_inclusive } => {
                self.takes(&Token::Boost);
                let (lower, upper) = (bound(lower)?, bound(upper)?);
                return (self.make_test)(field, Value::Range { lower, upper, lower_inclusive, upper_inclusive });
            }
            _ => return Err(SyntaxError),
        };
        let mut fuzzy = self.fuzzy();
        if self.takes(&Token::Boost) && fuzzy.is_none() {
            fuzzy = self.fuzzy();
        }
        let value = match (value, fuzzy) {
            (Value::Word(text), Some(distance)) => Value::Fuzzy(text, self::distance(distance)?),
            (value, _) => value,
        };
        (self.make_test)(field, value)
    }

    fn fuzzy(&mut self) -> Option<&'q str> {
        let [Token::Fuzzy(distance), rest @ ..] = self.rest else { return None };
        self.rest = rest;
        Some(distance)
    }

    fn takes(&mut self, token: &Token<'_>) -> bool {
        let is_next = self.rest.first() == Some(token);
        if is_next {
            self.rest = &self.rest[1..];
        }
        is_next
    }
}

/// None where what comes after the `~` is no number, which Lucene passes over. Of an edit there is no half.
fn distance(text: &str) -> Result<Option<f32>, SyntaxError> {
    let distance = text.trim_matches(|c| c <= ' ').parse::<f32>().ok();
    let is_bad = distance.is_some_and(|distance| distance < 0.0 || (distance >= 1.0 && distance.fract() != 0.0));
    if is_bad { Err(SyntaxError) } else { Ok(distance) }
}

fn bound(bound: RangeEnd<'_>) -> Result<Option<String>, SyntaxError> {
    match bound {
        RangeEnd::Word("*") => Ok(None),
        RangeEnd::Word(text) | RangeEnd::Quoted(text) => unescape(text).map(Some),
    }
}

/// Clauses that AND joins are one alternative. With something required the alternatives decide nothing; without, one of them
/// has to hold. A negation is prohibited beside them, but an alternative where OR joins it: so reads Auth0's own example, `NOT
/// _exists_:logins_count OR logins_count:0`, of which Lucene would find nothing.
fn combine(clauses: Vec<Clause>) -> Expression {
    let or_after: Vec<_> = clauses.iter().skip(1).map(|clause| clause.is_or).chain([false]).collect();
    let (mut required, mut alternatives) = (Vec::new(), Vec::<Vec<Expression>>::new());
    let mut clauses = clauses.into_iter().zip(or_after).peekable();
    while let Some((Clause { is_or, modifier, expression, .. }, or_follows)) = clauses.next() {
        let negated = |modifier, expression| match modifier {
            Modifier::Prohibited => Expression::Not(Box::new(expression)),
            Modifier::None | Modifier::Required => expression,
        };
        let first = negated(modifier, expression);
        let mut joined = vec![first];
        let mut or_follows = or_follows;
        while let Some((next, or)) = clauses.next_if(|(next, _)| next.is_and) {
            joined.push(negated(next.modifier, next.expression));
            or_follows = or;
        }
        let is_alone = joined.len() == 1 && !is_or && !or_follows;
        if is_alone && modifier != Modifier::None { required.append(&mut joined) } else { alternatives.push(joined) }
    }
    let only_prohibited = required.iter().all(|part| matches!(part, Expression::Not(_)));
    if only_prohibited && !alternatives.is_empty() {
        required.push(one_of(alternatives.into_iter().map(all_of).collect()));
    }
    all_of(required)
}

fn all_of(mut parts: Vec<Expression>) -> Expression {
    if parts.len() == 1 { parts.swap_remove(0) } else { Expression::All(parts) }
}

fn one_of(mut parts: Vec<Expression>) -> Expression {
    if parts.len() == 1 { parts.swap_remove(0) } else { Expression::Any(parts) }
}
