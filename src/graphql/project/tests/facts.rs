//! Facts of a page beside its records.

use super::*;

#[test]
fn has_next_page_goes_by_the_total_or_else_by_the_page_being_full() {
    let two = r#"[{},{}]"#;
    for (total, page, per_page, is_last_reachable, expected) in [
        (None, 0, 2, false, true),
        (None, 0, 3, false, false),
        (None, 0, 2, true, false),
        (Some(2), 0, 2, false, false),
        (Some(3), 0, 2, false, true),
        (Some(3), 1, 2, false, false),
        (Some(1_001), 9, 100, true, false),
        (Some(0), 0, 2, false, false),
        (Some(u64::MAX), 0, 2, false, true),
        (Some(u64::MAX), u32::MAX, u32::MAX, false, true),
    ] {
        let facts = PageFacts { total, page, per_page, is_last_reachable, ..PageFacts::default() };
        // The same before the records as after them, and without.
        for (selection, expected) in [
            ("hasNextPage", format!(r#"{{"hasNextPage":{expected}}}"#)),
            (
                "hasNextPage nodes { __typename @skip(if: true) }",
                format!(r#"{{"hasNextPage":{expected},"nodes":[{{}},{{}}]}}"#),
            ),
            (
                "nodes { __typename @skip(if: true) } hasNextPage",
                format!(r#"{{"nodes":[{{}},{{}}],"hasNextPage":{expected}}}"#),
            ),
        ] {
            assert_eq!(users_with(selection, two, &facts).unwrap(), expected, "{facts:?}");
        }
    }
}

#[test]
fn a_total_beyond_an_int_is_null() {
    for (total, expected) in [
        (None, "null"),
        (Some(0), "0"),
        (Some(2_147_483_647), "2147483647"),
        (Some(2_147_483_648), "null"),
        (Some(u64::MAX), "null"),
    ] {
        let facts = PageFacts { total, ..PageFacts::default() };
        assert_eq!(users_with("total", "[]", &facts).unwrap(), format!(r#"{{"total":{expected}}}"#));
    }
}

#[test]
fn next_is_where_auth0_says_or_the_greatest_log_id_or_where_the_reading_began() {
    let said = PageFacts { next: Some("900 said"), from: Some("800"), ..PageFacts::default() };
    let began = PageFacts { from: Some("800"), ..PageFacts::default() };
    let nothing = PageFacts::default();
    for (json, facts, expected) in [
        ("[]", &said, r#""900 said""#),
        (r#"[{"log_id":"999"}]"#, &said, r#""900 said""#),
        ("[]", &began, r#""800""#),
        ("[]", &nothing, "null"),
        ("[{},null,{\"log_id\":null}]", &began, r#""800""#),
        (r#"[{"log_id":"901"},{"log_id":"903"},{"log_id":"902"}]"#, &began, r#""903""#),
        (r#"[{"_id":"901"},{"log_id":"900"}]"#, &nothing, r#""901""#),
        // An answer of lesser ids than one began from does not happen; if it did, it would not be hidden.
        (r#"[{"log_id":"700"}]"#, &began, r#""700""#),
        // `next` takes in the ids that `logId` gives out.
        (r#"[{"log_id":901},{"log_id":900}]"#, &began, r#""901""#),
        (r#"[{"log_id":9.5},{"log_id":["950"]},{"log_id":true}]"#, &began, r#""800""#),
        (r#"[{"log_id":"999","log_id":"901"}]"#, &began, r#""901""#),
        (r#"[{"log\u005fid":"\u0039\u0030\u0031"}]"#, &began, r#""901""#),
        // Only a log's own id counts.
        (r#"[{"log_id":"901","details":{"log_id":"999"},"references":{"log_id":"999"}}]"#, &began, r#""901""#),
    ] {
        assert_eq!(logs("next", json, facts), format!(r#"{{"next":{expected}}}"#), "{json}");
        let after = logs("nodes { references { attributes } } next", json, facts);
        assert!(after.ends_with(&format!(r#""next":{expected}}}"#)), "{json}: {after}");
    }
}
