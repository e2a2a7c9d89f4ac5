//! A document's tokens, before it is parsed: how many there are, how they nest, and what apollo-parser 0.8 cannot read.

use std::borrow::Cow;
use std::ops::Range;

use apollo_parser::{Lexer, Token, TokenKind};

/// The measures of a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TokenMeasures {
    /// Tokens as <https://spec.graphql.org/September2025/#sec-Language.Source-Text.Lexical-Tokens> has them.
    pub(crate) tokens: u64,
    /// The depth to which brackets nest.
    pub(crate) nesting: u64,
    /// The length of the longest name or number, in bytes.
    pub(crate) word: u64,
}

/// Something that is no GraphQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LexicalError {
    /// The name of an argument or an input field, without a colon behind it. apollo-parser drops it.
    MissingColon,
    /// A string with a line end in it. apollo-parser does not look at its first character.
    UnterminatedString,
}

/// The findings in a text before it is parsed.
pub(crate) struct Scan {
    pub(crate) measures: TokenMeasures,
    /// The first thing that is no GraphQL and that apollo-parser 0.8 lets pass, and its offset.
    pub(crate) fault: Option<(usize, LexicalError)>,
    /// Descriptions and commas.
    blanks: Vec<Range<usize>>,
}

impl Scan {
    pub(crate) fn of(text: &str) -> Self {
        let mut scan = Self { measures: TokenMeasures::default(), fault: None, blanks: Vec::new() };
        let mut reader = TokenReader::default();
        for token in Lexer::new(text) {
            match token {
                Ok(token) => match token.kind() {
                    TokenKind::Comma => scan.blanks.push(range(&token)),
                    TokenKind::Whitespace | TokenKind::Comment => {}
                    _ => reader.read(&token, &mut scan),
                },
                // Text that is no token is for the parser to refuse.
                Err(_) => scan.measures.tokens += 1,
            }
        }
        scan.blanks.sort_unstable_by_key(|blank| blank.start);
        scan
    }

    /// `text`, which this is the scan of, as apollo-parser 0.8 can read it: with spaces in place of commas, which it does not take
    /// everywhere, and of descriptions of operations, fragments and variables, which GraphQL has had since September 2025. Every
    /// offset stays what it was.
    pub(crate) fn readable<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.blanks.is_empty() {
            return text.into();
        }
        let mut readable = String::with_capacity(text.len());
        let mut at = 0;
        for Range { start, end } in self.blanks.iter().cloned() {
            readable.push_str(&text[at..start]);
            let blank = |byte| if matches!(byte, b'\n' | b'\r') { char::from(byte) } else { ' ' };
            readable.extend(text[start..end].bytes().map(blank));
            at = end;
        }
        readable.push_str(&text[at..]);
        readable.into()
    }
}

/// Goes through the tokens that mean something.
#[derive(Default)]
struct TokenReader {
    /// The brackets that are open.
    open: Vec<TokenKind>,
    before: Option<TokenKind>,
    /// A string that is a description if a definition follows.
    string: Option<Range<usize>>,
    /// True if the name before needs a colon.
    needs_colon: bool,
}

impl TokenReader {
    fn read(&mut self, token: &Token<'_>, scan: &mut Scan) {
        let kind = token.kind();
        if self.needs_colon && kind != TokenKind::Colon {
            scan.fault.get_or_insert((token.index(), LexicalError::MissingColon));
        }
        let is_string = kind == TokenKind::StringValue && !token.data().starts_with("\"\"\"");
        if is_string && token.data().contains(['\n', '\r']) {
            scan.fault.get_or_insert((token.index(), LexicalError::UnterminatedString));
        }
        let is_described = match self.open.as_slice() {
            [] => kind == TokenKind::Name && is_definition(token.data()),
            [TokenKind::LParen] => kind == TokenKind::Dollar,
            _ => false,
        };
        scan.blanks.extend(self.string.take().filter(|_| is_described));
        self.needs_colon = kind == TokenKind::Name && self.is_entry();
        let measures = &mut scan.measures;
        measures.tokens += u64::from(kind != TokenKind::Eof);
        match kind {
            TokenKind::LCurly | TokenKind::LParen | TokenKind::LBracket => {
                self.open.push(kind);
                measures.nesting = measures.nesting.max(self.open.len() as u64);
            }
            TokenKind::RCurly | TokenKind::RParen | TokenKind::RBracket => drop(self.open.pop()),
            TokenKind::Name | TokenKind::Int | TokenKind::Float => {
                measures.word = measures.word.max(token.data().len() as u64);
            }
            // Behind `=` or `:` it is a value.
            TokenKind::StringValue if !matches!(self.before, Some(TokenKind::Eq | TokenKind::Colon)) => {
                self.string = Some(range(token));
            }
            _ => {}
        }
        self.before = Some(kind);
    }

    /// True if a name here is that of an argument or an input field: directly in parentheses, or in braces inside them, and
    /// neither a value nor a part of a variable or directive.
    fn is_entry(&self) -> bool {
        let is_inside = match self.open.split_last() {
            Some((TokenKind::LParen, _)) => true,
            Some((TokenKind::LCurly, outer)) => outer.contains(&TokenKind::LParen),
            _ => false,
        };
        let is_part = matches!(self.before, Some(TokenKind::Colon | TokenKind::Dollar | TokenKind::Eq | TokenKind::At));
        is_inside && !is_part
    }
}

fn range(token: &Token<'_>) -> Range<usize> {
    token.index()..token.index() + token.data().len()
}

fn is_definition(word: &str) -> bool {
    matches!(word, "query" | "mutation" | "subscription" | "fragment")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nesting(text: &str) -> u64 {
        Scan::of(text).measures.nesting
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_nest() {
        assert_eq!(nesting("{ a { b(c: [1, [2]]) } }"), 5);
        assert_eq!(nesting(r#"{ a(b: "{{{{") }"#), 2);
        assert_eq!(nesting(r#"{ a(b: "\"{{{{") }"#), 2);
        assert_eq!(nesting(r#"{ a(b: """ "{{ \""" {{ """) }"#), 2);
        assert_eq!(nesting("# {{{{\n{ a }"), 1);
        assert_eq!(nesting("}}}}{"), 1);
    }

    #[test]
    fn tokens_are_counted_as_the_specification_has_them() {
        let count = |text: &str| (Scan::of(text).measures.tokens, Scan::of(text).measures.word);
        assert_eq!(count(" ,\n\t# only a remark"), (0, 0));
        assert_eq!(count("{ user }"), (3, 4));
        assert_eq!(count("{...A}"), (4, 1));
        assert_eq!(count("query($x:[Int!]=-1.5e+3){a}"), (15, 7));
        assert_eq!(count(r#"{ a(b: "one two", c: """three "four" """) }"#), (11, 1));
    }

    fn readable(text: &str) -> String {
        Scan::of(text).readable(text).into_owned()
    }

    #[test]
    fn descriptions_are_spaces_and_lines_stay_lines() {
        assert_eq!(readable(r#""é" query Q { a }"#), "     query Q { a }");
        assert_eq!(
            readable("\"\"\"\n a \"b\"\r\n\"\"\"\nfragment F on Q { a }"),
            "   \n      \r\n   \nfragment F on Q { a }"
        );
        assert_eq!(
            readable("query (\"x\" $a: Int # no\n\"\"\"y\"\"\" $b: Int) { a }"),
            "query (    $a: Int # no\n        $b: Int) { a }"
        );
    }

    #[test]
    fn commas_are_spaces_and_those_of_strings_stay() {
        assert_eq!(readable(r#"{ a,:,b(c:, "d,e",) # f,g"#), r#"{ a : b(c:  "d,e" ) # f,g"#);
    }

    #[test]
    fn values_are_no_descriptions() {
        for text in [
            r#"query ($a: String = "x" $b: String) { a }"#,
            r#"query Q @d(a: "x" b: $y) { a }"#,
            r#"query ($a: [String] = ["x"] $b: Int) { a }"#,
            r#"{ a(b: "x" c: $d) }"#,
            r#""not a definition" { a }"#,
        ] {
            assert_eq!(readable(text), text);
        }
    }

    #[test]
    fn a_name_without_a_value_is_seen_in_arguments_and_input_objects() {
        let offset = |text: &str| Scan::of(text).fault.map(|(offset, _)| offset);
        assert_eq!(offset("{ a(b) }"), Some(5));
        assert_eq!(offset("{ a(b: C d) }"), Some(10));
        assert_eq!(offset("{ a(b: {c: [{d}]}) }"), Some(14));
        assert_eq!(offset("{ a @b(c) }"), Some(8));
        assert_eq!(offset("query ($a: [B!]! = C @d(e: F)) { a(b: {c: $d}, e: [F G]) @h(i: J) { k } }"), None);
    }

    #[test]
    fn a_string_ends_on_its_line() {
        for text in ["{ a(b: \"\n\") }", "{ a(b: \"\r\") }"] {
            assert_eq!(Scan::of(text).fault, Some((7, LexicalError::UnterminatedString)));
        }
        assert_eq!(Scan::of("{ a(b: \"\"\"\n\"\"\" c: \"\") }").fault, None);
    }

    proptest! {
        #[test]
        fn any_text_is_measured_and_keeps_its_offsets(text in r#"(\PC|query|\$|[{}()\[\]"\\#.,\n\r]){0,80}"#) {
            let scan = Scan::of(&text);
            prop_assert!(scan.measures.nesting <= scan.measures.tokens);
            prop_assert_eq!(scan.readable(&text).len(), text.len());
        }
    }
}
