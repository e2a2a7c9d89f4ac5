//! What the schema says of arguments, input types and scopes, read from its SDL.
//!
//! The normal form needs these types, and async-graphql keeps its registry to itself.

use std::collections::HashMap;

use async_graphql::Name;
use async_graphql::Value as ConstValue;
use async_graphql::parser::types::{InputValueDefinition, Type, TypeKind, TypeSystemDefinition};

use super::requires_scope;
use crate::auth::Scope;

/// The introspection types' fields that have arguments or lead to fields that have some. They are part of GraphQL
/// (<https://spec.graphql.org/October2021/#sec-Schema-Introspection>) and of no schema's SDL.
const INTROSPECTION: &str = "
    type __Schema { types: [__Type!]! queryType: __Type! mutationType: __Type subscriptionType: __Type directives: [__Directive!]! }
    type __Type {
        fields(includeDeprecated: Boolean = false): [__Field!] enumValues(includeDeprecated: Boolean = false): [__EnumValue!]
        inputFields(includeDeprecated: Boolean = false): [__InputValue!]
        interfaces: [__Type!] possibleTypes: [__Type!] ofType: __Type
    }
    type __Field { args(includeDeprecated: Boolean = false): [__InputValue!]! type: __Type! }
    type __InputValue { type: __Type! }
    type __EnumValue { name: String! }
    type __Directive { args(includeDeprecated: Boolean = false): [__InputValue!]! }
    type __Root { __schema: __Schema! __type(name: String!): __Type }
";

/// The object and input types of a schema.
pub(crate) struct Signatures {
    query: Name,
    objects: HashMap<Name, HashMap<Name, FieldSignature>>,
    inputs: HashMap<Name, InputType>,
    conditional: [Input; 1],
}

/// A field's arguments, in the schema's order, the type that it leads to, and the scope that it needs.
pub(crate) struct FieldSignature {
    pub(crate) arguments: Vec<Input>,
    pub(crate) ty: Name,
    pub(crate) scope: Option<Scope>,
}

/// An argument, or a field of an input object.
pub(crate) struct Input {
    pub(crate) name: Name,
    pub(crate) ty: Type,
    pub(crate) default: Option<ConstValue>,
}

/// A named type that values can be given in.
pub(crate) enum InputType {
    Enum(Vec<Name>),
    Object(Vec<Input>),
}

/// The schema's SDL is not what the gateway's own code can read.
#[derive(Debug, thiserror::Error)]
#[error("the schema cannot be read back: {0}")]
pub(crate) struct UnreadableSchema(#[from] async_graphql::parser::Error);

impl Signatures {
    /// Reads the types out of `sdl`.
    pub(crate) fn read(sdl: &str) -> Result<Self, UnreadableSchema> {
        let mut query = Name::new("Query");
        let mut objects = HashMap::new();
        let mut inputs = HashMap::new();
        let definitions = async_graphql::parser::parse_schema(sdl)?.definitions;
        let introspection = async_graphql::parser::parse_schema(INTROSPECTION)?.definitions;
        for definition in definitions.into_iter().chain(introspection) {
            let ty = match definition {
                TypeSystemDefinition::Type(ty) => ty.node,
                TypeSystemDefinition::Schema(schema) => {
                    query = schema.node.query.map_or(query, |name| name.node);
                    continue;
                }
                TypeSystemDefinition::Directive(_) => continue,
            };
            let name = ty.name.node;
            match ty.kind {
                TypeKind::Object(object) => {
                    let fields = object.fields.into_iter().map(|field| {
                        let (ty, scope) = (named(&field.node.ty.node).clone(), requires_scope::of(&field.node));
                        let arguments = field.node.arguments.into_iter().map(|input| Input::from(input.node)).collect();
                        let signature = FieldSignature { arguments, ty, scope };
                        (field.node.name.node, signature)
                    });
                    objects.insert(name, fields.collect::<HashMap<_, _>>());
                }
                TypeKind::Enum(values) => {
                    let values = values.values.into_iter().map(|value| value.node.value.node).collect();
                    inputs.insert(name, InputType::Enum(values));
                }
                TypeKind::InputObject(object) => {
                    let fields = object.fields.into_iter().map(|input| Input::from(input.node)).collect();
                    inputs.insert(name, InputType::Object(fields));
                }
                TypeKind::Scalar | TypeKind::Interface(_) | TypeKind::Union(_) => {}
            }
        }
        let meta = objects.remove("__Root").unwrap_or_default();
        objects.entry(query.clone()).or_default().extend(meta);
        let boolean =
            Type { base: async_graphql::parser::types::BaseType::Named(Name::new("Boolean")), nullable: false };
        let conditional = [Input { name: Name::new("if"), ty: boolean, default: None }];
        Ok(Self { query, objects, inputs, conditional })
    }

    /// The type at which every query starts.
    pub(crate) fn query(&self) -> &Name {
        &self.query
    }

    pub(crate) fn field(&self, object: &Name, field: &Name) -> Option<&FieldSignature> {
        self.objects.get(object)?.get(field)
    }

    /// Whether values of the type have fields.
    pub(crate) fn is_object(&self, name: &Name) -> bool {
        self.objects.contains_key(name)
    }

    /// The arguments of `@skip` and `@include`.
    pub(crate) fn conditional(&self) -> &[Input] {
        &self.conditional
    }

    /// None for scalars.
    pub(crate) fn input(&self, name: &Name) -> Option<&InputType> {
        self.inputs.get(name)
    }
}

impl From<InputValueDefinition> for Input {
    fn from(definition: InputValueDefinition) -> Self {
        Self {
            name: definition.name.node,
            ty: definition.ty.node,
            default: definition.default_value.map(|value| value.node),
        }
    }
}

/// The name at the heart of a type: `User` of `[User!]!`.
pub(crate) fn named(ty: &Type) -> &Name {
    use async_graphql::parser::types::BaseType;
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => named(inner),
    }
}
