//! The directive `@requiresScope`: how the schema says which scope a field needs, and how that is read back from it.

use async_graphql::TypeDirective;
use async_graphql::Value as ConstValue;
use async_graphql::parser::types::{ConstDirective, FieldDefinition};

use crate::auth::Scope;

const NAME: &str = "requiresScope";

/// The field needs this scope, named as Auth0 names it, on the caller's token. Without it the field is null, with an error `FORBIDDEN`, or the whole operation is refused: see
/// `scopeMode` of `gateway`.
// async-graphql leaves the descriptions of a directive's arguments out of the SDL, so that there are none.
#[TypeDirective(name = "requiresScope", location = "FieldDefinition")]
pub(crate) fn requires_scope(scope: String) {}

/// The scope that a field needs beyond those of the fields that it stands in.
pub(crate) fn of(field: &FieldDefinition) -> Option<Scope> {
    field
        .directives
        .iter()
        .map(|directive| &directive.node)
        .filter(|directive| directive.name.node == NAME)
        .find_map(scope)
}

fn scope(directive: &ConstDirective) -> Option<Scope> {
    match &directive.get_argument("scope")?.node {
        ConstValue::String(name) => Scope::parse(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};

    use super::*;

    #[test]
    fn what_a_field_needs_is_said_in_its_description_too() {
        let mut guarded = Vec::new();
        for definition in async_graphql::parser::parse_schema(crate::graphql::sdl()).unwrap().definitions {
            let TypeSystemDefinition::Type(ty) = definition else { continue };
            let TypeKind::Object(object) = ty.node.kind else { continue };
            for field in object.fields {
                let (name, description) = (&field.node.name.node, field.node.description.as_ref());
                let Some(scope) = of(&field.node) else { continue };
                let description = description.map_or("", |description| description.node.as_str());
                assert!(description.contains(&format!("Needs the scope `{scope}`.")), "{name}: {description}");
                guarded.push(format!("{}.{name} {scope}", ty.node.name.node));
            }
        }
        insta::assert_snapshot!(guarded.join("\n"), @"
        Identity.accessToken read:user_idp_tokens
        Identity.accessTokenSecret read:user_idp_tokens
        Identity.refreshToken read:user_idp_tokens
        Log.user read:users
        Query.users read:users
        Query.user read:users
        Query.usersByEmail read:users
        Query.logs read:logs
        Query.log read:logs
        Query.searchLogs read:logs
        User.appMetadata read:users_app_metadata
        User.logs read:logs
        ");
    }
}
