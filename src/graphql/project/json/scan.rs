//! Finds where the values of a JSON text begin and end, and makes nothing of them.
//!
//! Written out, for the best library that will do costs nearly twice as much: `serde_json` hands out raw values too, but does
//! not tell which of them hold an escape, so that whoever copies them has to look at them once more. What is faster recurses
//! into nested values, and its stack ends with them; `benches/README.md` has the figures. Here nesting is a list, as deep as
//! the text is long. What is accepted is held to `serde_json` by tests and a fuzz target.

use wide::u8x16;

use super::{JsonError, Raw};

/// A JSON text, and how far it has been read.
pub(super) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    /// The closing brackets of the values around the one that is being read, the outermost first.
    enclosing: Vec<u8>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, enclosing: Vec::new() }
    }

    /// The first byte behind white space, which is passed over.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<u8, JsonError> {
        let (at, byte) = peek(self.text, self.at)?;
        self.at = at;
        Ok(byte)
    }

    /// Passes over the comma before another element, or over `closing`: whether there is another.
    #[inline]
    pub(super) fn goes_on(&mut self, closing: u8) -> Result<bool, JsonError> {
        let (at, goes_on) = goes_on(self.text, self.at, closing)?;
        self.at = at;
        Ok(goes_on)
    }

    /// Passes over `opening`, and over the end of what it opens if nothing is in there: whether something is.
    #[inline]
    pub(super) fn opens(&mut self, opening: u8) -> Result<bool, JsonError> {
        if self.peek()? != opening {
            return Err(JsonError);
        }
        let (at, is_filled) = opens(self.text, self.at, opening)?;
        self.at = at;
        Ok(is_filled)
    }

    /// The key of an entry, as a string literal, and whether it is `expected`, a key that was read before; the colon behind
    /// it is passed over. An expected one costs least: a literal that begins like another one is that other one, since it ends
    /// where that ends.
    #[inline(always)]
    pub(super) fn key(&mut self, expected: Option<Raw<'a>>) -> Result<(Raw<'a>, bool), JsonError> {
        let bytes = self.text;
        let (start, quote) = peek(bytes, self.at)?;
        if let Some(key) = expected
            && begins_with(bytes, start, key.bytes)
        {
            self.at = colon(bytes, start + key.bytes.len())?;
            return Ok((key, true));
        }
        if quote != b'"' {
            return Err(JsonError);
        }
        let (end, escaped) = string(bytes, start)?;
        self.at = colon(bytes, end)?;
        Ok((self.raw(start, end, escaped)?, false))
    }

    /// The next value.
    #[inline(always)]
    pub(super) fn value(&mut self) -> Result<Raw<'a>, JsonError> {
        let bytes = self.text;
        let (start, first) = peek(bytes, self.at)?;
        let (end, escaped) = match first {
            b'"' => string(bytes, start)?,
            b'{' | b'[' => self.compound(start, first)?,
            _ => (scalar(bytes, start, first)?, 0),
        };
        self.at = end;
        self.raw(start, end, escaped)
    }

    /// Nothing but white space may be left.
    pub(super) fn end(mut self) -> Result<(), JsonError> {
        if self.peek().is_err() { Ok(()) } else { Err(JsonError) }
    }

    #[inline]
    fn raw(&self, start: usize, end: usize, escaped: usize) -> Result<Raw<'a>, JsonError> {
        let bytes = self.text.get(start..end).ok_or(JsonError)?;
        Ok(Raw { bytes, escaped })
    }

    /// Passes over the object or array that is opened there: where it ends, and how many strings in it hold an escape.
    fn compound(&mut self, start: usize, opening: u8) -> Result<(usize, usize), JsonError> {
        let bytes = self.text;
        let mut escaped = 0;
        let mut closing = closing_of(opening);
        let (mut at, mut is_filled) = opens(bytes, start, opening)?;
        self.enclosing.clear();
        loop {
            if is_filled {
                if closing == b'}' {
                    let (start, quote) = peek(bytes, at)?;
                    if quote != b'"' {
                        return Err(JsonError);
                    }
                    let (end, is_escaped) = string(bytes, start)?;
                    escaped += is_escaped;
                    at = colon(bytes, end)?;
                }
                let (start, first) = peek(bytes, at)?;
                match first {
                    b'"' => {
                        let (end, is_escaped) = string(bytes, start)?;
                        escaped += is_escaped;
                        at = end;
                    }
                    b'{' | b'[' => {
                        self.enclosing.push(closing);
                        closing = closing_of(first);
                        (at, is_filled) = opens(bytes, start, first)?;
                        continue;
                    }
                    _ => at = scalar(bytes, start, first)?,
                }
            } else {
                match self.enclosing.pop() {
                    Some(outer) => closing = outer,
                    None => return Ok((at, escaped)),
                }
            }
            (at, is_filled) = goes_on(bytes, at, closing)?;
        }
    }
}

/// True if the bytes begin with `key`. Keys are short, so that two words say it, which may overlap: a call to `memcmp` costs
/// twice as much.
#[inline]
fn begins_with(bytes: &[u8], at: usize, key: &[u8]) -> bool {
    let Some(bytes) = bytes.get(at..at + key.len()) else { return false };
    match key.len() {
        8..=16 => bytes.first_chunk::<8>() == key.first_chunk() && bytes.last_chunk::<8>() == key.last_chunk(),
        4..8 => bytes.first_chunk::<4>() == key.first_chunk() && bytes.last_chunk::<4>() == key.last_chunk(),
        17..=32 => bytes.first_chunk::<16>() == key.first_chunk() && bytes.last_chunk::<16>() == key.last_chunk(),
        _ => bytes == key,
    }
}

/// The first byte from there on that is no white space, and where it is.
#[inline]
fn peek(bytes: &[u8], at: usize) -> Result<(usize, u8), JsonError> {
    match bytes.get(at) {
        // Auth0 writes no white space.
        Some(byte) if *byte > b' ' => Ok((at, *byte)),
        _ => behind_space(bytes, at),
    }
}

#[inline(never)]
fn behind_space(bytes: &[u8], mut at: usize) -> Result<(usize, u8), JsonError> {
    loop {
        match bytes.get(at) {
            Some(b' ' | b'\n' | b'\r' | b'\t') => at += 1,
            Some(byte) => return Ok((at, *byte)),
            None => return Err(JsonError),
        }
    }
}

#[inline]
fn colon(bytes: &[u8], at: usize) -> Result<usize, JsonError> {
    match peek(bytes, at)? {
        (at, b':') => Ok(at + 1),
        _ => Err(JsonError),
    }
}

#[inline]
fn goes_on(bytes: &[u8], at: usize, closing: u8) -> Result<(usize, bool), JsonError> {
    let (at, byte) = peek(bytes, at)?;
    match byte {
        b',' => Ok((at + 1, true)),
        byte if byte == closing => Ok((at + 1, false)),
        _ => Err(JsonError),
    }
}

#[inline]
fn opens(bytes: &[u8], at: usize, opening: u8) -> Result<(usize, bool), JsonError> {
    let (at, byte) = peek(bytes, at + 1)?;
    let is_filled = byte != closing_of(opening);
    Ok((at + usize::from(!is_filled), is_filled))
}

/// The bracket that closes `opening`: in ASCII, the next but one.
#[inline]
fn closing_of(opening: u8) -> u8 {
    opening + 2
}

/// The end of the string that begins there with a quote, and 1 if it holds an escape, or else 0.
#[inline]
fn string(bytes: &[u8], start: usize) -> Result<(usize, usize), JsonError> {
    let at = plain(bytes, start + 1);
    match bytes.get(at) {
        Some(b'"') => Ok((at + 1, 0)),
        _ => Ok((end_of_escaped(bytes, at)?, 1)),
    }
}

/// The end of a string of which an escape is next.
#[inline(never)]
fn end_of_escaped(bytes: &[u8], mut at: usize) -> Result<usize, JsonError> {
    loop {
        at += match bytes.get(at..).unwrap_or_default() {
            [b'"', ..] => return Ok(at + 1),
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'\\', b'u', digits @ ..] if digits.len() >= 4 && digits[..4].iter().all(u8::is_ascii_hexdigit) => 6,
            // A control character, or the end.
            _ => return Err(JsonError),
        };
        at = plain(bytes, at);
    }
}

/// The first byte from `at` on that does not stand for itself in a string: a quote, backslash or control character from `at` on.
#[inline]
fn plain(bytes: &[u8], at: usize) -> usize {
    let special = |bytes: u8x16| {
        let quotes = bytes.simd_eq(u8x16::splat(b'"'));
        let backslashes = bytes.simd_eq(u8x16::splat(b'\\'));
        let controls = bytes.simd_eq(bytes.min(u8x16::splat(0x1f)));
        quotes | backslashes | controls
    };
    find(bytes, at, special, |byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
}

/// The end of the digits that begin there.
#[inline]
fn digits(bytes: &[u8], at: usize) -> usize {
    let digits = |bytes: u8x16| bytes.simd_eq(bytes.max(u8x16::splat(b'0')).min(u8x16::splat(b'9')));
    find(bytes, at, |bytes| !digits(bytes), |byte| !byte.is_ascii_digit())
}

/// The first byte of a kind from `at` on, or the end. `them` has all bits set where one is, and `is_one` says it of
/// the few for which sixteen are too many.
#[inline(always)]
fn find(bytes: &[u8], mut at: usize, them: impl Fn(u8x16) -> u8x16, is_one: impl Fn(u8) -> bool) -> usize {
    while let Some(block) = bytes.get(at..at + 16).and_then(<[u8]>::first_chunk) {
        let them = them(u8x16::new(*block)).to_bitmask();
        if them != 0 {
            return at + them.trailing_zeros() as usize;
        }
        at += block.len();
    }
    while bytes.get(at).is_some_and(|byte| !is_one(*byte)) {
        at += 1;
    }
    at
}

/// The end of the number, `true`, `false` or `null` that begins there.
#[inline]
fn scalar(bytes: &[u8], start: usize, first: u8) -> Result<usize, JsonError> {
    let rest = bytes.get(start..).unwrap_or_default();
    match first {
        b't' if rest.starts_with(b"true") => Ok(start + 4),
        b'f' if rest.starts_with(b"false") => Ok(start + 5),
        b'n' if rest.starts_with(b"null") => Ok(start + 4),
        b'-' | b'0'..=b'9' => number(bytes, start),
        _ => Err(JsonError),
    }
}

/// The end of the number that begins there.
fn number(bytes: &[u8], start: usize) -> Result<usize, JsonError> {
    let some_digits = |at| match digits(bytes, at) {
        end if end == at => Err(JsonError),
        end => Ok(end),
    };
    let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
    at = if bytes.get(at) == Some(&b'0') { at + 1 } else { some_digits(at)? };
    if bytes.get(at) == Some(&b'.') {
        at = some_digits(at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at = some_digits(at + 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-'))))?;
    }
    Ok(at)
}
