use proptest::prelude::*;

use super::*;

fn names(q: &str) -> Option<Vec<&str>> {
    SearchQuery::read(q).map(|query| query.names)
}

/// Every example with a field on the two pages:
/// <https://auth0.com/docs/manage-users/user-search/user-search-query-syntax>,
/// <https://auth0.com/docs/deploy-monitor/logs/log-search-query-syntax>.
#[test]
fn what_auth0_documents_is_inside_the_grammar() {
    for (q, name) in [
        ("name:\"jane smith\"", "name"),
        ("name:john*", "name"),
        ("name:j*", "name"),
        ("name:*usa", "name"),
        ("name:*sa", "name"),
        ("logins_count:[100 TO 200}", "logins_count"),
        ("logins_count:{100 TO *]", "logins_count"),
        ("app_metadata.subscription.plan:\"gold\"", "app_metadata.subscription.plan"),
        ("user_metadata.addresses.city:\"Paris\"", "user_metadata.addresses.city"),
        ("_exists_:user_metadata.fav_color", "user_metadata.fav_color"),
        ("_exists_:user_metadata.preferences.fontSize", "user_metadata.preferences.fontSize"),
        ("user_metadata.preferences.fontSize:13", "user_metadata.preferences.fontSize"),
        ("user_metadata.addresses.city:\"Seattle\"", "user_metadata.addresses.city"),
        ("identities.connection:\"google-oauth2\"", "identities.connection"),
        ("user_id:auth0|abc*", "user_id"),
        (r"name:John\ Doe", "name"),
        ("description:\"Username invalid\"", "description"),
        ("user_name:john*", "user_name"),
        ("user_name:jane*smith", "user_name"),
        ("user_name:*fred*", "user_name"),
        ("connection:*pass*", "connection"),
        ("user_id:\"123\"", "user_id"),
        ("type:s*", "type"),
        ("date:[2018-12-18 TO *]", "date"),
        ("date:[* TO 2018-12-19}", "date"),
        ("date:[2018-12 TO 2019-01-01}", "date"),
        ("date:[2019-01-01T01:00:00 TO 2019-01-01T12:23:45}", "date"),
        ("log_id:[900 TO *]", "log_id"),
    ] {
        assert_eq!(SearchQuery::read(q), Some(SearchQuery { names: vec![name], has_bare_term: false }), "{q}");
    }
}

#[test]
fn names_are_found_in_every_position() {
    for (q, found) in [
        ("NOT _exists_:logins_count OR logins_count:0", vec!["logins_count", "logins_count"]),
        ("a:x b:y", vec!["a", "b"]),
        ("a:x AND (b:y OR NOT c:z)", vec!["a", "b", "c"]),
        ("NOT(a:x) AND(b:y)", vec!["a", "b"]),
        ("a:(x OR \"y z\" OR b:z)", vec!["a", "b"]),
        ("\n  a:x\n  AND b:y\n", vec!["a", "b"]),
        ("a:[\"2026-01-01T00:00:00.000Z\" TO *] AND b:{x TO y}", vec!["a", "b"]),
        ("email:ada+test@example.com", vec!["email"]),
        ("name:O'Brien OR name:李* OR name:\"„Müller“\"", vec!["name", "name", "name"]),
        (r#"name:"say \"hi\"" AND x:a\:b"#, vec!["name", "x"]),
        ("-a:x +(b:y) AND -_exists_:c", vec!["a", "b", "c"]),
        ("logins_count:>=10 AND logins_count:<20", vec!["logins_count", "logins_count"]),
        ("*:*", vec![]),
    ] {
        assert_eq!(names(q), Some(found), "{q}");
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
        "name:[a TO b] gold",
        "NOT gold",
        "[a TO b]",
        "name:ada and nickname:x",
        "name:ada AND (nickname:x OR (gold))",
    ] {
        assert_eq!(SearchQuery::read(q).map(|query| query.has_bare_term), Some(true), "{q}");
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_outside_the_grammar() {
    for q in [
        // A value that may be an operator, and then the next word has no field.
        "name:- gold",
        "name:+ gold*",
        "name:& gold",
        "name:= gold",
        "name:! gold",
        "name:|| gold",
        "name:&& gold",
        "name: gold",
        "name:\u{a0} gold",
        "name:\u{3000}gold",
        "name:ada\u{3000}gold",
        "name:ada\u{a0}gold",
        "name:ada\u{b}gold",
        "name :gold",
        // Words that end where one would not think.
        "name:ada!gold",
        "name:a/gold.*/",
        r"name:ada!app_\*.plan:gold",
        "name:ada\"gold\"",
        "name:\"ada\"gold",
        "name:(ada)gold",
        "name:[a TO b]gold",
        "name:ada(gold)",
        "name:ada^2 gold",
        "name:ada~ gold",
        "name:\"ada\"~2",
        "(name:ada)^2",
        "name:ada:gold",
        "name:a||b",
        "name:a|",
        "name:|a",
        "name:a&b",
        "name:a&&b",
        "name:a=b",
        "name:a;b",
        // Quotes in ranges, and other ranges that some end early.
        "name:[a\"b TO c] gold",
        "name:[\"a\\\" TO \"b\"] gold",
        "name:[\"\" TO b]",
        "name:[a TO b",
        "name:[a TO]",
        "name:[TO TO TO]",
        "name:[a b]",
        "name:[a\tTO b]",
        "name:[a TO b[c]",
        "name:[a]b TO c]",
        "name:[now/d TO *]",
        "name:[\"a\"b TO c]",
        // Names that are not plain.
        r"app\_metadata.plan:gold",
        r"\u0061pp_metadata:gold",
        "app_meta*:gold",
        "app_m?tadata.plan:gold",
        "*.plan:gold",
        "*:gold",
        "\"app_metadata\".plan:gold",
        "\"app_metadata.plan\":gold",
        "_exists_:app_*",
        "_exists_:\"app_metadata\"",
        "_exists_:(a b)",
        "_exists_: a",
        "_missing_:a",
        "_all:gold",
        ".a:x",
        "a.:x",
        "a..b:x",
        "a b:x:y",
        "é:x",
        "a/b:x",
        // Escapes of more than one character, and of none.
        r"name:\u0061",
        r"name:\a",
        r#"name:"\u0022 gold:x""#,
        r"name:a\",
        r#"name:"a\"#,
        "name:\\\u{3000}x",
        // Texts that are not closed, not opened, or empty.
        "name:\"ada",
        "(name:ada",
        "name:ada)",
        "()",
        "name:()",
        "name:",
        "name:AND",
        "AND",
        "name:a AND",
        "OR name:a",
        "NOT",
        "name:a AND AND name:b",
        "NOT NOT name:a",
        "name:a AND OR name:b",
        ":",
        "- name:a",
        "NOT -name:a",
        "+-name:a",
        "name:-a",
        "name:> 5",
        "name:>=",
        "name:=>5",
        "name:>>5",
        "name:>",
        "!name:a",
        "name:a\0",
        "name:\"a\nb\"",
        r"\AND",
    ] {
        assert_eq!(SearchQuery::read(q), None, "{q}");
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}name:a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(SearchQuery::read(&nested(DEEPEST)).is_some());
    assert!(SearchQuery::read(&nested(DEEPEST + 1)).is_none());
    assert!(SearchQuery::read(&"(".repeat(1_000_000)).is_none());
}

proptest! {
    #[test]
    fn no_query_is_too_much(q in "\\PC*", pieces in prop::collection::vec(prop::sample::select(vec!["\\", "\"", "(", ")", "[", "]", "{", "}", ":", "*", "?", " ", "TO", "x", "AND", "NOT", "_exists_:", "é"]), 0..60)) {
        SearchQuery::read(&q);
        SearchQuery::read(&pieces.concat());
    }

    #[test]
    fn names_are_pieces_of_the_query(pieces in prop::collection::vec(prop::sample::select(vec!["a:", "b.c:", "x", "\"y z\"", " ", " AND ", "(", ")", "NOT ", "_exists_:", "[a TO b]"]), 0..12)) {
        let q = pieces.concat();
        for name in names(&q).into_iter().flatten() {
            prop_assert!(q.contains(name));
        }
    }
}
