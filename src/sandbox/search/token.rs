//! Lucene's tokens, as the classic query parser of version 8 defines them: the longest match counts, of several the operator.
//! <https://lucene.apache.org/core/8_7_0/queryparser/org/apache/lucene/queryparser/classic/package-summary.html>

use super::SyntaxError;

/// A token. Texts are as they were written, escapes included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'q> {
    And,
    Or,
    Not,
    Plus,
    Minus,
    Open,
    Close,
    Colon,
    /// A lone `*`, which can be a field too.
    Star,
    /// A word without wildcards, which can be a field.
    Word(&'q str),
    /// A word whose one wildcard is a `*` at its end.
    Prefix(&'q str),
    Wildcard(&'q str),
    /// `+`, `-` or `!` with a blank after it, which is a word.
    Sign(&'q str),
    /// A phrase, without its quotes.
    Phrase(&'q str),
    /// A regular expression, without its slashes.
    Regex(&'q str),
    Range {
        lower: RangeEnd<'q>,
        upper: RangeEnd<'q>,
        lower_inclusive: bool,
        upper_inclusive: bool,
    },
    /// `~` and what comes at once after it.
    Fuzzy(&'q str),
    /// `^` and its number.
    Boost,
}

/// An end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RangeEnd<'q> {
    Word(&'q str),
    Quoted(&'q str),
}

/// Reads all tokens of a query.
pub(super) fn tokens(query: &str) -> Result<Vec<Token<'_>>, SyntaxError> {
    let mut lexer = Lexer { rest: query };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{3000}')
}

/// The beginning of a word; a backslash begins one too, with any character after it.
fn begins_word(c: char) -> bool {
    !is_blank(c) && !"+-!():^[]\"{}~*?\\/".contains(c)
}

fn is_wildcard(c: char) -> bool {
    matches!(c, '*' | '?')
}

struct Lexer<'q> {
    rest: &'q str,
}

impl<'q> Lexer<'q> {
    fn next(&mut self) -> Result<Option<Token<'q>>, SyntaxError> {
        self.rest = self.rest.trim_start_matches(is_blank);
        let Some(first) = self.rest.chars().next() else { return Ok(None) };
        let token = match first {
            '(' => self.single(Token::Open),
            ')' => self.single(Token::Close),
            ':' => self.single(Token::Colon),
            '+' | '-' | '!' => self.sign(first),
            '^' => self.boost()?,
            '~' => {
                self.take(1);
                let end = self.word_end(|_| false);
                Token::Fuzzy(self.take(end))
            }
            '"' => self.phrase()?,
            '/' => self.regex()?,
            '[' | '{' => self.range()?,
            _ => self.word()?,
        };
        Ok(Some(token))
    }

    fn take(&mut self, bytes: usize) -> &'q str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }

    fn single(&mut self, token: Token<'q>) -> Token<'q> {
        self.take(1);
        token
    }

    fn sign(&mut self, sign: char) -> Token<'q> {
        let text = self.take(1);
        match sign {
            _ if self.rest.starts_with(is_blank) => Token::Sign(text),
            '+' => Token::Plus,
            '-' => Token::Minus,
            _ => Token::Not,
        }
    }

    fn boost(&mut self) -> Result<Token<'q>, SyntaxError> {
        self.take(1);
        let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let whole = digits(self.rest);
        if whole == 0 {
            return Err(SyntaxError);
        }
        self.take(whole);
        if let Some(after) = self.rest.strip_prefix('.') {
            let fraction = digits(after);
            if fraction > 0 {
                self.take(1 + fraction);
            }
        }
        Ok(Token::Boost)
    }

    /// The end of the word that begins here, with whatever `also` lets in.
    fn word_end(&self, also: impl Fn(char) -> bool) -> usize {
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            let is_in_word = match c {
                '\\' => chars.next().is_some(),
                '-' | '+' => true,
                c => begins_word(c) || also(c),
            };
            if !is_in_word {
                return at;
            }
        }
        self.rest.len()
    }

    fn word(&mut self) -> Result<Token<'q>, SyntaxError> {
        let end = self.word_end(is_wildcard);
        let text = self.take(end);
        Ok(match text {
            // A bracket, or a backslash with nothing after it.
            "" => return Err(SyntaxError),
            "*" => Token::Star,
            "AND" | "&&" => Token::And,
            "OR" | "||" => Token::Or,
            "NOT" => Token::Not,
            text => match wildcard(text) {
                None => Token::Word(text),
                Some(at) if at + 1 == text.len() && text.ends_with('*') => Token::Prefix(text),
                Some(_) => Token::Wildcard(text),
            },
        })
    }

    fn phrase(&mut self) -> Result<Token<'q>, SyntaxError> {
        self.take(1);
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    let text = self.take(at);
                    self.take(1);
                    return Ok(Token::Phrase(text));
                }
                '\\' => {
                    chars.next();
                }
                _ => {}
            }
        }
        Err(SyntaxError)
    }

    fn regex(&mut self) -> Result<Token<'q>, SyntaxError> {
        self.take(1);
        let text = self.take(self.end_of('/', 0).ok_or(SyntaxError)?);
        self.take(1);
        Ok(Token::Regex(text))
    }

    /// The last `close` that can end the text that begins here. After a backslash it can end it or not: the longest match counts.
    fn end_of(&self, close: char, least: usize) -> Option<usize> {
        let mut last = None;
        let mut is_escaped = false;
        for (at, c) in self.rest.char_indices() {
            if c == close {
                if at >= least {
                    last = Some(at);
                }
                if !is_escaped {
                    return last;
                }
            }
            is_escaped = c == '\\';
        }
        last
    }

    fn range(&mut self) -> Result<Token<'q>, SyntaxError> {
        let lower_inclusive = self.take(1) == "[";
        let lower = self.bound().ok_or(SyntaxError)?;
        if self.bound() != Some(RangeEnd::Word("TO")) {
            return Err(SyntaxError);
        }
        let upper = self.bound().ok_or(SyntaxError)?;
        self.skip_blanks_of_range();
        let end = self.rest.starts_with([']', '}']).then(|| self.take(1)).ok_or(SyntaxError)?;
        Ok(Token::Range { lower, upper, lower_inclusive, upper_inclusive: end == "]" })
    }

    fn bound(&mut self) -> Option<RangeEnd<'q>> {
        self.skip_blanks_of_range();
        let word = self.bound_end();
        if let Some(inner) = self.rest.strip_prefix('"')
            && let Some(end) = (Lexer { rest: inner }).end_of('"', 1)
            && end + 2 >= word
        {
            self.take(1);
            let text = self.take(end);
            self.take(1);
            return Some(RangeEnd::Quoted(text));
        }
        (word > 0).then(|| RangeEnd::Word(self.take(word)))
    }

    /// The end of a word in a range, where only spaces and closing brackets end one.
    fn bound_end(&self) -> usize {
        self.rest.find([' ', ']', '}']).unwrap_or(self.rest.len())
    }

    /// A blank that is no space begins a word, if there is more of it.
    fn skip_blanks_of_range(&mut self) {
        while let Some(blank) = self.rest.chars().next().filter(|c| is_blank(*c)) {
            if blank != ' ' && self.bound_end() > blank.len_utf8() {
                return;
            }
            self.take(blank.len_utf8());
        }
    }
}

/// The position of a word's first wildcard.
fn wildcard(word: &str) -> Option<usize> {
    let mut chars = word.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            c if is_wildcard(c) => return Some(at),
            _ => {}
        }
    }
    None
}

/// The text without its escapes: `\` takes the meaning from any character, `\u` and four digits are one.
pub(super) fn unescape(text: &str) -> Result<String, SyntaxError> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next().ok_or(SyntaxError)? {
                'u' => {
                    let mut unit = 0;
                    for _ in 0..4 {
                        let digit = chars.next().and_then(|digit| digit.to_digit(16)).ok_or(SyntaxError)?;
                        unit = unit << 4 | digit as u16;
                    }
                    units.push(unit);
                }
                c => units.extend(c.encode_utf16(&mut [0; 2]).iter()),
            },
            c => units.extend(c.encode_utf16(&mut [0; 2]).iter()),
        }
    }
    Ok(String::from_utf16_lossy(&units))
}
