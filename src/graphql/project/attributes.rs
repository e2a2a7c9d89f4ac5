//! `attributes`: all that Auth0 sent beyond the fields of an object.

use std::borrow::Cow;

use indexmap::IndexMap;

use super::json::{self, Raw};
use super::value;
use crate::auth::Scopes;
use crate::graphql::plan::may_see_all_of;
use crate::graphql::schema::object::{Field, Guard, Object};

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
        let field = object.field_of_key(key);
        let is_kept = match field {
            None => guard.is_none_or(|guard| guard.is_open(|name| key == name, *value)),
            Some(field) => {
                !value.is_null() && may_see_all_of(field, authority) && !is_given_out(field, key, *value, entries)
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
        // The key without its value: that there was something is no secret, and no other value is null here.
        match guard.and(field).is_some_and(|field| field.kind.leaves_room_in(*value)) {
            true => out.extend_from_slice(b"null"),
            false => value.write(out),
        }
    }
    out.push(b'}');
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
