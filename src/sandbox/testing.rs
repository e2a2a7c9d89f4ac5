//! Entry points for `tests/lucene`.

use super::search::Expression;
use super::search::syntax::{self, Value};

/// The kind of a clause, its field (none for the default ones) and its texts (none for the open end of a range).
type Clause = (String, Option<String>, Vec<Option<String>>);

/// The clauses of a search query; none where it is not in the grammar.
pub fn clauses(query: &str) -> Option<Vec<Clause>> {
    let mut clauses = Vec::new();
    syntax::read(query, &mut |field, value| {
        let one = |text| vec![Some(text)];
        let (kind, texts) = match value {
            Value::Word(text) => ("word", one(text)),
            Value::Phrase(text) => ("phrase", one(text)),
            Value::Prefix(text) => ("prefix", one(text)),
            Value::Wildcard(text) => ("wildcard", one(text)),
            Value::Regex(text) => ("regex", one(text)),
            Value::Fuzzy(text, _) => ("fuzzy", one(text)),
            Value::Range { lower, upper, lower_inclusive, upper_inclusive } => {
                let kind = match (lower_inclusive, upper_inclusive) {
                    (true, true) => "[]",
                    (true, false) => "[}",
                    (false, true) => "{]",
                    (false, false) => "{}",
                };
                (kind, vec![lower, upper])
            }
        };
        clauses.push((kind.to_owned(), field.map(str::to_owned), texts));
        Ok(Expression::Everything)
    })
    .ok()?;
    Some(clauses)
}
