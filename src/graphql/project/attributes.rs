//! `attributes`: all that Auth0 sent beyond the fields of an object.

use std::borrow::Cow;

use indexmap::IndexMap;

use super::json::{self, Raw};
use super::value;
use crate::auth::Scopes;
use crate::graphql::plan::may_see_all_of;
use crate::graphql::schema::object::{Field, Guard, Kind, Object};

/// The entries of a record. Of several under one key, the last.
pub(super) type Entries<'a> = IndexMap<Cow<'a, str>, Raw<'a>>;

/// Appends what the table does not know, and of what it knows whatever its field does not give out whole.
pub(super) fn write(
    object: &Object,
    authority: Scopes,
    guard: Option<&Guard>,
    entries: &Entries<'_>,
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    let mut is_first = true;
    for (key, value) in entries {
        let is_kept = match object.field_of_key(key) {
            None => guard.is_none_or(|guard| guard.is_open(|name| key == name, *value)),
            Some(field) => {
                !value.is_null()
                    && may_see_all_of(field, authority)
                    && (guard.is_none() || is_simple(field, *value))
                    && !is_given_out(field, key, *value, entries)
            }
        };
        if !is_kept {
            continue;
        }
        if !std::mem::take(&mut is_first) {
            out.push(b',');
        }
        json::write_string(key, out);
        out.push(b':');
        value.write(out);
    }
    out.push(b'}');
}

/// True if nothing can be in the value that is unknown. In the place of an object, a list or another object has room for anything.
fn is_simple(field: &Field, value: Raw<'_>) -> bool {
    !matches!(field.kind, Kind::Object(_) | Kind::Objects(_)) || !matches!(value.first(), b'{' | b'[')
}

/// True if the field gives out all of the value that stands under one of its keys.
fn is_given_out(field: &Field, key: &str, value: Raw<'_>, entries: &Entries<'_>) -> bool {
    let mut preferred = field.keys.iter().take_while(|preferred| **preferred != key);
    let other = preferred.find_map(|key| entries.get(*key).filter(|value| !value.is_null()));
    let mut written = Vec::new();
    if !value::is_whole(&field.kind, value, &mut written) {
        return false;
    }
    // The other is what the field gives out.
    other.is_none_or(|other| {
        let (mut one, mut another) = (Vec::new(), Vec::new());
        value::write(&field.kind, value, &mut one) && value::write(&field.kind, *other, &mut another) && one == another
    })
}
