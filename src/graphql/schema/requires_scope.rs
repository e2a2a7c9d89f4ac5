//! The directive `@requiresScope`: how the schema says which scope a field needs, and how that is read back from it.

use apollo_compiler::Node;
use apollo_compiler::ast::{Directive, FieldDefinition};
use async_graphql::TypeDirective;

use crate::auth::Scope;

const NAME: &str = "requiresScope";

/// The field needs this scope, named as Auth0 names it, on the caller's token. Without it the field is null, with an error `FORBIDDEN`, or the whole operation is refused: see
/// `scopeMode` of `gateway`.
// async-graphql leaves the descriptions of a directive's arguments out of the SDL, so that there are none.
#[TypeDirective(name = "requiresScope", location = "FieldDefinition", repeatable)]
pub(crate) fn requires_scope(scope: String) {}

/// The scopes that a field needs beyond those of the fields that it stands in.
pub(crate) fn of(field: &FieldDefinition) -> impl Iterator<Item = Scope> {
    let scope = |directive: &Node<Directive>| Scope::parse(directive.specified_argument_by_name("scope")?.as_str()?);
    field.directives.get_all(NAME).filter_map(scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::type_system::TypeSystem;

    #[test]
    fn what_a_field_needs_is_said_in_its_description_too() {
        let mut guarded = Vec::new();
        let types = TypeSystem::parse(&crate::graphql::sdl()).unwrap();
        for object in types.schema().types.values().filter_map(|ty| ty.as_object()) {
            for (name, field) in &object.fields {
                let scopes: Vec<_> = of(field).map(|scope| scope.to_string()).collect();
                if scopes.is_empty() {
                    continue;
                }
                let description = field.description.as_deref().unwrap_or_default();
                assert!(
                    scopes.iter().all(|scope| description.contains(&format!("`{scope}`"))),
                    "{name}: {description}"
                );
                guarded.push(format!("{}.{name} {}", object.name, scopes.join(" ")));
            }
        }
        insta::assert_snapshot!(guarded.join("\n"), @"
        Identity.accessToken read:user_idp_tokens
        Identity.accessTokenSecret read:user_idp_tokens
        Identity.refreshToken read:user_idp_tokens
        Log.user read:users
        Query.users read:users
        Query.usersConnection read:users
        Query.user read:users
        Query.usersByEmail read:users
        Query.logs read:logs
        Query.log read:logs
        Query.searchLogs read:logs
        Query.logsConnection read:logs
        Subscription.logs read:logs
        User.appMetadata read:users_app_metadata
        User.logs read:logs
        User.roles read:users read:roles read:role_members
        User.permissions read:users
        User.organizations read:organizations
        User.authenticationMethods read:authentication_methods
        User.enrollments read:users
        User.sessions read:sessions
        User.refreshTokens read:refresh_tokens
        User.blocks read:users
        ");
    }
}
