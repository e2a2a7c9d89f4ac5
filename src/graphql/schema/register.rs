//! Registration: tables become types of async-graphql's schema.

use async_graphql::registry::{Deprecation, MetaField, MetaInputValue, MetaType, Registry};
use async_graphql::{InputType, OutputType, TypeDirective as _};
use indexmap::IndexMap;

use super::input::{Argument, input_value};
use super::joins::joins_of;
use super::log::LOG;
use super::object::{Kind, Object, PageKind, PageType, Shape};
use super::outcome::LogOutcome;
use super::requires_scope::requires_scope;
use super::root::RootField;
use super::scalar::{DateTime, Json};
use super::user::USER;
use crate::auth::Scope;

/// Adds `fields` to the registered type `root`, before those that it has.
pub(super) fn register_root_fields(registry: &mut Registry, root: &str, fields: &'static [RootField]) {
    register_builtin_scalars(registry);
    let ours: Vec<_> = fields
        .iter()
        .map(|field| {
            let ty = shape(registry, field.shape);
            (field.name.to_owned(), root_field(registry, field, ty))
        })
        .collect();
    let node = node(registry);
    if let Some(MetaType::Object { fields, .. }) = registry.types.get_mut(root) {
        let theirs = std::mem::take(fields);
        fields.extend(ours.into_iter().chain([node]).chain(theirs));
    }
}

/// Registers the root of subscriptions. Each of its responses has a record.
pub(super) fn register_subscription(registry: &mut Registry, root: &str, fields: &'static [RootField]) {
    let fields = fields.iter().map(|field| {
        let ty = format!("{}!", shape(registry, field.shape));
        (field.name.to_owned(), root_field(registry, field, ty))
    });
    let fields = fields.collect();
    insert_object(registry, root, "Reads the logs of an Auth0 tenant as they come.", fields);
}

fn root_field(registry: &mut Registry, field: &'static RootField, ty: String) -> MetaField {
    let scopes = field.access.scope();
    let mut meta = guarded_field(registry, field.name, field.description, "\n", scopes.as_slice(), ty);
    meta.args = arguments(registry, field.arguments);
    meta
}

/// The interface of everything that has a global id.
const NODE: &str = "Node";

/// The root field that looks up anything by its id. In the normal form, the field of its kind stands in its place.
fn node(registry: &mut Registry) -> (String, MetaField) {
    const ID: Argument = Argument::new::<async_graphql::ID>("id", "Auth0's own id, of a user or of a log.");
    let id = meta_field("id", "Auth0's own id.".to_owned(), "ID!".to_owned());
    let interface = MetaType::Interface {
        name: NODE.to_owned(),
        description: Some("Something that can be looked up by its id: a user or a log.".to_owned()),
        fields: IndexMap::from_iter([("id".to_owned(), id)]),
        possible_types: [&USER, &LOG].into_iter().map(|object| object.name.to_owned()).collect(),
        extends: false,
        inaccessible: false,
        tags: Vec::new(),
        keys: None,
        visible: None,
        rust_typename: None,
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    };
    registry.types.insert(NODE.to_owned(), interface);
    let description = "The user or the log with this id, as they are now; null if there is none. Needs the scopes that `user` and `log` need.";
    let mut field = meta_field("node", description.to_owned(), NODE.to_owned());
    field.args = arguments(registry, &[ID]);
    ("node".to_owned(), field)
}

/// Registers a shape's types and returns the outer one.
fn shape(registry: &mut Registry, shape: Shape) -> String {
    match shape {
        Shape::Page(of) => {
            page(registry, of);
            of.name.to_owned()
        }
        Shape::List(of) => {
            object(registry, of);
            format!("[{}!]", of.name)
        }
        Shape::Record(of) => {
            object(registry, of);
            of.name.to_owned()
        }
        Shape::Connection(of) => {
            object(registry, of.object);
            of.object.name.to_owned()
        }
    }
}

fn object(registry: &mut Registry, object: &'static Object) {
    if registry.types.contains_key(object.name) {
        return;
    }
    // Joins go round in circles: it is there before its fields are.
    insert_object(registry, object.name, object.description, IndexMap::new());
    let mut fields = IndexMap::new();
    for field in object.fields {
        let ty = kind(registry, &field.kind) + if field.is_non_null { "!" } else { "" };
        let meta = guarded_field(registry, field.name, field.description, " ", field.scope.as_slice(), ty);
        fields.insert(field.name.to_owned(), meta);
    }
    if object.fields.first().is_some_and(|id| id.is_non_null && matches!(id.kind, Kind::Id)) {
        registry.add_implements(object.name, NODE);
    }
    for join in joins_of(object) {
        let ty = shape(registry, join.shape);
        let mut meta = guarded_field(registry, join.name, join.description, " ", join.scopes, ty);
        meta.args = arguments(registry, join.arguments);
        fields.insert(join.name.to_owned(), meta);
    }
    insert_object(registry, object.name, object.description, fields);
}

/// Registers what a field gives out and returns its type. Every field is nullable: nothing but `_id` is certain to be there.
fn kind(registry: &mut Registry, kind: &Kind) -> String {
    match kind {
        Kind::Id => "ID".to_owned(),
        Kind::String | Kind::LogTypeDescription => "String".to_owned(),
        Kind::Boolean => "Boolean".to_owned(),
        Kind::Int => "Int".to_owned(),
        Kind::Float => "Float".to_owned(),
        Kind::DateTime => output::<DateTime>(registry),
        Kind::Json | Kind::Guarded(_) | Kind::Attributes(_) => output::<Json>(registry),
        Kind::Strings(_) => "[String!]".to_owned(),
        Kind::LogOutcome => output::<LogOutcome>(registry),
        Kind::Object(inner) => shape(registry, Shape::Record(inner)),
        Kind::Objects(inner) => shape(registry, Shape::List(inner)),
    }
}

fn page(registry: &mut Registry, page: &'static PageType) {
    if registry.types.contains_key(page.name) {
        return;
    }
    insert_object(registry, page.name, page.description, IndexMap::new());
    object(registry, page.object);
    let fields = page.fields.iter().map(|field| {
        let ty = match field.kind {
            PageKind::Nodes => format!("[{}!]!", page.object.name),
            PageKind::Total => "Int".to_owned(),
            PageKind::Page | PageKind::PerPage => "Int!".to_owned(),
            PageKind::HasNextPage => "Boolean!".to_owned(),
            PageKind::Next => "ID".to_owned(),
            PageKind::Checkpoint => "String".to_owned(),
        };
        (field.name.to_owned(), meta_field(field.name, field.description.to_owned(), ty))
    });
    insert_object(registry, page.name, page.description, fields.collect());
}

fn output<T: OutputType>(registry: &mut Registry) -> String {
    T::create_type_info(registry);
    Option::<T>::qualified_type_name()
}

/// async-graphql knows a scalar only once a Rust type has brought it in.
fn register_builtin_scalars(registry: &mut Registry) {
    <String as InputType>::create_type_info(registry);
    <bool as InputType>::create_type_info(registry);
    <i32 as InputType>::create_type_info(registry);
    <f64 as InputType>::create_type_info(registry);
    <async_graphql::ID as InputType>::create_type_info(registry);
}

fn arguments(registry: &mut Registry, arguments: &[Argument]) -> IndexMap<String, MetaInputValue> {
    let argument = |argument: &Argument| {
        let ty = (argument.ty)(registry);
        input_value(argument.name, argument.description, ty, argument.default)
    };
    arguments.iter().map(argument).collect()
}

/// A field with what the schema says of the scopes that it needs: a directive each for programs, a sentence for people.
fn guarded_field(
    registry: &mut Registry,
    name: &str,
    description: &str,
    separator: &str,
    scopes: &[Scope],
    ty: String,
) -> MetaField {
    let named: Vec<_> = scopes.iter().map(|scope| format!("`{scope}`")).collect();
    let description = match named.as_slice() {
        [] => return meta_field(name, description.to_owned(), ty),
        [scope] => format!("{description}{separator}Needs the scope {scope}."),
        [others @ .., last] => format!("{description}{separator}Needs the scopes {} and {last}.", others.join(", ")),
    };
    requires_scope.register(registry);
    let mut meta = meta_field(name, description, ty);
    meta.directive_invocations.extend(scopes.iter().map(|scope| requires_scope::apply(scope.to_string())));
    meta
}

fn meta_field(name: &str, description: String, ty: String) -> MetaField {
    MetaField {
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
    }
}

fn insert_object(registry: &mut Registry, name: &str, description: &str, fields: IndexMap<String, MetaField>) {
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
