//! What a document may cost, judged before async-graphql sees it.
//!
//! Two walks, both linear in the document: one over its text, since the parser recurses and would overflow the stack, and
//! one over the parsed tree in which each fragment is measured once. Fragments that spread others twice double the work
//! of validation at every level, in one stretch that no timeout can cut short: 730 bytes can take seconds.

use std::collections::HashMap;

use async_graphql::parser::types::{ExecutableDocument, FragmentDefinition, Selection, SelectionSet};
use async_graphql::{Name, Pos, Positioned};

use super::error::{ErrorCode, Failure};

/// What a document may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How deeply brackets may nest, and selections with their fragments written out. The parser recurses once for each
    /// of the former, every other stage for the latter; the standard introspection query needs 17.
    pub nesting: usize,
    /// How many fields an operation may have with its fragments written out. GraphiQL's introspection query has about 600:
    /// nine levels of `ofType` in each of four places.
    pub fields: u64,
    /// How deeply an operation's fields may nest. No data is deeper than four; introspection goes to 15.
    pub depth: u64,
    /// How many calls to Auth0 an operation may make: what one caller may take of a scarce thing at once.
    pub upstream_calls: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { nesting: 60, fields: 2_000, depth: 20, upstream_calls: 20 }
    }
}

impl Limits {
    /// Judges the text of a document, before it is parsed.
    pub fn check_text(&self, text: &str) -> Result<(), Failure> {
        let nesting = nesting(text);
        if nesting > self.nesting {
            return Err(too_complex("nesting", self.nesting as u64, nesting as u64));
        }
        Ok(())
    }

    /// Judges a parsed document.
    pub(crate) fn check(&self, document: &ExecutableDocument) -> Result<(), Failure> {
        let mut measures = Measures { limits: self, fragments: &document.fragments, known: HashMap::new() };
        let mut all = 0_u64;
        for (_, operation) in document.operations.iter() {
            let size = measures.selection(&operation.node.selection_set.node, 1)?;
            self.hold(size)?;
            all = all.saturating_add(size.fields);
        }
        // A fragment that no operation spreads is validated all the same.
        for name in document.fragments.keys() {
            let size = measures.fragment(name, 1)?;
            self.hold(size)?;
            all = all.saturating_add(size.fields);
        }
        let limit = self.fields.saturating_mul(DEFINITIONS);
        if all > limit {
            return Err(too_complex("fields in all definitions", limit, all));
        }
        Ok(())
    }

    fn hold(&self, size: Size) -> Result<(), Failure> {
        let measures = [
            ("fields", self.fields, size.fields),
            ("depth", self.depth, size.depth),
            ("nesting", self.nesting as u64, size.nesting),
        ];
        match measures.into_iter().find(|(_, limit, value)| value > limit) {
            Some((measure, limit, value)) => Err(too_complex(measure, limit, value)),
            None => Ok(()),
        }
    }
}

impl Limits {
    /// Judges how many calls an operation will make, as far as that can be told before it runs.
    pub(crate) fn check_calls(&self, calls: usize) -> Result<(), Failure> {
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        if calls > self.upstream_calls {
            return Err(too_complex("upstream calls", self.upstream_calls.into(), calls.into()));
        }
        Ok(())
    }
}
/// How many times the fields of one operation all operations and fragments may have together. Each of them is validated by
/// itself with its fragments written out, so that many small ones around one great fragment are as dear as many great ones.
const DEFINITIONS: u64 = 10;

fn too_complex(measure: &'static str, limit: u64, value: u64) -> Failure {
    let message = format!("The document is too complex: its {measure} come to {value}, and {limit} is the limit.");
    Failure::new(ErrorCode::TooComplex, message).with("measure", measure).with("limit", limit).with("value", value)
}

/// How deeply brackets nest in `text`, strings and comments left out.
fn nesting(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut deepest) = (0, 0_usize, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' | b'(' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            b'#' => {
                let rest = &bytes[at..];
                at += rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
            }
            b'"' => {
                at = end_of_string(bytes, at);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    deepest
}

/// Where the string that begins at `start` is over.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let is_block = bytes[start..].starts_with(br#"""""#);
    let (quote, escape): (&[u8], &[u8]) = if is_block { (br#"""""#, br#"\""""#) } else { (b"\"", b"\\") };
    let mut at = start + quote.len();
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(escape) {
            at += if is_block { 4 } else { 2 };
        } else if rest.starts_with(quote) {
            return at + quote.len();
        } else if !is_block && matches!(rest[0], b'\n' | b'\r') {
            // The parser will refuse this string; whatever follows is not in it.
            return at;
        } else {
            at += 1;
        }
    }
    bytes.len()
}

#[derive(Clone, Copy, Default)]
struct Size {
    fields: u64,
    depth: u64,
    nesting: u64,
}

struct Measures<'d> {
    limits: &'d Limits,
    fragments: &'d HashMap<Name, Positioned<FragmentDefinition>>,
    /// None while a fragment is being measured: meeting it then is a cycle.
    known: HashMap<&'d Name, Option<Size>>,
}

impl<'d> Measures<'d> {
    /// `level` is how deeply this walk itself has recursed: fragments can form a chain as long as the document.
    fn selection(&mut self, selection: &'d SelectionSet, level: usize) -> Result<Size, Failure> {
        if level > self.limits.nesting {
            return Err(too_complex("nesting", self.limits.nesting as u64, level as u64));
        }
        let mut size = Size { nesting: 1, ..Size::default() };
        for item in &selection.items {
            let item = match &item.node {
                Selection::Field(field) => {
                    let inner = self.selection(&field.node.selection_set.node, level + 1)?;
                    Size { fields: inner.fields.saturating_add(1), depth: inner.depth + 1, ..inner }
                }
                Selection::InlineFragment(fragment) => self.selection(&fragment.node.selection_set.node, level + 1)?,
                Selection::FragmentSpread(spread) => {
                    let spread = &spread.node.fragment_name;
                    self.fragment(&spread.node, level + 1).map_err(|failure| at_spread(failure, spread.pos))?
                }
            };
            size = Size {
                fields: size.fields.saturating_add(item.fields),
                depth: size.depth.max(item.depth),
                nesting: size.nesting.max(item.nesting + 1),
            };
        }
        Ok(size)
    }

    fn fragment(&mut self, name: &Name, level: usize) -> Result<Size, Failure> {
        // An unknown fragment is for validation to refuse, which takes as long as if there were something in it.
        let Some((name, fragment)) = self.fragments.get_key_value(name) else {
            return Ok(Size { fields: 1, depth: 1, nesting: 1 });
        };
        match self.known.get(name) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => {
                let message = format!("The fragment `{name}` spreads itself.");
                return Err(Failure::new(ErrorCode::ValidationFailed, message));
            }
            None => {}
        }
        self.known.insert(name, None);
        let size = self.selection(&fragment.node.selection_set.node, level)?;
        self.known.insert(name, Some(size));
        Ok(size)
    }
}

fn at_spread(failure: Failure, position: Pos) -> Failure {
    if failure.locations.is_empty() && failure.code == ErrorCode::ValidationFailed {
        failure.at(position)
    } else {
        failure
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn check(text: &str) -> Result<(), ErrorCode> {
        let limits = Limits::default();
        limits.check_text(text).map_err(|failure| failure.code)?;
        limits.check(&async_graphql::parser::parse_query(text).unwrap()).map_err(|failure| failure.code)
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_nest() {
        for (text, expected) in [
            ("{ a { b(c: [1, [2]]) } }", 5),
            (r#"{ a(b: "{{{{") }"#, 2),
            (r#"{ a(b: "\"{{{{") }"#, 2),
            (r#"{ a(b: """ "{{ \""" {{ """) }"#, 2),
            ("# {{{{\n{ a }", 1),
            (r#"{ a(b: "unfinished {{"#, 2),
            ("}}}}{", 1),
        ] {
            assert_eq!(nesting(text), expected, "{text}");
        }
    }

    #[test]
    fn a_fragment_that_doubles_is_measured_once_and_refused() {
        let mut text = "query { ...F0 }".to_owned();
        for level in 0..40 {
            write!(text, " fragment F{level} on Query {{ ...F{} ...F{} }}", level + 1, level + 1).unwrap();
        }
        text.push_str(" fragment F40 on Query { __typename }");
        assert_eq!(check(&text), Err(ErrorCode::TooComplex));
    }

    #[test]
    fn cycles_and_depth_are_refused() {
        assert_eq!(
            check("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"),
            Err(ErrorCode::ValidationFailed)
        );
        assert_eq!(check(&format!("{}a{}", "{ a ".repeat(30), " }".repeat(30))), Err(ErrorCode::TooComplex));
        assert_eq!(
            check(&format!("{{ a(b: {}1{}) }}", "[".repeat(100_000), "]".repeat(100_000))),
            Err(ErrorCode::TooComplex)
        );
    }

    #[test]
    fn everyday_documents_pass() {
        assert_eq!(
            check("query People($q: String) { users(q: $q) { nodes { ...P } } } fragment P on User { email name }"),
            Ok(())
        );
    }
}
