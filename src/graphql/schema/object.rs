//! What an object table is, and how tables become types of the schema.
//!
//! An object of Auth0's is described once, as a static table: a row per field. The schema, `fields=`, the scope check and
//! the projection all read that table. This file and `root_field` are the ones that touch async-graphql's registry.

use async_graphql::registry::{Deprecation, MetaField, MetaInputValue, MetaType, Registry};
use async_graphql::{InputType, OutputType, TypeDirective as _};

use super::outcome::LogOutcome;
use super::requires_scope::requires_scope;
use super::scalar::{DateTime, Json};
use crate::auth::Scope;
use crate::auth0::Fields;
use crate::graphql::error::GraphqlError;
use crate::graphql::operation::Arguments;
use crate::graphql::plan::{ParentRequest, PreparedRequest};
use crate::graphql::project::json::Raw;

/// An object type: what one record of Auth0's holds.
pub(crate) struct Object {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) fields: &'static [Field],
}

/// One field of an [`Object`].
pub(crate) struct Field {
    /// The field's GraphQL name.
    pub(crate) name: &'static str,
    /// The keys that it has on the wire. The first that is there and not null counts; only the first is ever asked for.
    pub(crate) keys: &'static [&'static str],
    pub(crate) kind: Kind,
    /// What a caller must hold beyond what the object itself needs.
    pub(crate) scope: Option<Scope>,
    /// Those that a join takes.
    pub(crate) arguments: &'static [Argument],
    pub(crate) description: &'static str,
}

/// Records that belong to others, and how they are fetched.
pub(crate) struct Relation {
    pub(crate) shape: Shape,
    pub(crate) fetch: Fetch,
}

/// The way to the records of a [`Relation`].
pub(crate) enum Fetch {
    /// By their ids, many at once.
    ByIds(ByIds),
    /// One call for each parent, as the join's arguments say.
    PerParent(fn(&Arguments) -> Result<ParentRequest, GraphqlError>),
}

/// Records that a search finds by their ids.
pub(crate) struct ByIds {
    /// How many are looked up at once.
    pub(crate) batch: usize,
    /// The ids' field in Auth0's search.
    pub(crate) key: &'static str,
    /// The search for this, in Auth0's Lucene syntax.
    pub(crate) search: fn(&str, &Fields) -> Result<PreparedRequest, GraphqlError>,
    /// Whether there can be a record of this id. An error where there can be one, and it cannot be asked for.
    pub(crate) check: fn(&str) -> Result<bool, GraphqlError>,
    /// The read of one of them, which knows what the search does not know yet.
    pub(crate) single: fn(&str, &Fields) -> Result<PreparedRequest, GraphqlError>,
}

/// What a field gives out, and with that which of Auth0's forms it takes in. A form that does not fit is null, never an
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
    /// A list of such objects. Elements that are none are left out.
    Objects(&'static Object),
    /// Records of another endpoint that belong to this one, by the value under the key.
    Join(&'static Relation),
    /// What Auth0 calls the log type in words.
    LogTypeDescription,
    /// What the log type says of the outcome.
    LogOutcome,
    /// Whatever the table does not know, and what a field could not give out whole. Under a guard, the former only for those
    /// who hold its scope, but for the entries that are open.
    Attributes(Option<&'static Guard>),
}

/// Where secrets live, what is unknown is withheld.
pub(crate) struct Guard {
    /// What it takes to see everything.
    pub(crate) scope: Scope,
    /// The keys whose values are for everybody, unless they are objects or lists, which have room for anything.
    pub(crate) open: &'static [&'static str],
}

impl Guard {
    pub(crate) fn is_open(&self, key: &str, value: Raw<'_>) -> bool {
        self.open.contains(&key) && !matches!(value.first(), b'{' | b'[')
    }
}

/// How a single string becomes a list of strings.
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
        Self { name, keys, kind, scope: None, arguments: &[], description }
    }

    pub(crate) const fn needs(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    pub(crate) const fn takes(mut self, arguments: &'static [Argument]) -> Self {
        self.arguments = arguments;
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

    /// The key that a record's id has on the wire. Every table begins with it.
    pub(crate) fn id_key(&self) -> &'static str {
        self.fields.first().and_then(|field| field.keys.first()).copied().unwrap_or_default()
    }

    /// The field that gives out the value under `key` itself. Fields that are derived from a key come after it in the
    /// table.
    pub(crate) fn field_of_key(&self, key: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.keys.contains(&key))
    }

    pub(super) fn register(&'static self, registry: &mut Registry) {
        if registry.types.contains_key(self.name) {
            return;
        }
        // Relations go round in circles: it is there before its fields are.
        insert_object(registry, self.name, self.description, Default::default());
        let fields = self.fields.iter().map(|field| {
            let ty = field.kind.register(registry);
            let (name, mut meta) = guarded_field(registry, field.name, field.description, " ", field.scope, ty);
            meta.args = field.arguments.iter().map(|argument| argument.register(registry)).collect();
            (name, meta)
        });
        let fields = fields.collect();
        insert_object(registry, self.name, self.description, fields);
    }
}

impl Kind {
    /// Registers what the field gives out and returns its type. Every field is nullable: nothing but `_id` is certain to
    /// be there.
    fn register(&self, registry: &mut Registry) -> String {
        match self {
            Self::Id => "ID".to_owned(),
            Self::String | Self::LogTypeDescription => "String".to_owned(),
            Self::Boolean => "Boolean".to_owned(),
            Self::Int => "Int".to_owned(),
            Self::Float => "Float".to_owned(),
            Self::DateTime => Option::<DateTime>::register_output(registry),
            Self::Json | Self::Guarded(_) | Self::Attributes(_) => Option::<Json>::register_output(registry),
            Self::Strings(_) => "[String!]".to_owned(),
            Self::LogOutcome => Option::<LogOutcome>::register_output(registry),
            Self::Object(object) => Shape::Record(object).register(registry),
            Self::Join(relation) => relation.shape.register(registry),
            Self::Objects(object) => Shape::List(object).register(registry),
        }
    }
}

/// What a field that asks Auth0 answers with. All of them are nullable, so that one that fails leaves its siblings alone.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Page(&'static Page),
    List(&'static Object),
    Record(&'static Object),
}

impl Shape {
    /// The object that the records are.
    pub(crate) fn object(self) -> &'static Object {
        match self {
            Self::Page(page) => page.object,
            Self::List(object) | Self::Record(object) => object,
        }
    }

    pub(super) fn register(self, registry: &mut Registry) -> String {
        match self {
            Self::Page(page) => {
                page.register(registry);
                page.name.to_owned()
            }
            Self::List(object) => {
                object.register(registry);
                format!("[{}!]", object.name)
            }
            Self::Record(object) => {
                object.register(registry);
                object.name.to_owned()
            }
        }
    }
}

/// An argument of a field.
pub(crate) struct Argument {
    name: &'static str,
    /// Registers the argument's type and returns its name.
    ty: fn(&mut Registry) -> String,
    /// As SDL writes it.
    default: Option<&'static str>,
    description: &'static str,
}

impl Argument {
    pub(crate) const fn new<T: InputType>(name: &'static str, description: &'static str) -> Self {
        Self { name, ty: T::create_type_info, default: None, description }
    }

    /// An argument of a type that is registered by hand.
    pub(crate) const fn of_type(
        name: &'static str,
        ty: fn(&mut Registry) -> String,
        description: &'static str,
    ) -> Self {
        Self { name, ty, default: None, description }
    }

    pub(crate) const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    pub(super) fn register(&self, registry: &mut Registry) -> (String, MetaInputValue) {
        let ty = (self.ty)(registry);
        input_value(self.name, self.description, ty, self.default)
    }
}

/// An argument or an input field, by its name.
pub(super) fn input_value(
    name: &str,
    description: &str,
    ty: String,
    default: Option<&str>,
) -> (String, MetaInputValue) {
    let value = MetaInputValue {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        ty,
        deprecation: Deprecation::NoDeprecated,
        default_value: default.map(ToOwned::to_owned),
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        is_secret: false,
        directive_invocations: Vec::new(),
    };
    (name.to_owned(), value)
}

trait RegisterOutput: OutputType {
    fn register_output(registry: &mut Registry) -> String {
        Self::create_type_info(registry);
        Self::qualified_type_name()
    }
}

impl<T: OutputType> RegisterOutput for T {}

/// What a page of records is made of: the records, and what the gateway says about them.
pub(crate) struct Page {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) object: &'static Object,
    pub(crate) fields: &'static [PageField],
    /// The keys of a record that say where to read on, if that can be told by its records.
    pub(crate) cursor: &'static [&'static str],
}

/// One field of a [`Page`].
pub(crate) struct PageField {
    pub(crate) name: &'static str,
    pub(crate) kind: PageKind,
    pub(crate) description: &'static str,
}

/// What a field of a page gives out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PageKind {
    /// The records.
    Nodes,
    /// How many records match in all.
    Total,
    /// The page that was asked for.
    Page,
    /// The page size that was asked for.
    PerPage,
    /// Whether another page can be asked for.
    HasNextPage,
    /// The log to read on from.
    Next,
}

impl Page {
    pub(crate) fn field(&self, name: &str) -> Option<&'static PageField> {
        self.fields.iter().find(|field| field.name == name)
    }

    pub(super) fn register(&'static self, registry: &mut Registry) {
        if registry.types.contains_key(self.name) {
            return;
        }
        insert_object(registry, self.name, self.description, Default::default());
        self.object.register(registry);
        let fields = self.fields.iter().map(|field| {
            let ty = match field.kind {
                PageKind::Nodes => format!("[{}!]!", self.object.name),
                PageKind::Total => "Int".to_owned(),
                PageKind::Page | PageKind::PerPage => "Int!".to_owned(),
                PageKind::HasNextPage => "Boolean!".to_owned(),
                PageKind::Next => "ID".to_owned(),
            };
            meta_field(field.name, field.description.to_owned(), ty)
        });
        insert_object(registry, self.name, self.description, fields.collect());
    }
}

/// async-graphql knows a scalar only once a Rust type has brought it in.
pub(super) fn register_builtin_scalars(registry: &mut Registry) {
    <String as InputType>::create_type_info(registry);
    <bool as InputType>::create_type_info(registry);
    <i32 as InputType>::create_type_info(registry);
    <f64 as InputType>::create_type_info(registry);
    <async_graphql::ID as InputType>::create_type_info(registry);
}

/// A field with what the schema says of the scope that it needs: a directive for programs, a sentence for people.
pub(super) fn guarded_field(
    registry: &mut Registry,
    name: &str,
    description: &str,
    separator: &str,
    scope: Option<Scope>,
    ty: String,
) -> (String, MetaField) {
    let Some(scope) = scope else { return meta_field(name, description.to_owned(), ty) };
    requires_scope.register(registry);
    let (name, mut meta) = meta_field(name, format!("{description}{separator}Needs the scope `{scope}`."), ty);
    meta.directive_invocations.push(requires_scope::apply(scope.to_string()));
    (name, meta)
}

fn meta_field(name: &str, description: String, ty: String) -> (String, MetaField) {
    let field = MetaField {
        name: name.to_owned(),
        description: Some(description),
        args: Default::default(),
        ty,
        deprecation: Deprecation::NoDeprecated,
        cache_control: Default::default(),
        external: false,
        requires: None,
        provides: None,
        visible: None,
        shareable: false,
        inaccessible: false,
        tags: Vec::new(),
        override_from: None,
        compute_complexity: None,
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    };
    (name.to_owned(), field)
}

fn insert_object(
    registry: &mut Registry,
    name: &str,
    description: &str,
    fields: indexmap::IndexMap<String, MetaField>,
) {
    let object = MetaType::Object {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        fields,
        cache_control: Default::default(),
        extends: false,
        shareable: false,
        resolvable: true,
        keys: None,
        visible: None,
        inaccessible: false,
        interface_object: false,
        tags: Vec::new(),
        is_subscription: false,
        rust_typename: None,
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    };
    registry.types.insert(name.to_owned(), object);
}
