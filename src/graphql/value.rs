//! One value of Auth0's, as a field gives it out: the polymorphism of the wire is taken in here, and one type comes out.
//!
//! Each `write_` function appends what it makes and says so, or appends nothing where the value has no form that fits.

use std::borrow::Cow;
use std::io::Write as _;

use super::json;
use super::log_type;
use super::object::{FromString, Kind};
use super::scalar::is_date_time;

/// Appends `value` as `kind` gives it out and says so, or appends nothing where it has no form that fits.
pub(crate) fn write(kind: &Kind, value: &str, out: &mut Vec<u8>) -> bool {
    match kind {
        Kind::Id => write_id(value, out),
        Kind::String => write_text(value, out),
        Kind::Boolean => {
            let word = if value.starts_with('"') { json::unescape(value) } else { Cow::Borrowed(value) };
            matches!(&*word, "true" | "false") && write_verbatim(&word, out)
        }
        Kind::Int => value.parse::<i32>().is_ok_and(|number| {
            write_number(number, out);
            true
        }),
        Kind::Float => is_number(value) && value.parse().is_ok_and(f64::is_finite) && write_verbatim(value, out),
        Kind::DateTime => {
            value.starts_with('"') && {
                let text = json::unescape(value);
                // A date-time has nothing to escape, so that what was written plainly can stay as it is.
                is_date_time(&text)
                    && match text {
                        Cow::Borrowed(_) => write_verbatim(value, out),
                        Cow::Owned(text) => write_quoted(&text, out),
                    }
            }
        }
        Kind::Json => {
            json::write_value(value, out);
            true
        }
        Kind::Strings(from_string) => write_texts(*from_string, value, out),
        Kind::LogTypeDescription => {
            value.starts_with('"')
                && log_type::description(&json::unescape(value)).is_some_and(|text| {
                    json::write_string(text, out);
                    true
                })
        }
        Kind::LogOutcome => {
            json::write_string(log_type::outcome(&json::unescape(value)).name(), out);
            true
        }
        // These have plans of their own.
        Kind::Object(_) | Kind::Objects(_) | Kind::Join(_) | Kind::Attributes => false,
    }
}

fn write_id(value: &str, out: &mut Vec<u8>) -> bool {
    if value.starts_with('"') {
        json::write_value(value, out);
        return true;
    }
    is_integer(value) && write_quoted(value, out)
}

/// The text of the id that `value` is, in the forms that [`Kind::Id`] takes in.
pub(crate) fn id(value: &str) -> Option<Cow<'_, str>> {
    if value.starts_with('"') { Some(json::unescape(value)) } else { is_integer(value).then_some(Cow::Borrowed(value)) }
}

fn write_text(value: &str, out: &mut Vec<u8>) -> bool {
    match value.as_bytes().first() {
        Some(b'"') => {
            json::write_value(value, out);
            true
        }
        Some(b'[') => {
            let mut first = None;
            let read = json::read_array(value, |element| {
                if first.is_none() && element.starts_with('"') {
                    first = Some(element);
                }
            });
            read.is_ok() && first.is_some_and(|text| write_text(text, out))
        }
        _ => is_number(value) && write_quoted(value, out),
    }
}

fn write_texts(from_string: FromString, value: &str, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let separate = |out: &mut Vec<u8>| {
        if out.len() > start + 1 {
            out.push(b',');
        }
    };
    match (value.as_bytes().first(), from_string) {
        (Some(b'['), _) => {
            out.push(b'[');
            let read = json::read_array(value, |element| {
                let end = out.len();
                separate(out);
                if !write_text(element, out) {
                    out.truncate(end);
                }
            });
            if read.is_err() {
                out.truncate(start);
                return false;
            }
        }
        (Some(b'"'), FromString::Words) => {
            out.push(b'[');
            for word in json::unescape(value).split(' ').filter(|word| !word.is_empty()) {
                separate(out);
                json::write_string(word, out);
            }
        }
        (Some(b'"'), FromString::Whole) => {
            out.push(b'[');
            json::write_value(value, out);
        }
        _ => return false,
    }
    out.push(b']');
    true
}

fn write_verbatim(text: &str, out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(text.as_bytes());
    true
}

fn write_quoted(text: &str, out: &mut Vec<u8>) -> bool {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    true
}

fn is_integer(value: &str) -> bool {
    is_number(value) && !value.contains(['.', 'e', 'E'])
}

fn is_number(value: &str) -> bool {
    value.as_bytes().first().is_some_and(|first| matches!(first, b'-' | b'0'..=b'9'))
}

/// Appends a number.
pub(crate) fn write_number(number: impl std::fmt::Display, out: &mut Vec<u8>) {
    // Writing to a vector does not fail.
    let _ = write!(out, "{number}");
}
