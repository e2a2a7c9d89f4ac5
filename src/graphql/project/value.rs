//! One value of Auth0's, as a field gives it out: the polymorphism of the wire is taken in here, and one type comes out.
//!
//! Each `write_` function appends what it makes and says so, or appends nothing where the value has no form that fits.

use std::borrow::Cow;
use std::io::Write as _;

use super::json::{self, Raw, Records};
use crate::graphql::schema::log_type;
use crate::graphql::schema::object::{FromString, Guard, Kind};
use crate::graphql::schema::scalar::is_date_time;

/// Appends `value` as `kind` gives it out and says so, or appends nothing where it has no form that fits.
#[inline]
pub(crate) fn write(kind: &Kind, value: Raw<'_>, out: &mut Vec<u8>) -> bool {
    match kind {
        // By far the most are, and stay as they stand there.
        Kind::Id | Kind::String if value.first() == b'"' => {
            value.write(out);
            true
        }
        Kind::Id => write_id(value, out),
        Kind::String => write_text(value, out),
        Kind::Boolean => {
            let word = value.string().unwrap_or(Cow::Borrowed(value.text()));
            matches!(&*word, "true" | "false") && write_verbatim(word.as_bytes(), out)
        }
        // JSON has one way to write an integer, but for the sign of zero.
        Kind::Int => value
            .text()
            .parse::<i32>()
            .is_ok_and(|number| write_verbatim(if number == 0 { b"0" } else { value.bytes() }, out)),
        Kind::Float if is_number(value) => write_finite(value.text(), out),
        Kind::Float => value.string().is_some_and(|text| json::is_number(&text) && write_finite(&text, out)),
        // A date-time has nothing to escape, so that what was written plainly can stay as it is.
        Kind::DateTime => match value.plain() {
            Some(text) => is_date_time(text) && write_verbatim(value.bytes(), out),
            None => value.string().is_some_and(|text| is_date_time(text.as_bytes()) && write_quoted(&text, out)),
        },
        Kind::Json => {
            value.write(out);
            true
        }
        Kind::Guarded(guard) => write_open(guard, value, out),
        Kind::Strings(from_string) => write_texts(*from_string, value, out),
        Kind::LogTypeDescription => value.string().and_then(|code| log_type::description(&code)).is_some_and(|text| {
            json::write_string(text, out);
            true
        }),
        Kind::LogOutcome => {
            json::write_string(log_type::outcome(&value.string().unwrap_or_default()).name(), out);
            true
        }
        // These have plans of their own.
        Kind::Object(_) | Kind::Objects(_) | Kind::Attributes(_) => false,
    }
}

fn write_id(value: Raw<'_>, out: &mut Vec<u8>) -> bool {
    if value.first() == b'"' {
        value.write(out);
        return true;
    }
    is_integer(value) && write_quoted(value.text(), out)
}

/// True if [`write()`] leaves nothing of `value` out.
pub(crate) fn is_whole(kind: &Kind, value: Raw<'_>, scratch: &mut Vec<u8>) -> bool {
    let each = |is_given_out: fn(Raw<'_>) -> bool| {
        let mut all = true;
        json::read_array(value.bytes(), |element| all &= is_given_out(element)).is_ok() && all
    };
    match (kind, value.first()) {
        // To who holds the guard's scope, which is who is asked about: to others nothing of it is shown here either.
        (Kind::Guarded(_), _) => true,
        (Kind::Object(_), first) => first == b'{',
        (Kind::Objects(_), first) => first == b'[' && each(|element| element.first() == b'{'),
        (Kind::Strings(_), b'[') => each(|element| element.is_null() || is_text(element)),
        (Kind::String, b'[') => {
            let mut count = 0;
            let read = json::read_array(value.bytes(), |element| count += usize::from(!element.is_null()));
            read.is_ok() && count == 1 && write(kind, value, scratch)
        }
        _ => write(kind, value, scratch),
    }
}

/// The text of the id that `value` is, in the forms that [`Kind::Id`] takes in.
pub(crate) fn id(value: Raw<'_>) -> Option<Cow<'_, str>> {
    value.string().or_else(|| is_integer(value).then_some(Cow::Borrowed(value.text())))
}

fn write_text(value: Raw<'_>, out: &mut Vec<u8>) -> bool {
    match value.first() {
        b'"' => {
            value.write(out);
            true
        }
        b'[' => {
            let mut first = None;
            let read = json::read_array(value.bytes(), |element| {
                if first.is_none() && element.first() == b'"' {
                    first = Some(element);
                }
            });
            read.is_ok() && first.is_some_and(|text| write_text(text, out))
        }
        _ => is_number(value) && write_quoted(value.text(), out),
    }
}

fn write_finite(number: &str, out: &mut Vec<u8>) -> bool {
    number.parse().is_ok_and(f64::is_finite) && write_verbatim(number.as_bytes(), out)
}

/// Appends the entries of an object that are open, as often as they stand there.
fn write_open(guard: &Guard, value: Raw<'_>, out: &mut Vec<u8>) -> bool {
    struct Open<'g, 'o> {
        guard: &'g Guard,
        separator: &'static [u8],
        out: &'o mut Vec<u8>,
    }
    impl<'a> Records<'a> for Open<'_, '_> {
        fn entry(&mut self, key: Raw<'a>, _: bool, value: Raw<'a>) {
            if self.guard.is_open(|name| key.is(name), value) {
                self.out.extend_from_slice(std::mem::replace(&mut self.separator, b","));
                key.write(self.out);
                self.out.push(b':');
                value.write(self.out);
            }
        }

        fn end(&mut self, _: bool) {}
    }
    if value.first() != b'{' {
        return false;
    }
    // The value was found well-formed when it was passed over: reading it again cannot fail half-way.
    out.push(b'{');
    let is_read = json::read_record(value.bytes(), &mut Open { guard, separator: b"", out }).is_ok();
    out.push(b'}');
    is_read
}

fn write_texts(from_string: FromString, value: Raw<'_>, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let separate = |out: &mut Vec<u8>| {
        if out.len() > start + 1 {
            out.push(b',');
        }
    };
    match (value.string(), from_string) {
        (None, _) if value.first() == b'[' => {
            out.push(b'[');
            let read = json::read_array(value.bytes(), |element| {
                let end = out.len();
                separate(out);
                if !(is_text(element) && write_text(element, out)) {
                    out.truncate(end);
                }
            });
            if read.is_err() {
                out.truncate(start);
                return false;
            }
        }
        (None, _) => return false,
        (Some(words), FromString::Words) => {
            out.push(b'[');
            for word in words.split(' ').filter(|word| !word.is_empty()) {
                separate(out);
                json::write_string(word, out);
            }
        }
        (Some(_), FromString::Whole) => {
            out.push(b'[');
            value.write(out);
        }
    }
    out.push(b']');
    true
}

#[inline]
fn write_verbatim(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(text);
    true
}

fn write_quoted(text: &str, out: &mut Vec<u8>) -> bool {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    true
}

/// True if a string comes of it by itself, and not of what is in it.
fn is_text(value: Raw<'_>) -> bool {
    value.first() == b'"' || is_number(value)
}

fn is_integer(value: Raw<'_>) -> bool {
    is_number(value) && !value.bytes().iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}

fn is_number(value: Raw<'_>) -> bool {
    matches!(value.first(), b'-' | b'0'..=b'9')
}

/// Appends a number.
pub(crate) fn write_number(number: impl std::fmt::Display, out: &mut Vec<u8>) {
    // Writing to a vector does not fail.
    let _ = write!(out, "{number}");
}
