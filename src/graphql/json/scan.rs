//! Finds where the values of a JSON text begin and end, and makes nothing of them.
//!
//! Written out, for the best library cost more than half as much again. `serde_json` hands out raw values too, but goes
//! through each byte by itself and does not tell which strings hold an escape, so that whoever copies them looks at them once
//! more. What is faster recurses into nested values, and either ends there with the stack or refuses what is deep.
//! Here nesting is a list, as deep as the text is long. What is accepted is held to `serde_json` by tests and a fuzz target.

use super::{Malformed, Raw};

/// A JSON text, and how far it has been read.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// How the values around the one that is being read end, the outermost first.
    enclosing: Vec<u8>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, enclosing: Vec::new() }
    }

    /// The first byte behind white space, which is passed over.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<u8, Malformed> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(byte) => return Ok(*byte),
                None => return Err(Malformed),
            }
        }
    }

    /// Passes over `byte`, and white space before it.
    #[inline]
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.peek()? != byte {
            return Err(Malformed);
        }
        self.at += 1;
        Ok(())
    }

    /// Passes over the comma before another element, or over `closing`: whether there is another.
    #[inline]
    pub(super) fn goes_on(&mut self, closing: u8) -> Result<bool, Malformed> {
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b',' => Ok(true),
            byte if byte == closing => Ok(false),
            _ => Err(Malformed),
        }
    }

    /// Passes over `opening`, and over the end of what it opens if nothing is in there: whether something is.
    #[inline]
    pub(super) fn opens(&mut self, opening: u8) -> Result<bool, Malformed> {
        self.expect(opening)?;
        let is_filled = self.peek()? != closing_of(opening);
        self.at += usize::from(!is_filled);
        Ok(is_filled)
    }

    /// The key of an entry, as a string literal; the colon behind it is passed over.
    #[inline]
    pub(super) fn key(&mut self) -> Result<Raw<'a>, Malformed> {
        if self.peek()? != b'"' {
            return Err(Malformed);
        }
        let start = self.at;
        let has_escapes = self.string()?;
        let key = self.since(start, has_escapes)?;
        self.expect(b':')?;
        Ok(key)
    }

    /// The next value.
    #[inline]
    pub(super) fn value(&mut self) -> Result<Raw<'a>, Malformed> {
        let first = self.peek()?;
        let start = self.at;
        let has_escapes = match first {
            b'"' => self.string()?,
            b'{' | b'[' => self.compound(first)?,
            _ => self.scalar(first)?,
        };
        self.since(start, has_escapes)
    }

    /// Nothing but white space may be left.
    pub(super) fn end(mut self) -> Result<(), Malformed> {
        if self.peek().is_err() { Ok(()) } else { Err(Malformed) }
    }

    #[inline]
    fn since(&self, start: usize, has_escapes: bool) -> Result<Raw<'a>, Malformed> {
        let text = self.text.get(start..self.at).ok_or(Malformed)?;
        Ok(Raw { text, has_escapes })
    }

    /// Passes over an object or an array: whether a string in it holds an escape.
    fn compound(&mut self, opening: u8) -> Result<bool, Malformed> {
        let mut has_escapes = false;
        let mut closing = closing_of(opening);
        let mut is_filled = self.opens(opening)?;
        self.enclosing.clear();
        loop {
            if is_filled {
                if closing == b'}' {
                    has_escapes |= self.key()?.has_escapes;
                }
                match self.peek()? {
                    b'"' => has_escapes |= self.string()?,
                    opening @ (b'{' | b'[') => {
                        self.enclosing.push(closing);
                        closing = closing_of(opening);
                        is_filled = self.opens(opening)?;
                        continue;
                    }
                    first => {
                        self.scalar(first)?;
                    }
                }
                is_filled = self.goes_on(closing)?;
            } else {
                match self.enclosing.pop() {
                    Some(outer) => closing = outer,
                    None => return Ok(has_escapes),
                }
                is_filled = self.goes_on(closing)?;
            }
        }
    }

    /// Passes over a string, the opening quote of which is next: whether it holds an escape.
    #[inline]
    fn string(&mut self) -> Result<bool, Malformed> {
        let bytes = self.text.as_bytes();
        let mut has_escapes = false;
        self.at += 1;
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            self.at += plain(rest);
            match bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(has_escapes);
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.at += match bytes.get(self.at + 1) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                        Some(b'u') if are_hex(bytes.get(self.at + 2..self.at + 6)) => 6,
                        _ => return Err(Malformed),
                    };
                }
                // A control character, or the end.
                _ => return Err(Malformed),
            }
        }
    }

    /// Passes over a number, `true`, `false` or `null`. None of them holds an escape.
    #[inline]
    fn scalar(&mut self, first: u8) -> Result<bool, Malformed> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let len = match first {
            b't' if rest.starts_with(b"true") => 4,
            b'f' if rest.starts_with(b"false") => 5,
            b'n' if rest.starts_with(b"null") => 4,
            b'-' | b'0'..=b'9' => number(rest).ok_or(Malformed)?,
            _ => return Err(Malformed),
        };
        self.at += len;
        Ok(false)
    }
}

/// In ASCII, two stand between them.
#[inline]
fn closing_of(opening: u8) -> u8 {
    opening + 2
}

/// How many of the bytes stand for themselves in a string: all before the first quote, backslash or control character.
#[inline]
fn plain(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let special = special(u64::from_le_bytes(*word));
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)).count()
}

/// The top bit of each byte that is special in a string. Above the lowest of them others may be set that should not be: a
/// subtraction borrows from the next byte.
#[inline]
fn special(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES << 7;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = zero(word ^ (ONES * b'"' as u64));
    let backslash = zero(word ^ (ONES * b'\\' as u64));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & TOPS
}

fn are_hex(digits: Option<&[u8]>) -> bool {
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// The length of the number that the bytes begin with.
fn number(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| bytes.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    at += match bytes.get(at) {
        Some(b'0') => 1,
        Some(b'1'..=b'9') => digits(at),
        _ => return None,
    };
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at);
        if exponent == 0 {
            return None;
        }
        at += exponent;
    }
    Some(at)
}
