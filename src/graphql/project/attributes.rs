//! `attributes`: all that Auth0 sent beyond the fields of an object.

use std::borrow::Cow;

use super::json::{self, Raw};
use super::value;
use crate::auth::Scopes;
use crate::graphql::plan::may_see_all_of;
use crate::graphql::schema::object::{Guard, Object};

/// Appends what the table does not know, and of what it knows whatever its field does not give out whole.
pub(super) fn write<'e, 'a: 'e>(
    object: &Object,
    authority: Scopes,
    guard: Option<&Guard>,
    entries: impl Iterator<Item = (&'e Cow<'a, str>, &'e Raw<'a>)>,
    out: &mut Vec<u8>,
) {
    let mut scratch = Vec::new();
    out.push(b'{');
    let mut is_first = true;
    for (key, value) in entries {
        let is_kept = match object.field_of_key(key) {
            None => guard.is_none_or(|guard| guard.is_open(|name| key == name, *value)),
            Some(field) => {
                scratch.clear();
                !value.is_null()
                    && may_see_all_of(field, authority)
                    && !value::is_whole(&field.kind, *value, &mut scratch)
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
