//! What the grammar crate would misread, moved out of its way.
//!
//! Its grammar is not Lucene's, as Auth0 documents it, in three places:
//!
//! * it gives up the difference between `\*` and `*`, and keeps the backslash of `auth0\|1`;
//! * `'`, a backquote and `/` delimit things there, and are letters here;
//! * a bound of a range may not be quoted there.
//!
//! So every escaped character, and every such letter, is moved to a private-use code point
//! that the grammar takes for an ordinary letter, and is moved back afterwards.

use super::SyntaxError;

/// How many parentheses may be open, and how many `NOT` a query may hold. The grammar is read
/// by recursion, so without a bound a long query would exhaust the stack.
pub(super) const DEEPEST: usize = 24;

/// Where a shielded character goes: private use plane A, of which U+F0000 is the start.
const SHIELD: u32 = 0xF_0000;

fn lift(c: char) -> char {
    char::from_u32(SHIELD + u32::from(c)).unwrap_or(c)
}

/// The character behind a shielded one; `None` for an ordinary one.
pub(super) fn lower(c: char) -> Option<char> {
    u32::from(c).checked_sub(SHIELD).and_then(char::from_u32)
}

pub(super) fn unshield(text: &str) -> String {
    text.chars().map(|c| lower(c).unwrap_or(c)).collect()
}

/// The query with every such character moved.
pub(super) fn shield(query: &str) -> Result<String, SyntaxError> {
    let mut out = String::with_capacity(query.len());
    let mut chars = query.chars();
    let mut in_range = false;
    let mut open = 0_usize;
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(lift(chars.next().ok_or(SyntaxError)?)),
            '"' => quoted(&mut chars, in_range, &mut out)?,
            '\'' | '`' | '/' if !in_range => out.push(lift(c)),
            '[' | '{' if !in_range => {
                in_range = true;
                out.push(c);
            }
            ']' | '}' => {
                in_range = false;
                out.push(c);
            }
            '(' => {
                open += 1;
                out.push(c);
            }
            ')' => {
                open = open.saturating_sub(1);
                out.push(c);
            }
            _ => out.push(c),
        }
        if open > DEEPEST {
            return Err(SyntaxError);
        }
    }
    if query.split_whitespace().filter(|word| word.ends_with("NOT")).count() > DEEPEST {
        return Err(SyntaxError);
    }
    Ok(out)
}

/// Copies a quoted phrase up to its end: as it is, or in a range, where the grammar allows no
/// quotes, shielded and without them.
fn quoted(chars: &mut std::str::Chars<'_>, in_range: bool, out: &mut String) -> Result<(), SyntaxError> {
    let start = out.len();
    if !in_range {
        out.push('"');
    }
    loop {
        match chars.next().ok_or(SyntaxError)? {
            '"' if in_range => break,
            '"' => {
                out.push('"');
                break;
            }
            '\\' => {
                let escaped = chars.next().ok_or(SyntaxError)?;
                if in_range {
                    out.push(lift(escaped));
                } else {
                    out.push('\\');
                    out.push(escaped);
                }
            }
            c if in_range => out.push(lift(c)),
            c => out.push(c),
        }
    }
    // An empty bound would leave nothing for the grammar to read.
    if out.len() == start { Err(SyntaxError) } else { Ok(()) }
}
