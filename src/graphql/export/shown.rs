//! Values as those may see them who hold some scopes: in the form that Auth0 gives them.

use crate::auth::Scopes;
use crate::graphql::project::json::{self, Raw, Records};
use crate::graphql::project::value;
use crate::graphql::schema::object::{Field, Kind, Object};

/// Appends a value as it stands there.
pub(super) fn write_all(value: Raw<'_>, out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(value.bytes());
    true
}

/// Appends a field's value as far as it is shown, or nothing.
pub(super) fn write_field(field: &Field, value: Raw<'_>, held: Scopes, out: &mut Vec<u8>) -> bool {
    if field.scope.is_some_and(|scope| !held.holds(scope)) {
        return false;
    }
    match &field.kind {
        Kind::Object(inner) | Kind::Objects(inner) => write_object(inner, value, held, out),
        Kind::Guarded(guard) if !guard.is_lifted_for(held) => value::write(&field.kind, value, out),
        _ => write_all(value, out),
    }
}

/// Appends an object, or a list of them. What is neither is in the place of one, and shown only where nothing is withheld.
fn write_object(object: &Object, value: Raw<'_>, held: Scopes, out: &mut Vec<u8>) -> bool {
    match value.first() {
        b'{' => {
            let start = out.len();
            out.push(b'{');
            let is_read = json::read_record(value.bytes(), &mut Shown { object, held, separator: b"", out }).is_ok();
            out.push(b'}');
            if !is_read {
                out.truncate(start);
            }
            is_read
        }
        b'[' => {
            out.push(b'[');
            let mut separator: &[u8] = b"";
            let read = json::read_array(value.bytes(), |element| {
                out.extend_from_slice(std::mem::replace(&mut separator, b","));
                if !write_object(object, element, held, out) {
                    out.extend_from_slice(b"null");
                }
            });
            out.push(b']');
            read.is_ok()
        }
        _ if value.is_null() || object.guard().is_none_or(|guard| guard.is_lifted_for(held)) => write_all(value, out),
        _ => false,
    }
}

/// Writes the entries of an object that are shown.
struct Shown<'o> {
    object: &'o Object,
    held: Scopes,
    separator: &'static [u8],
    out: &'o mut Vec<u8>,
}

impl<'a> Records<'a> for Shown<'_> {
    fn entry(&mut self, key: Raw<'a>, _: bool, value: Raw<'a>) {
        let Some(name) = key.string() else { return };
        let start = self.out.len();
        self.out.extend_from_slice(self.separator);
        key.write(self.out);
        self.out.push(b':');
        let guard = self.object.guard().filter(|guard| !guard.is_lifted_for(self.held));
        let is_shown = match self.object.field_of_key(&name) {
            Some(field) => {
                let has_table = matches!(field.kind, Kind::Object(_) | Kind::Objects(_) | Kind::Guarded(_));
                (guard.is_none() || has_table || !field.kind.leaves_room_in(value))
                    && write_field(field, value, self.held, self.out)
            }
            None => guard.is_none_or(|guard| guard.is_open(|open| name == open, value)) && write_all(value, self.out),
        };
        if is_shown {
            self.separator = b",";
        } else {
            self.out.truncate(start);
        }
    }

    fn end(&mut self, _: bool) {}
}
