//! What is found in searches, in the cases that come to mind and in those that do not.

use proptest::prelude::*;

use super::*;
use crate::graphql::object::FromString;

fn found(q: &str) -> Vec<(&'static str, bool)> {
    in_query(&USER, q).into_iter().map(|mention| (mention.key, mention.is_bare)).collect()
}

const APP_METADATA: (&str, bool) = ("app_metadata", false);
const BARE: (&str, bool) = ("app_metadata", true);
const TOKEN: (&str, bool) = ("access_token", false);

#[test]
fn a_guarded_name_is_found_wherever_it_stands() {
    for q in [
        "app_metadata.plan:gold",
        "app_metadata:gold",
        "app_metadata.plan:\"gold\"",
        "app_metadata.plan : gold",
        "(email:a OR (name:b AND (app_metadata.plan:gold)))",
        "NOT app_metadata.plan:gold",
        "-app_metadata.plan:gold",
        "+app_metadata.plan:gold",
        "!app_metadata.plan:gold",
        "app_metadata.seats:[1 TO 5]",
        "app_metadata.seats:{1 TO *}",
        "app_metadata.seats:>5",
        "app_metadata.plan:(gold OR silver)",
        "_exists_:app_metadata",
        "_exists_:app_metadata.plan",
        "_exists_:\"app_metadata\"",
        "NOT _exists_:(email OR app_metadata)",
        r"app\_metadata.plan:gold",
        r"\a\p\p\_\m\e\t\a\d\a\t\a:gold",
        r"\u0061pp_metadata:gold",
        r"app_metad\u0061ta.plan:gold",
        "\"app_metadata\".plan:gold",
        "\"app_metadata.plan\":gold",
        "APP_METADATA.plan:gold",
        "App_Metadata.plan:gold",
        "app_meta*:gold",
        "app_m?tadata.plan:gold",
        "*.plan:gold",
        "*:gold",
        r"app_meta\*:gold",
        "\"app_meta*\":gold",
        "app_meta* :gold",
        "_exists_:app_*",
        "_exists_:(email app_*)",
        "_exists_ : app_*",
        "_missing_:app_m*",
        "email:a@example.com^2 app_metadata.plan:gold",
        "email:\"a\"app_metadata.plan:gold",
        "email:[app_metadata.plan:gold",
        "email:\"app_metadata.plan:gold",
        "name:app_metadata",
        "app_metadata",
    ] {
        assert!(found(q).contains(&APP_METADATA), "{q}: {:?}", found(q));
    }
    for q in [
        "identities.access_token:abc",
        "identities.access_token:abc*",
        r"identities\.access\_token:abc",
        "identities.refresh_token:abc",
        "identities.access_token_secret:abc",
        "identities.*:abc",
        "identities.acc*:abc",
        "ident*:abc",
        "identities.0.access_token:abc",
        "_exists_:identities.Access_Token",
    ] {
        assert!(found(q).iter().any(|(key, _)| key.ends_with("token") || key.ends_with("secret")), "{q}");
    }
}

#[test]
fn what_names_nothing_guarded_passes() {
    for q in [
        "",
        " ",
        "*",
        "*:*",
        "(*:*)",
        "NOT *:*",
        "email:ada@example.com",
        "email.domain:example.com",
        "email:*@example.com",
        "name:a*",
        "name:*p*",
        "name:ada AND (email:x OR NOT nickname:y)",
        "name:(ada OR \"grace hopper\" OR alan)",
        "name:\"jane smith\"~2^3 OR name:x^0.5",
        "name: ada",
        r"name:John\ Doe",
        "created_at:[2026-01-01 TO 2026-02-01} AND logins_count:>=10",
        "created_at:[\"2026-01-01T00:00:00.000Z\" TO *]",
        "NOT _exists_:logins_count OR logins_count:0",
        "identities.connection:\"google-oauth2\"",
        "identities.profileData.email:a@example.com",
        "user_metadata.plan:gold",
        "email*:a",
        "user_id:auth0|1",
    ] {
        assert_eq!(found(q), [], "{q}");
    }
}

#[test]
fn a_term_without_a_field_is_seen() {
    for q in [
        "gold",
        "gold*",
        "\"gold\"",
        "name:ada gold",
        "gold name:ada",
        "name:(ada) gold",
        "(name:ada) OR (gold)",
        "name:ada^2 gold",
        "name:\"ada\"gold",
        "name:[a TO b] gold",
        "NOT gold",
        "-gold",
        "[a TO b]",
        "name:AND gold",
        "name:ada and nickname:x",
        "gold :x",
        "name :gold",
        "x:/a/ gold",
        "name:/a/",
        r"\AND",
    ] {
        assert_eq!(found(q), [BARE], "{q}");
    }
    assert_eq!(found("gold identities.access_token:x"), [BARE, TOKEN]);
}

#[test]
fn logs_have_nothing_of_the_kind() {
    for q in ["type:f", "user_id:\"auth0|1\"", "ada", "*:x"] {
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
    let mention = Mention { argument: "sort", key: "plan_name", scope: Scope::ReadLogs, is_bare: false };
    assert_eq!(in_sort(&TABLE, "PLAN_NAME"), Some(mention));
    assert_eq!(in_sort(&TABLE, "NAME"), None);
}

/// A guarded name, as it may be written.
fn disguised() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["app_metadata", "app_metadata.plan", "identities.access_token"]);
    (name, prop::collection::vec(0..12_u8, 30)).prop_map(|(name, disguises)| {
        let disguise = |(character, disguise): (char, u8)| match disguise {
            0 => format!("\\{character}"),
            1 => format!("\\u{:04x}", u32::from(character)),
            2 => character.to_uppercase().to_string(),
            3 => format!("\\{}", character.to_uppercase()),
            4 => "?".to_owned(),
            5 => "*".to_owned(),
            6 => format!("{character}*"),
            _ => character.to_string(),
        };
        name.chars().zip(disguises).map(disguise).collect()
    })
}

/// What may stand around a term and leaves it one.
fn wrapped(name: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let simple = prop::sample::select(vec![
        "email:a",
        "gold",
        "name:\"x y\"",
        "created_at:[a TO b}",
        "*:*",
        "name:(a OR b)^2",
        r"a\:b",
        "x~2",
    ]);
    let term = name.prop_flat_map(|name| {
        prop::sample::select(vec![
            format!("{name}:gold"),
            format!("{name}:\"gold\""),
            format!("{name} :gold"),
            format!("{name}:[a TO b]"),
            format!("{name}:(a b)"),
            format!("\"{name}\":gold"),
            format!("_exists_:{name}"),
            format!("_exists_:({name})"),
            format!("_exists_:\"{name}\""),
        ])
    });
    let wrap = (simple.clone(), prop::sample::select(vec![" ", " AND ", " OR ", " NOT ", " && ", " -", " +"]), simple);
    (term, prop::collection::vec(wrap, 0..5)).prop_map(|(term, wraps)| {
        wraps
            .into_iter()
            .fold(term, |inner, (before, operator, after)| format!("{before}{operator}({inner}){operator}{after}"))
    })
}

proptest! {
    #[test]
    fn a_guarded_name_is_found_however_it_is_wrapped(q in wrapped(disguised())) {
        let found = found(&q);
        prop_assert!(found.iter().any(|(_, is_bare)| !is_bare), "{}: {:?}", q, found);
    }

    #[test]
    fn a_term_without_a_field_is_seen_however_it_is_wrapped(q in wrapped(Just("gold".to_owned())), end in "[ )]{0,3}") {
        let q = format!("{q}{end} gold");
        prop_assert!(found(&q).contains(&BARE), "{}", q);
    }

    #[test]
    fn nothing_that_is_written_is_too_much(q in "\\PC*", pieces in prop::collection::vec(prop::sample::select(vec!["\\", "\"", "(", ")", "[", "]", "{", "}", ":", "*", "?", "^", "~", "/", " ", "\\u", "00", "app_metadata", "_exists_", "x", "AND"]), 0..40)) {
        found(&q);
        let q = pieces.concat();
        prop_assert_eq!(q.contains("app_metadata"), q.contains("app_metadata") && found(&q).contains(&APP_METADATA), "{}", q);
    }
}
