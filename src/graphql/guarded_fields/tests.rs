use super::*;
use crate::graphql::schema::log::LOG;
use crate::graphql::schema::object::{Field, FromString};
use crate::graphql::schema::user::USER;

fn in_users(q: &str) -> Vec<(Cause, Scope)> {
    in_query(&USER, q).into_iter().map(|GuardedFieldUse { cause, scope, .. }| (cause, scope)).collect()
}

fn scopes(q: &str) -> Vec<Scope> {
    in_users(q).into_iter().map(|(_, scope)| scope).collect()
}

const APP_METADATA: (Cause, Scope) = (Cause::Named("app_metadata"), Scope::ReadUsersAppMetadata);
const ORGANIZATION: (Cause, Scope) = (Cause::Named("organization_id"), Scope::ReadOrganizations);
const BARE: [(Cause, Scope); 2] = [
    (Cause::BareTerm("app_metadata"), Scope::ReadUsersAppMetadata),
    (Cause::BareTerm("organization_id"), Scope::ReadOrganizations),
];
const ANYTHING: [(Cause, Scope); 3] = [
    (Cause::OutsideGrammar, Scope::ReadUsersAppMetadata),
    (Cause::OutsideGrammar, Scope::ReadOrganizations),
    (Cause::OutsideGrammar, Scope::ReadUserIdpTokens),
];

#[test]
fn to_search_for_members_is_to_read_organizations() {
    for q in ["organization_id:org_1", "name:x AND _exists_:Organization_Id", "organization_id.x:1"] {
        assert_eq!(in_users(q), [ORGANIZATION], "{q}");
    }
    let used = in_filter(&USER, &["email".to_owned(), "organization_id".to_owned()]);
    assert_eq!(used.iter().map(|used| used.scope).collect::<Vec<_>>(), [Scope::ReadOrganizations]);
}

#[test]
fn a_guarded_field_is_found_where_it_is_named() {
    for q in [
        "app_metadata.plan:gold",
        "app_metadata:gold",
        "app_metadata.plan:\"gold\"",
        "(email:a OR (name:b AND (app_metadata.plan:gold)))",
        "NOT app_metadata.plan:gold",
        "app_metadata.seats:[1 TO 5]",
        "app_metadata.plan:(gold OR silver)",
        "name:(ada OR app_metadata.plan:gold)",
        "_exists_:app_metadata",
        "_exists_:app_metadata.plan",
        "name:x AND NOT _exists_:app_metadata.plan",
        "APP_METADATA.plan:gold",
        "App_Metadata.plan:gold",
    ] {
        assert_eq!(in_users(q), [APP_METADATA], "{q}");
    }
}

#[test]
fn where_secrets_live_unknown_names_are_guarded() {
    for q in [
        "identities.access_token:abc",
        "identities.access_token:abc*",
        "identities.refresh_token:abc",
        "identities.access_token_secret:abc",
        "identities.id_token:abc",
        "identities.0.access_token:abc",
        "identities.profileData.oauth_token_secret:abc",
        "identities.profileData:abc",
        "identities.profileData.email.x:abc",
        "identities:abc",
        "_exists_:identities.Access_Token",
        "identities.connection.access_token:abc",
    ] {
        assert_eq!(scopes(q), [Scope::ReadUserIdpTokens], "{q}");
    }
    for q in ["identities.connection:github", "identities.profileData.email:ada@example.com", "identities.user_id:5"] {
        assert_eq!(in_users(q), [], "{q}");
    }
}

#[test]
fn a_term_without_a_field_is_looked_for_in_guarded_fields() {
    for q in ["gold", "\"gold\"", "name:ada gold", "(gold)", "NOT gold", "[a TO b]", "name:ada and nickname:x"] {
        assert_eq!(in_users(q), BARE, "{q}");
    }
    for q in ["", " ", "*", "*:*", "(*:*)", "name:ada AND NOT *:*"] {
        assert_eq!(in_users(q), [], "{q}");
    }
}

#[test]
fn what_is_outside_the_grammar_can_use_anything() {
    for q in ["name:- gold", r"app\_metadata.plan:gold", "app_meta*:gold", "name:ada!gold", "\"name\":ada", "name: ada"]
    {
        assert_eq!(in_users(q), ANYTHING, "{q}");
    }
}

#[test]
fn logs_have_nothing_of_the_kind() {
    for q in ["type:f", "user_id:\"auth0|1\"", "ada", "*:x", "name:- x"] {
        assert_eq!(in_query(&LOG, q), [], "{q}");
    }
}

#[test]
fn sorting_is_held_to_the_same() {
    static TABLE: Object = Object {
        name: "Table",
        description: "A table that can be sorted by something guarded.",
        fields: &[
            Field::new("plan", &["plan_name"], Kind::Strings(FromString::Whole), "Guarded.").needs(Scope::ReadLogs),
            Field::new("name", &["name"], Kind::String, "Not guarded."),
        ],
    };
    let used = GuardedFieldUse { argument: "sort", cause: Cause::Named("plan_name"), scope: Scope::ReadLogs };
    assert_eq!(in_sort(&TABLE, "PLAN_NAME"), Some(used));
    assert_eq!(in_sort(&TABLE, "NAME"), None);
}
