//! Apollo Federation 2: the schema as a subgraph of a larger one.
//!
//! A federation gateway asks the root field `_entities` for records by their keys: representations, as the subgraph specification calls
//! them (<https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/reference/subgraph-spec>). Each is the parent of a
//! join, whose rows are among [`JOINS`](super::joins). The types of this are in the schema only where federation is on.

use std::sync::LazyLock;

use apollo_compiler::ast::{Argument, Definition, Directive, Document, Value as AstValue};
use apollo_compiler::{Node, name};
use serde_json::Value as Json;

use super::joins::{ENTITY, Fetch, Join, join, joins_of};
use super::sdl;
use crate::graphql::error::{ErrorCode, GraphqlError};
use crate::graphql::operation::{REPRESENTATIONS, SelectedField, Value};

/// The root field that looks up records by their keys.
const ENTITIES: &str = "_entities";

/// The root field that tells the schema.
pub(crate) const SERVICE: &str = "_service";

/// The types of a subgraph, beside those of the schema.
const SUBGRAPH_TYPES: &str = r#"
"A record, as a federation gateway asks for it: an object of `__typename` and a key of that type."
scalar _Any
"What a federation gateway can ask for by its key."
union _Entity = User | Log
"The subgraph itself."
type _Service {
	"The schema with its keys, as composition takes it."
	sdl: String!
}
extend type Query {
	"Records by their keys, for a federation gateway; null for each that there is not. They are looked up together, and need the scopes that `user` and `log` need."
	_entities("The records: at most 200." representations: [_Any!]!): [_Entity]!
	"The subgraph itself, for composition."
	_service: _Service!
}
"#;

/// The directives of Federation that the subgraph's schema uses, of the first version that knows them as they are used.
const LINK: &str =
    "extend schema @link(url: \"https://specs.apollo.dev/federation/v2.3\", import: [\"@key\", \"@shareable\"])\n\n";

/// The types that other subgraphs may have as well, with the same fields.
const SHAREABLE_TYPES: [&str; 1] = ["PageInfo"];

/// The root fields that other subgraphs may have as well.
const SHAREABLE_FIELDS: [&str; 1] = ["node"];

/// The schema that `sdl` is, with what a federation gateway asks of a subgraph.
pub(crate) fn with_entities(sdl: &str) -> String {
    format!("{sdl}{SUBGRAPH_TYPES}")
}

/// The schema as composition takes it: with keys, and with what other subgraphs may share.
#[must_use]
pub fn subgraph_sdl() -> String {
    // It is our own, and valid: what is wrong with it would be seen when the engine starts.
    let mut document = Document::parse(sdl(), "schema.graphql").unwrap_or_else(|invalid| invalid.partial);
    for definition in &mut document.definitions {
        let Definition::ObjectTypeDefinition(object) = definition else { continue };
        let object = object.make_mut();
        let keys = join(&ENTITY, &object.name).into_iter().flat_map(|row| row.keys);
        object.directives.extend(keys.map(|key| key_directive(key)));
        if SHAREABLE_TYPES.contains(&object.name.as_str()) {
            object.directives.push(shareable());
        }
        let is_shared = |name: &str| object.name == "Query" && SHAREABLE_FIELDS.contains(&name);
        for field in object.fields.iter_mut().filter(|field| is_shared(&field.name)) {
            field.make_mut().directives.push(shareable());
        }
    }
    format!("{LINK}{document}")
}

fn key_directive(key: &str) -> Node<Directive> {
    let fields = Argument { name: name!("fields"), value: Node::new(AstValue::String(key.to_owned())) };
    Node::new(Directive { name: name!("key"), arguments: vec![Node::new(fields)] })
}

fn shareable() -> Node<Directive> {
    Node::new(Directive { name: name!("shareable"), arguments: Vec::new() })
}

/// The value of `_service`.
pub(crate) fn service(field: &SelectedField) -> Json {
    static SDL: LazyLock<String> = LazyLock::new(subgraph_sdl);
    let fields = field.fields.iter().map(|selected| {
        let value = if selected.name == "sdl" { &**SDL } else { &*selected.parent };
        (selected.key.to_string(), Json::from(value))
    });
    fields.collect()
}

/// A record that is asked for.
pub(crate) struct Representation {
    /// The join that looks it up.
    pub(crate) row: &'static Join,
    pub(crate) key: Box<str>,
}

/// The records that a root field asks for, if it is `_entities`; refused where one is named in a way that is not understood.
pub(crate) fn representations(field: &SelectedField) -> Option<Vec<Result<Representation, GraphqlError>>> {
    if field.name != ENTITIES {
        return None;
    }
    let Some(Value::List(given)) = field.argument(REPRESENTATIONS) else { return Some(Vec::new()) };
    Some(given.iter().map(representation).collect())
}

/// The joins by which `_entities` looks up records, each with the number of those that it is asked for.
pub(crate) fn lookups(representations: &[Result<Representation, GraphqlError>]) -> Vec<(&'static Join, u64)> {
    let lookups = joins_of(&ENTITY).map(|row| {
        let is_of = |asked: &&Representation| std::ptr::eq(asked.row, row);
        let mut keys: Vec<_> = representations.iter().flatten().filter(is_of).map(|asked| &asked.key).collect();
        keys.sort_unstable();
        keys.dedup();
        (row, keys.len() as u64)
    });
    lookups.filter(|(_, count)| *count > 0).collect()
}

/// Reads a representation. Fields that are no keys are passed over: a federation gateway may send what else it knows.
fn representation(given: &Value) -> Result<Representation, GraphqlError> {
    let Value::Object(fields) = given else { return Err(refusal("it is no object")) };
    let field = |name: &str| fields.iter().find_map(|(field, value)| (field == name).then_some(value));
    let row = match field("__typename") {
        Some(Value::String(name)) => join(&ENTITY, name),
        _ => None,
    };
    let Some(row) = row else {
        let names: Vec<_> = joins_of(&ENTITY).map(|row| format!("`{}`", row.name)).collect();
        return Err(refusal(&format!("its `__typename` has to be {}", names.join(" or "))));
    };
    let mut found: Option<(&'static str, &str)> = None;
    for &name in row.keys {
        match field(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(key)) if found.is_none_or(|(_, found)| found == key) => found = Some((name, key)),
            Some(Value::String(_)) => return Err(refusal("its keys are not of one record")),
            Some(_) => return Err(refusal(&format!("its `{name}` is no string"))),
        }
    }
    let Some((name, key)) = found else {
        let keys: Vec<_> = row.keys.iter().map(|key| format!("`{key}`")).collect();
        return Err(refusal(&format!("it has no key of `{}`: {}", row.name, keys.join(" or "))));
    };
    if let Fetch::ByIds(by_ids) = &row.fetch {
        (by_ids.check)(name, key)?;
    }
    Ok(Representation { row, key: key.into() })
}

fn refusal(reason: &str) -> GraphqlError {
    let message = format!("This representation cannot be looked up: {reason}.");
    GraphqlError::new(ErrorCode::BadUserInput, message).with("argument", REPRESENTATIONS)
}
