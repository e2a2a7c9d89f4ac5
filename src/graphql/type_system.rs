//! The schema as documents are read by it: apollo-compiler's reading of the SDL.

use apollo_compiler::ast::{DirectiveDefinition, DirectiveLocation, InputValueDefinition};
use apollo_compiler::collections::HashMap;
use apollo_compiler::schema::{Component, ExtendedType, FieldDefinition, Implementers};
use apollo_compiler::validation::Valid;
use apollo_compiler::{Name, Node, Schema, name, ty};

/// The types of a schema.
pub(crate) struct TypeSystem {
    schema: Valid<Schema>,
    implementers: HashMap<Name, Implementers>,
    query: Name,
}

/// The schema and the code around it do not fit together: a bug, seen at start.
#[derive(Debug, thiserror::Error)]
#[error("the schema is not valid: {0}")]
pub struct SchemaError(String);

impl TypeSystem {
    /// Reads `sdl`.
    pub(crate) fn parse(sdl: &str) -> Result<Self, SchemaError> {
        let mut schema =
            Schema::parse(sdl, "schema.graphql").map_err(|invalid| SchemaError(invalid.errors.to_string()))?;
        add_one_of(&mut schema);
        let schema = schema.validate().map_err(|invalid| SchemaError(invalid.errors.to_string()))?;
        let query = schema.schema_definition.query.as_ref().map(|query| query.name.clone());
        let query = query.ok_or_else(|| SchemaError("it has no query type".to_owned()))?;
        Ok(Self { implementers: schema.implementers_map(), schema, query })
    }

    pub(crate) fn schema(&self) -> &Valid<Schema> {
        &self.schema
    }

    pub(crate) fn implementers(&self) -> &HashMap<Name, Implementers> {
        &self.implementers
    }

    /// The type at which every query starts.
    pub(crate) fn query(&self) -> &Name {
        &self.query
    }

    /// The definition of a field, `__typename`, `__schema` and `__type` among them.
    pub(crate) fn field(&self, parent: &str, name: &str) -> Option<&Component<FieldDefinition>> {
        self.schema.type_field(parent, name).ok()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&ExtendedType> {
        self.schema.types.get(name)
    }

    /// The arguments of a directive.
    pub(crate) fn directive(&self, name: &str) -> &[Node<InputValueDefinition>] {
        self.schema.directive_definitions.get(name).map(|directive| &*directive.arguments).unwrap_or_default()
    }

    /// True if values of the type have fields.
    pub(crate) fn is_composite(&self, name: &str) -> bool {
        self.get(name).is_some_and(|ty| ty.is_object() || ty.is_interface() || ty.is_union())
    }

    /// The object types that a value of the type `name` can be of.
    pub(crate) fn possible_types(&self, name: &Name) -> Vec<Name> {
        match self.get(name) {
            Some(ExtendedType::Interface(_)) => {
                self.implementers.get(name).into_iter().flat_map(|found| found.objects.iter().cloned()).collect()
            }
            Some(ExtendedType::Union(union)) => union.members.iter().map(|member| member.name.clone()).collect(),
            _ => vec![name.clone()],
        }
    }

    /// True if a fragment with this type condition applies to objects of the type `object`:
    /// <https://spec.graphql.org/September2025/#DoesFragmentTypeApply()>.
    pub(crate) fn applies(&self, condition: &Name, object: &Name) -> bool {
        condition == object || self.schema.is_subtype(condition, object)
    }
}

/// Adds `isOneOf` and `@oneOf`, which GraphQL has had since September 2025 and apollo-compiler 1.33 has not.
fn add_one_of(schema: &mut Schema) {
    if let Some(ExtendedType::Object(object)) = schema.types.get_mut("__Type") {
        let field = FieldDefinition {
            description: None,
            name: name!("isOneOf"),
            arguments: Vec::new(),
            ty: ty!(Boolean),
            directives: Default::default(),
        };
        object.make_mut().fields.entry(field.name.clone()).or_insert_with(|| field.into());
    }
    schema.directive_definitions.entry(name!("oneOf")).or_insert_with(|| {
        Node::new(DirectiveDefinition {
            description: Some("Of the fields of this input object exactly one is given, and not as null.".into()),
            name: name!("oneOf"),
            arguments: Vec::new(),
            repeatable: false,
            locations: vec![DirectiveLocation::InputObject],
        })
    });
}
