//! Object tables: a row for each field of a record of Auth0's.
//!
//! The schema, `fields=`, the scope check and the projection all read the same rows.

use crate::auth::{Scope, Scopes};
use crate::graphql::project::json::{self, Raw};

/// An object type: what one record of Auth0's holds.
pub(crate) struct Object {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) fields: &'static [Field],
}

/// A field of an [`Object`].
pub(crate) struct Field {
    /// The field's GraphQL name.
    pub(crate) name: &'static str,
    /// The keys that it has on the wire. The first that is there and not null counts; only the first is ever asked for.
    pub(crate) keys: &'static [&'static str],
    pub(crate) kind: Kind,
    /// The scope that a caller must hold beyond what the object itself needs.
    pub(crate) scope: Option<Scope>,
    /// True if it always has a value.
    pub(crate) is_non_null: bool,
    pub(crate) description: &'static str,
}

/// The kind of a field: the value that it gives out, and with that the forms of Auth0's that it takes in. A form that does not fit is null, never an
/// error: Auth0's oddity is not the caller's. What was lost on the way stays readable in `attributes`.
pub(crate) enum Kind {
    /// A string, or an integer's digits.
    Id,
    /// A string, a number's digits, or the first string of an array.
    String,
    /// `true`, `"true"`, `false` or `"false"`. Some connections map other strings here: those are never true.
    Boolean,
    /// An integer of 32 bits.
    Int,
    /// A finite number, or a string that is one.
    Float,
    /// A string that is an RFC 3339 date-time.
    DateTime,
    /// Any value, as it stands.
    Json,
    /// Any value, as it stands, for those who hold the guard's scope. For all others: of an object, the entries that are open.
    Guarded(&'static Guard),
    /// A list of strings; from a single string, its words or the whole of it as the one element.
    Strings(FromString),
    /// An object that has a table of its own.
    Object(&'static Object),
    /// A list of such objects. Elements that are none are left out, and told of.
    Objects(&'static Object),
    /// Auth0's name of the log type in words.
    LogTypeDescription,
    /// The outcome that the log type stands for.
    LogOutcome,
    /// Everything that the table does not know, and what a field could not give out whole. Under a guard, the former only for those
    /// who hold its scope, but for the entries that are open.
    Attributes(Option<&'static Guard>),
}

impl Kind {
    /// True if `value` can hold what is unknown, which a value of this kind cannot: it is an object, or a list that is not of plain values.
    pub(crate) fn leaves_room_in(&self, value: Raw<'_>) -> bool {
        match value.first() {
            b'{' => true,
            b'[' if matches!(self, Self::Object(_) | Self::Objects(_)) => true,
            b'[' => {
                let mut is_plain = true;
                let read = json::read_array(value.bytes(), |item| is_plain &= !matches!(item.first(), b'{' | b'['));
                read.is_err() || !is_plain
            }
            _ => false,
        }
    }
}

/// A guard of values in which secrets live: what is unknown there is withheld.
pub(crate) struct Guard {
    /// The scope that it takes to see everything; none if nobody may.
    pub(crate) scope: Option<Scope>,
    /// The keys whose values are for everybody, unless they are objects or lists, which have room for anything.
    pub(crate) open: &'static [&'static str],
}

impl Guard {
    /// True if nothing is withheld from whoever holds these scopes.
    pub(crate) fn is_lifted_for(&self, held: Scopes) -> bool {
        self.scope.is_some_and(|scope| held.holds(scope))
    }

    /// True if everybody may see `value`, which stands under the key that `is_key` knows.
    pub(crate) fn is_open(&self, is_key: impl Fn(&str) -> bool, value: Raw<'_>) -> bool {
        !matches!(value.first(), b'{' | b'[') && self.open.iter().any(|name| is_key(name))
    }
}

/// The reading of a single string as a list of strings.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FromString {
    /// Split at spaces, as OAuth writes scopes.
    Words,
    /// The string is the one element.
    Whole,
}

impl Field {
    pub(crate) const fn new(
        name: &'static str,
        keys: &'static [&'static str],
        kind: Kind,
        description: &'static str,
    ) -> Self {
        Self { name, keys, kind, scope: None, is_non_null: false, description }
    }

    pub(crate) const fn needs(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    pub(crate) const fn non_null(mut self) -> Self {
        self.is_non_null = true;
        self
    }

    /// The `attributes` field that every object has.
    pub(crate) const fn attributes() -> Self {
        Self::new(
            "attributes",
            &[],
            Kind::Attributes(None),
            "What Auth0 sent beyond the fields of this type, under the names that it has there, as one JSON object. A value \
             that its field could not give out, or not in full, is kept here too.",
        )
    }

    /// The same, of an object in which secrets live.
    pub(crate) const fn attributes_under(guard: &'static Guard, description: &'static str) -> Self {
        Self::new("attributes", &[], Kind::Attributes(Some(guard)), description)
    }
}

impl Object {
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The guard of what the table does not know.
    pub(crate) fn guard(&self) -> Option<&'static Guard> {
        self.fields.iter().find_map(|field| match field.kind {
            Kind::Attributes(guard) => guard,
            _ => None,
        })
    }

    /// The key that a record's id has on the wire. Every table begins with it.
    pub(crate) fn id_key(&self) -> &'static str {
        self.fields.first().and_then(|field| field.keys.first()).copied().unwrap_or_default()
    }

    /// The field that gives out the value under `key` itself. Fields that are derived from a key come after it in the
    /// table.
    pub(crate) fn field_of_key(&self, key: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.keys.contains(&key))
    }
}

/// The shape of the answer of a field that asks Auth0. All of them are nullable, so that one that fails leaves its siblings alone.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Page(&'static PageType),
    List(&'static Object),
    Record(&'static Object),
    Connection(&'static ConnectionType),
}

impl Shape {
    /// The object that the records are.
    pub(crate) fn object(self) -> &'static Object {
        match self {
            Self::Page(page) => page.object,
            Self::List(object) | Self::Record(object) => object,
            Self::Connection(connection) => connection.node,
        }
    }
}

/// A connection: records in an order in which all of them can be reached.
pub(crate) struct ConnectionType {
    pub(crate) object: &'static Object,
    /// The records.
    pub(crate) node: &'static Object,
    /// The keys of a record that its place goes by.
    pub(crate) order: &'static [&'static str],
}

/// The type of a page: the records, and what the gateway says about them.
pub(crate) struct PageType {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) object: &'static Object,
    pub(crate) fields: &'static [PageField],
    /// The keys of a record that say where to read on, if that can be told by its records.
    pub(crate) cursor: &'static [&'static str],
}

/// A field of a [`PageType`].
pub(crate) struct PageField {
    pub(crate) name: &'static str,
    pub(crate) kind: PageKind,
    pub(crate) description: &'static str,
}

/// The value of a field of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PageKind {
    /// The records.
    Nodes,
    /// The number of records that match in all.
    Total,
    /// The page that was asked for.
    Page,
    /// The page size that was asked for.
    PerPage,
    /// True if another page can be asked for.
    HasNextPage,
    /// The log to read on from.
    Next,
    /// The place to read on from, as Auth0 says; none behind the last record.
    Checkpoint,
}

impl PageType {
    pub(crate) fn field(&self, name: &str) -> Option<&'static PageField> {
        self.fields.iter().find(|field| field.name == name)
    }
}
