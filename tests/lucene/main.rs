//! Both readings of search queries, held to Lucene's own parser on raw characters: `tests/lucene/run.sh`.
//!
//! And what typed filters write is held to it: whatever a value holds, it is one literal term.
//!
//! The sandbox's finds the same clauses. The gateway's asks for the scope of every guarded field that Lucene finds in a query,
//! and for that of the default fields.

#![expect(clippy::expect_used, reason = "what cannot be run has failed")]

use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::process::{Child, Command, ExitCode, Stdio};

use auth0_graphql::graphql::testing::{guarded_scopes, search_by_name};
use auth0_graphql::sandbox::testing::clauses;

mod queries;

/// The number of differences that are shown.
const SHOWN: usize = 20;

/// Queries that are under way at once.
const BATCH: usize = 10_000;

/// The kind of a clause, its field (none for the default ones) and its texts.
type Clause = (String, Option<String>, Vec<Option<String>>);

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [classpath, count, seed] = arguments.as_slice() else {
        eprintln!("run tests/lucene/run.sh");
        return ExitCode::FAILURE;
    };
    let (count, seed) = (count.parse().expect("how many queries"), seed.parse().expect("a number to begin with"));
    let mut queries = queries::all(seed, count);
    let (mut read, mut accepted, mut open, mut differences) = (0, 0, 0, 0);
    while differences < SHOWN {
        let batch: Vec<_> = queries.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            break;
        }
        for (query, lucene) in batch.iter().zip(ask(classpath, &batch)) {
            read += 1;
            accepted += usize::from(lucene.is_some());
            open += usize::from(guarded_scopes(query).is_empty());
            for difference in [sandbox(query, lucene.as_deref()), gateway(query, lucene.as_deref())] {
                if let Err(difference) = difference {
                    differences += 1;
                    eprintln!("{query:?}\n    Lucene: {lucene:?}\n    {difference}");
                }
            }
        }
    }
    eprintln!(
        "{read} queries, {accepted} of them in Lucene's grammar, {open} need no scope, {differences} differences"
    );
    differences += filters(classpath, queries::all(seed, count / 10));
    if differences == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Searches by typed filters for these values; how many of them are not for the value, the whole value and nothing else.
fn filters(classpath: &str, values: impl Iterator<Item = String>) -> usize {
    let conditions =
        values.flat_map(|value| ["eq", "startsWith", "endsWith"].map(|operator| (operator, value.clone())));
    let searches =
        conditions.filter_map(|(operator, value)| Some((operator, search_by_name(operator, &value)?, value)));
    let searches: Vec<_> = searches.collect();
    let texts: Vec<_> = searches.iter().map(|(_, search, _)| search.clone()).collect();
    let mut differences = 0;
    for ((operator, search, value), lucene) in searches.iter().zip(ask(classpath, &texts)) {
        let (kind, text) = match *operator {
            "eq" => ("phrase", value.clone()),
            "startsWith" => ("prefix", value.clone()),
            _ => ("wildcard", format!("*{value}")),
        };
        let found = lucene.as_deref().map(|clauses| clauses.iter().map(literal).collect::<Vec<_>>());
        let is_literal = found.as_ref().is_some_and(|found| {
            matches!(found.as_slice(), [(found_kind, Some(field), found_text)]
                if field == "name" && *found_text == text && (found_kind == kind || (kind == "phrase" && found_kind == "word")))
        });
        if !is_literal {
            differences += 1;
            eprintln!("{operator} {value:?} is searched for as {search}\n    Lucene: {lucene:?}");
        }
    }
    eprintln!("{} searches by typed filters, {differences} of them not literal", searches.len());
    differences
}

/// A clause with its text as it is meant: Lucene leaves the escapes of a wildcard in place.
fn literal((kind, field, texts): &Clause) -> (String, Option<String>, String) {
    let text = texts.first().cloned().flatten().unwrap_or_default();
    let text = if kind == "wildcard" { unescaped(&text) } else { text };
    (kind.clone(), field.clone(), text)
}

fn unescaped(text: &str) -> String {
    let mut characters = text.chars();
    std::iter::from_fn(|| match characters.next()? {
        '\\' => characters.next(),
        character => Some(character),
    })
    .collect()
}

fn sandbox(query: &str, lucene: Option<&[Clause]>) -> Result<(), String> {
    let sandbox = clauses(query);
    if sandbox.as_deref() == lucene { Ok(()) } else { Err(format!("sandbox: {sandbox:?}")) }
}

/// Checks that a query uses nothing that a scope guards, if the gateway lets it pass without the scope.
fn gateway(query: &str, lucene: Option<&[Clause]>) -> Result<(), String> {
    let scopes = guarded_scopes(query);
    for (kind, field, texts) in lucene.unwrap_or_default() {
        let text = texts.first().and_then(Option::as_deref).unwrap_or_default();
        let field = match field.as_deref() {
            // Everything is found by these.
            None | Some("*") if kind == "wildcard" && text == "*" => continue,
            Some("_exists_") => Some(text),
            field => field,
        };
        let needed: &[&str] = match field.map(str::to_lowercase) {
            None => &["read:users_app_metadata"],
            Some(name) if name.contains(['*', '?']) => &["read:users_app_metadata", "read:user_idp_tokens"],
            Some(name) if name.split('.').next() == Some("app_metadata") => &["read:users_app_metadata"],
            Some(name) if name.starts_with("identities.") && name.contains("token") => &["read:user_idp_tokens"],
            Some(_) => &[],
        };
        if let Some(scope) = needed.iter().find(|scope| !scopes.contains(scope)) {
            return Err(format!("gateway: {scopes:?}, without {scope}"));
        }
    }
    Ok(())
}

/// Lucene's clauses for each of the queries; none for those that it refuses.
fn ask(classpath: &str, queries: &[String]) -> Vec<Option<Vec<Clause>>> {
    let mut lucene = Command::new("java")
        .args(["-Xss64m", "-cp", classpath, "Clauses"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Java");
    let Child { stdin, stdout, .. } = &mut lucene;
    let mut input = BufWriter::new(stdin.take().expect("a pipe"));
    let output = BufReader::new(stdout.take().expect("a pipe"));
    let answers: Vec<_> = std::thread::scope(|scope| {
        scope.spawn(move || {
            for query in queries {
                let digits: String = query.encode_utf16().map(|unit| format!("{unit:04x}")).collect();
                writeln!(input, "{digits}").expect("a reader");
            }
        });
        output.lines().map(|line| read(&line.expect("a line"))).collect()
    });
    assert!(lucene.wait().expect("an end").success() && answers.len() == queries.len(), "Lucene ended early");
    answers
}

fn read(answer: &str) -> Option<Vec<Clause>> {
    let clauses = answer.strip_prefix('=')?;
    let clause = |clause: &str| {
        let mut parts = clause.split(',');
        let kind = parts.next().expect("a kind").to_owned();
        (kind, decode(parts.next().expect("a field")), parts.map(decode).collect())
    };
    Some(clauses.split_whitespace().map(clause).collect())
}

fn decode(text: &str) -> Option<String> {
    let digits = text.strip_prefix('x')?.as_bytes();
    let units = digits.chunks(4).map(|unit| {
        let unit = std::str::from_utf8(unit).expect("digits");
        u16::from_str_radix(unit, 16).expect("digits")
    });
    Some(String::from_utf16_lossy(&units.collect::<Vec<_>>()))
}
