//! The scopes that an operation needs beyond those that everybody holds. Pure.

use super::error::{ErrorCode, GraphqlError};
use super::guarded_fields::GuardedFieldUse;
use super::operation::{Operation, SelectedField};
use super::permission::Permissions;
use super::schema::federation::{lookups, representations};
use super::schema::requires_scope;
use super::schema::root::{Access, root_field};
use super::type_system::TypeSystem;
use crate::auth::{Scope, Scopes};

/// The scopes that an operation in normal form needs, each with the field that needs it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RequiredScopes(Vec<Requirement>);

/// A scope that is needed.
#[derive(Debug, PartialEq, Eq)]
struct Requirement {
    /// The response keys that lead to the field, dots between them.
    path: String,
    scope: Scope,
}

impl RequiredScopes {
    /// `guarded`: what the arguments of each root field use that not everybody may see.
    pub(crate) fn of<'g>(
        operation: &Operation,
        types: &TypeSystem,
        permissions: Permissions,
        guarded: impl Iterator<Item = &'g [GuardedFieldUse]>,
    ) -> Self {
        let mut requirements = Self::default();
        requirements.walk(types, &mut Vec::new(), &operation.fields);
        for (field, guarded) in operation.fields.iter().zip(guarded) {
            let path = field.key.as_str();
            for (row, _) in representations(field).iter().flat_map(|asked| lookups(asked)) {
                row.scopes.iter().for_each(|scope| requirements.add(path.to_owned(), *scope));
            }
            let is_own = root_field(field).is_some_and(|row| matches!(row.access, Access::Own));
            if is_own && !permissions.self_access {
                requirements.add(path.to_owned(), Scope::ReadUsers);
            }
            for used in guarded {
                requirements.add(path.to_owned(), used.scope);
            }
        }
        requirements
    }

    fn walk<'o>(&mut self, types: &TypeSystem, path: &mut Vec<&'o str>, fields: &'o [SelectedField]) {
        for field in fields {
            path.push(&field.key);
            for scope in types.field(&field.parent, &field.name).into_iter().flat_map(|field| requires_scope::of(field))
            {
                self.add(path.join("."), scope);
            }
            self.walk(types, path, &field.fields);
            path.pop();
        }
    }

    fn add(&mut self, path: String, scope: Scope) {
        self.0.push(Requirement { path, scope });
    }

    /// Every scope that is needed.
    pub(crate) fn scopes(&self) -> Scopes {
        self.0.iter().map(|requirement| requirement.scope).collect()
    }

    /// Refuses an operation that needs more than is held.
    pub(crate) fn check(&self, held: Scopes) -> Result<(), GraphqlError> {
        let lacking: Vec<_> = self.0.iter().filter(|requirement| !held.holds(requirement.scope)).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let scopes = lacking.iter().map(|requirement| requirement.scope).collect::<Scopes>();
        let mut paths: Vec<_> = lacking.iter().map(|requirement| requirement.path.clone()).collect();
        paths.sort_unstable();
        paths.dedup();
        let message = format!(
            "The operation needs scopes that you do not hold: {scopes}. Nothing of it ran; leave out the fields that need them."
        );
        let scopes: Vec<_> = scopes.iter().map(Scope::as_str).collect();
        Err(GraphqlError::new(ErrorCode::Forbidden, message).with("scopes", scopes).with("fields", paths))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::prepared_operation::tests::Fixture;

    fn requirements(text: &str, permissions: Permissions) -> String {
        let prepared = Fixture::new(permissions).get(text, serde_json::json!({}));
        let RequiredScopes(all) = &prepared.requirements;
        all.iter().map(|Requirement { path, scope }| format!("{path} {scope}")).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_field_that_needs_a_scope_is_found() {
        let text = r#"
            query {
                people: users(q: "app_metadata.plan:gold") { nodes { ...F } }
                gone: user(id: "1") @skip(if: true) { appMetadata }
                logs { nodes { type user { name meta: appMetadata } } }
                gateway { version }
                __schema { queryType { name } }
            }
            fragment F on User { name appMetadata ... { identities { ... on Identity { accessToken provider } } } }"#;
        insta::assert_snapshot!(requirements(text, Permissions::default()), @"
        people read:users
        people.nodes.appMetadata read:users_app_metadata
        people.nodes.identities.accessToken read:user_idp_tokens
        logs read:logs
        logs.nodes.user read:users
        logs.nodes.user.meta read:users_app_metadata
        people read:users_app_metadata
        ");
    }

    #[test]
    fn one_s_own_user_needs_no_scope_where_that_is_allowed() {
        let text = "{ me { name appMetadata } }";
        insta::assert_snapshot!(requirements(text, Permissions::default()), @"
        me.appMetadata read:users_app_metadata
        me read:users
        ");
        let permissions = Permissions { self_access: true, ..Permissions::default() };
        insta::assert_snapshot!(requirements(text, permissions), @"me.appMetadata read:users_app_metadata");
    }

    #[test]
    fn a_refusal_lists_scopes_and_fields_once() {
        let requirements = RequiredScopes(vec![
            Requirement { path: "b".to_owned(), scope: Scope::ReadLogs },
            Requirement { path: "a".to_owned(), scope: Scope::ReadLogs },
            Requirement { path: "a".to_owned(), scope: Scope::ReadLogs },
            Requirement { path: "c".to_owned(), scope: Scope::ReadUsers },
        ]);
        assert_eq!(requirements.check(requirements.scopes()), Ok(()));
        let failure = requirements.check(Scopes::of(&[Scope::ReadUsers])).unwrap_err();
        assert_eq!(failure.details[0].1.to_string(), r#"["read:logs"]"#);
        assert_eq!(failure.details[1].1.to_string(), r#"["a","b"]"#);
    }
}
