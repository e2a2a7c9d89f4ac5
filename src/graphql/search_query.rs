//! A strict reading of search queries (`q`): the fields that a query names, or none where it is outside the grammar.
//!
//! Auth0's parser is not known but for its language, Lucene's. This grammar is the part of it that can be read in one way
//! only, and is read to its end:
//!
//! ```text
//! query  = [ clauses ]
//! clauses = clause { blank [ ( "AND" | "OR" ) blank ] clause }
//! clause = [ "NOT" blank | "+" | "-" ] ( "*:*" | "_exists_:" name | [ name ":" ] value )
//! value  = [ ( "<" | ">" ) [ "=" ] ] term | '"' characters '"' | ( "[" | "{" ) bound "TO" bound ( "]" | "}" ) | "(" clauses ")"
//! ```
//!
//! Left out: blanks after signs and colons, `!`, `&&`, `||`, boosts, fuzziness, regular expressions, names that are quoted, escaped or have
//! wildcards, and every character that some parser might take for a blank or an operator.

/// Groups within groups. Lucene itself has no bound; the stack does.
const DEEPEST: usize = 16;

/// The operator by which a query asks for the existence of a field, which is its value.
const EXISTS: &str = "_exists_:";

/// The fields that a query names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SearchQuery<'q> {
    /// Names as written, dots and all.
    pub(crate) names: Vec<&'q str>,
    /// There is a term without a field, which is looked for in the default fields.
    pub(crate) has_bare_term: bool,
}

impl<'q> SearchQuery<'q> {
    /// Reads a query in linear time. None: it is outside the grammar, and can name anything.
    pub(crate) fn read(q: &'q str) -> Option<Self> {
        let mut parser = Parser { rest: q, query: Self::default() };
        parser.skip_blanks();
        if !parser.rest.is_empty() {
            parser.clauses(false, 0)?;
        }
        parser.rest.is_empty().then_some(parser.query)
    }
}

/// A recursive-descent parser: the text still to be read, and the fields that were read. Each method takes one rule of the grammar off `rest`.
struct Parser<'q> {
    rest: &'q str,
    query: SearchQuery<'q>,
}

impl<'q> Parser<'q> {
    /// `has_field`: the values among the clauses belong to a field that stands before their group.
    fn clauses(&mut self, has_field: bool, depth: usize) -> Option<()> {
        loop {
            self.clause(has_field, depth)?;
            let is_apart = self.skip_blanks();
            if self.rest.is_empty() || self.rest.starts_with(')') {
                return Some(());
            }
            if !is_apart {
                return None;
            }
            let _ = self.takes_keyword("AND") || self.takes_keyword("OR");
        }
    }

    fn clause(&mut self, has_field: bool, depth: usize) -> Option<()> {
        // A sign that a blank follows is a term to Lucene.
        let _ = self.takes_keyword("NOT") || self.takes("+") || self.takes("-");
        if self.takes("*:*") {
            return Some(());
        }
        if self.takes(EXISTS) {
            let name = self.name()?;
            self.query.names.push(name);
            return Some(());
        }
        if let Some(name) = self.field() {
            self.query.names.push(name);
            return self.value(true, depth);
        }
        self.value(has_field, depth)
    }

    fn value(&mut self, has_field: bool, depth: usize) -> Option<()> {
        match self.rest.chars().next()? {
            '(' => return self.group(has_field, depth),
            '"' => self.phrase()?,
            '[' | '{' => self.range()?,
            _ => {
                // Every record has some value, so that a lone `*` tells nothing.
                if self.term()? == "*" {
                    return Some(());
                }
            }
        }
        self.query.has_bare_term |= !has_field;
        Some(())
    }

    fn group(&mut self, has_field: bool, depth: usize) -> Option<()> {
        if depth == DEEPEST || !self.takes("(") {
            return None;
        }
        self.skip_blanks();
        self.clauses(has_field, depth + 1)?;
        self.takes(")").then_some(())
    }

    /// A name and the colon after it.
    fn field(&mut self) -> Option<&'q str> {
        let start = self.rest;
        let name = self.name().filter(|_| self.takes(":"));
        if name.is_none() {
            self.rest = start;
        }
        name
    }

    fn name(&mut self) -> Option<&'q str> {
        let is_in_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let name = self.take_while(is_in_names);
        let has_parts = name.split('.').all(|part| !part.is_empty());
        (has_parts && name.starts_with(|c: char| c.is_ascii_alphabetic())).then_some(name)
    }

    fn term(&mut self) -> Option<&'q str> {
        let start = self.rest;
        if self.takes("<") || self.takes(">") {
            self.takes("=");
        }
        let mut last = None;
        while let Some(next) = self.rest.chars().next() {
            match next {
                '\\' => self.escape()?,
                // At the beginning these are operators, and `||` is one anywhere.
                '-' | '+' if last.is_some() => self.skip(next),
                '|' if last.is_some_and(|last| last != '|') => self.skip(next),
                '_' | '.' | ',' | '@' | '\'' | '#' | '$' | '%' | '*' | '?' => self.skip(next),
                next if next.is_alphanumeric() => self.skip(next),
                _ => break,
            }
            last = Some(next);
        }
        let term = &start[..start.len() - self.rest.len()];
        let is_keyword = matches!(term, "AND" | "OR" | "NOT" | "TO");
        (last.is_some() && last != Some('|') && !is_keyword).then_some(term)
    }

    fn phrase(&mut self) -> Option<()> {
        self.skip('"');
        loop {
            match self.rest.chars().next()? {
                '"' => break self.skip('"'),
                '\\' => self.escape()?,
                next if next.is_control() => return None,
                next => self.skip(next),
            }
        }
        Some(())
    }

    /// A backslash and what it takes the meaning from. What of letters and digits comes after it is a code point to some.
    fn escape(&mut self) -> Option<()> {
        self.skip('\\');
        let escaped = self.rest.chars().next().filter(|c| c.is_ascii_punctuation() || *c == ' ')?;
        self.skip(escaped);
        Some(())
    }

    fn range(&mut self) -> Option<()> {
        self.rest = self.rest.strip_prefix(['[', '{'])?.trim_start_matches(' ');
        self.bound()?;
        self.rest = self.rest.strip_prefix(' ')?.trim_start_matches(' ').strip_prefix("TO ")?.trim_start_matches(' ');
        self.bound()?;
        self.rest = self.rest.trim_start_matches(' ').strip_prefix([']', '}'])?;
        Some(())
    }

    fn bound(&mut self) -> Option<()> {
        let is_in_bounds =
            |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ',' | '@' | '\'' | '-' | '+' | ':' | '|');
        if self.takes("*") {
            return Some(());
        }
        if self.takes("\"") {
            let bound = self.take_while(|c| is_in_bounds(c) || c == ' ');
            return (!bound.is_empty() && self.takes("\"")).then_some(());
        }
        let bound = self.take_while(is_in_bounds);
        (!bound.is_empty() && bound != "TO").then_some(())
    }

    /// True if the word is next, with something after it that ends words; then it is taken.
    fn takes_keyword(&mut self, word: &str) -> bool {
        let after = self.rest.strip_prefix(word).filter(|after| after.starts_with([' ', '\t', '\n', '\r', '(']));
        if let Some(after) = after {
            self.rest = after;
            self.skip_blanks();
        }
        after.is_some()
    }

    fn takes(&mut self, text: &str) -> bool {
        let after = self.rest.strip_prefix(text);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn take_while(&mut self, is_taken: impl Fn(char) -> bool) -> &'q str {
        let end = self.rest.find(|c| !is_taken(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn skip(&mut self, next: char) {
        self.rest = &self.rest[next.len_utf8()..];
    }

    /// Skips blanks. True if there were any.
    fn skip_blanks(&mut self) -> bool {
        !self.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r')).is_empty()
    }
}

#[cfg(test)]
mod tests;
