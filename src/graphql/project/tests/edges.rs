//! Single cases, with the very bytes of the answer: what no generator hits, or what is better seen.

use super::*;

/// A page with something of everything: every kind of token, escapes, letters of several bytes, nesting.
const RICH: &str = concat!(
    r#" [ {"user_id":"auth0|1","em\u0061il":"person@example.com","name":"Zo\u00eb 日本 🦀 \ud83e\udd80","blocked":true,"#,
    r#""logins_count":12,"created_at":"2026-11-02T08:15:30.123Z","user_metadata":{"a":[1.5e-3,-0,{"b":[]}],"c":null},"#,
    "\"multifactor\":[\"guardian\"], \"identities\" : [ {\"user_id\":7,\"isSocial\":false,\"access_token\":\"made up\"} ],\n",
    r#""https://example.com/claim":{"deep":[[["x"]]]}},{},null,"no record",[1,{}],-12.5e+3]"#
);

const EVERYTHING: &str =
    "total page perPage hasNextPage __typename nodes { userId email name blocked loginsCount createdAt
    userMetadata multifactor identities { userId isSocial accessToken attributes } attributes }";

/// Ways of looking at a page that read it differently.
const LOOKS: [&str; 5] = [EVERYTHING, "nodes { email }", "nodes { __typename }", "hasNextPage", "__typename"];

#[test]
fn keys_come_in_the_order_and_under_the_names_of_the_selection() {
    let json = r#"[{"name":"N","email":"E"}]"#;
    for (selection, expected) in [
        ("nodes { email name }", r#"{"nodes":[{"email":"E","name":"N"}]}"#),
        ("nodes { name email }", r#"{"nodes":[{"name":"N","email":"E"}]}"#),
        ("nodes { email: name name: email }", r#"{"nodes":[{"email":"N","name":"E"}]}"#),
        ("nodes { a: email b: email email }", r#"{"nodes":[{"a":"E","b":"E","email":"E"}]}"#),
        ("nodes { email } nodes { name }", r#"{"nodes":[{"email":"E","name":"N"}]}"#),
        ("a: nodes { email } b: nodes { name }", r#"{"a":[{"email":"E"}],"b":[{"name":"N"}]}"#),
        ("__typename nodes { t: __typename }", r#"{"__typename":"UserPage","nodes":[{"t":"User"}]}"#),
        ("nodes { email @skip(if: true) }", r#"{"nodes":[{}]}"#),
        ("nodes @skip(if: true) { email }", "{}"),
        ("page nodes { email } perPage", r#"{"page":0,"nodes":[{"email":"E"}],"perPage":0}"#),
    ] {
        assert_eq!(users(selection, json).unwrap(), expected, "{selection}");
    }
}

#[test]
fn the_last_of_several_entries_under_one_key_counts() {
    for (json, expected) in [
        (r#"{"email":"a","email":"b"}"#, r#"{"email":"b","attributes":{}}"#),
        (r#"{"email":"a","em\u0061il":"b"}"#, r#"{"email":"b","attributes":{}}"#),
        (r#"{"\u0065mail":"a","email":"b"}"#, r#"{"email":"b","attributes":{}}"#),
        (r#"{"email":"a","email":null}"#, r#"{"email":null,"attributes":{}}"#),
        (r#"{"x":1,"y":2,"\u0078":3}"#, r#"{"email":null,"attributes":{"x":3,"y":2}}"#),
    ] {
        assert_eq!(user("email attributes", json).unwrap(), expected, "{json}");
    }
}

#[test]
fn keys_that_only_nearly_match_are_others() {
    let json = r#"{"Email":1,"email ":2,"emai":3,"emails":4,"email\u0000":5,"em\\u0061il":6,"\u0065\u006dail":"7"}"#;
    assert_eq!(
        user("email attributes", json).unwrap(),
        r#"{"email":"7","attributes":{"Email":1,"email ":2,"emai":3,"emails":4,"email\u0000":5,"em\\u0061il":6}}"#
    );
}

#[test]
fn numbers_keep_every_digit() {
    for number in [
        "9223372036854775808",
        "9007199254740993",
        "-0",
        "1e400",
        "1E+2",
        "0.1",
        "0.10",
        "123456789012345678901234567890.5",
    ] {
        let json = format!(r#"{{"user_metadata":{number},"name":{number},"x":[{number}]}}"#);
        let expected = format!(r#"{{"userMetadata":{number},"name":"{number}","attributes":{{"x":[{number}]}}}}"#);
        assert_eq!(user("userMetadata name attributes", json).unwrap(), expected);
    }
}

#[test]
fn a_lone_surrogate_becomes_the_replacement_character_wherever_it_stands() {
    let json = r#"{"name":"cut \ud83e","user_metadata":{"\ud83e":["\udd80",{"a":"\ud83e\ud83e\udd80"}]},
                   "multifactor":["\ud83e"],"\ud83ekey":"\udd80","blocked":"\ud83e"}"#;
    let answer = user("name userMetadata multifactor blocked attributes", json).unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&answer).unwrap(),
        json!({
            "name": "cut \u{fffd}",
            "userMetadata": {"\u{fffd}": ["\u{fffd}", {"a": "\u{fffd}🦀"}]},
            "multifactor": ["\u{fffd}"],
            "blocked": null,
            "attributes": {"\u{fffd}key": "\u{fffd}", "blocked": "\u{fffd}"},
        })
    );
}

#[test]
fn what_is_not_utf8_is_refused_wherever_it_stands() {
    let invalid: [&[u8]; 7] =
        [b"\xff", b"\x80", b"\xc0\xaf", b"\xed\xa0\xbd", b"\xf0\x9f\xa6", b"\xf4\x90\x80\x80", b"\xc3"];
    for look in LOOKS {
        for bytes in invalid {
            let place = RICH.find("made up").unwrap();
            let json = [&RICH.as_bytes()[..place], bytes, &RICH.as_bytes()[place..]].concat();
            assert_eq!(users(look, json), Err(MALFORMED), "{bytes:?} for {look}");
        }
    }
    for place in 0..=RICH.len() {
        let json = [&RICH.as_bytes()[..place], b"\xff", &RICH.as_bytes()[place..]].concat();
        assert_eq!(users("nodes { email }", json), Err(MALFORMED), "at byte {place}");
    }
}

#[test]
fn a_page_that_is_cut_off_is_refused_at_every_byte() {
    for look in LOOKS {
        assert!(is_json(&users(look, RICH).unwrap()));
        let operation = operation(&format!("{{ users {{ {look} }} }}"), json!({}));
        for end in 0..RICH.len() {
            let answer = answer_page(&USER_PAGE, &operation, &RICH.as_bytes()[..end], &PageFacts::default());
            assert_eq!(answer, Err(MALFORMED), "{look} cut off at byte {end}");
        }
    }
    let record = &RICH[2..RICH.find(",{}").unwrap()];
    assert!(is_json(&user("email attributes", record).unwrap()));
    for end in 0..record.len() {
        assert_eq!(user("email attributes", &record.as_bytes()[..end]), Err(MALFORMED), "cut off at byte {end}");
    }
}

#[test]
fn what_is_no_list_of_records_is_refused() {
    for json in [
        "",
        " ",
        "null",
        "{}",
        "\"[]\"",
        "1",
        "[",
        "]",
        "[]]",
        "[] []",
        "[]x",
        "[],",
        "[,]",
        "[{},]",
        "[{} {}]",
        "[{]",
        "[{}}",
        "{\"users\":[]}",
        "\u{feff}[]",
        "[]\u{feff}",
        "[]\0",
        "<html></html>",
        "[{email:1}]",
        "[{'email':1}]",
        "[{\"email\"}]",
        "[{\"email\":}]",
        "[{\"email\":1,}]",
        "[{1:1}]",
        "[{null:1}]",
        "[NaN]",
        "[{\"email\":NaN}]",
        "[{\"email\":01}]",
        "[{\"email\":+1}]",
        "[{\"email\":.5}]",
        "[{\"email\":1.}]",
        "[{\"email\":1e}]",
        "[{\"email\":\"\\x\"}]",
        "[{\"email\":\"\\u12g4\"}]",
        "[{\"e\\x\":1}]",
        "[{\"e\\u12g4\":1}]",
        "[{\"email\":tru}]",
        "[{\"email\":True}]",
        "[{\"email\":[1 2]}]",
        "[{\"x\":{\"a\":1,}}]",
        "[{\"x\":{\"a\" 1}}]",
        "[/**/]",
        "[{\"x\":\"a]",
    ] {
        for look in LOOKS {
            assert_eq!(users(look, json), Err(MALFORMED), "{json} for {look}");
        }
    }
    let shown = "\u{feff}";
    assert_eq!(users("nodes { email }", format!("[{{\"{shown}email\":1}}]")).unwrap(), r#"{"nodes":[{"email":null}]}"#);
}

#[test]
fn control_characters_are_refused_in_strings_wherever_those_stand() {
    for control in ['\0', '\u{1}', '\t', '\n', '\r', '\u{1f}'] {
        for json in [
            format!(r#"[{{"email":"a{control}b"}}]"#),
            format!(r#"[{{"a{control}b":1}}]"#),
            format!(r#"[{{"a\n{control}b":1}}]"#),
            format!(r#"[{{"x":{{"a{control}b":1}}}}]"#),
            format!(r#"[{{"x":["a{control}b"]}}]"#),
            format!(r#"[{{"identities":[{{"a{control}b":1}}]}}]"#),
            format!(r#"["a{control}b"]"#),
        ] {
            for look in LOOKS {
                assert_eq!(users(look, &json), Err(MALFORMED), "{json:?} for {look}");
            }
        }
    }
}

#[test]
fn white_space_is_nothing() {
    let json = " \t\r\n[ \n{ \"name\" \t:\r \"N\" , \"user_metadata\" : [ 1 , 2 ] } \n, { } ] \n";
    assert_eq!(
        users("nodes { name userMetadata }", json).unwrap(),
        r#"{"nodes":[{"name":"N","userMetadata":[ 1 , 2 ]},{"name":null,"userMetadata":null}]}"#
    );
    assert_eq!(users("nodes { name }", " [ ] ").unwrap(), r#"{"nodes":[]}"#);
}

#[test]
fn records_that_are_none_are_left_out_and_counted() {
    let json = r#"[null,"x",{"name":"N"},1,-0.5,true,[],[{"name":"M"}],{},"\n",1e400,"\ud83e"]"#;
    let facts = PageFacts { per_page: 12, ..PageFacts::default() };
    assert_eq!(
        users_with("nodes { name } hasNextPage", json, &facts).unwrap(),
        r#"{"nodes":[{"name":"N"},{"name":null}],"hasNextPage":true}"#
    );
    assert_eq!(users_with("hasNextPage", json, &facts).unwrap(), r#"{"hasNextPage":true}"#);
}

#[test]
fn a_single_record_that_is_none_is_refused() {
    for json in ["null", "\"x\"", "1", "true", "[]", r#"[{"name":"N"}]"#, "", "{} {}", "{}x", "\u{feff}{}", "1e400"] {
        assert_eq!(user("name", json), Err(MALFORMED), "{json}");
    }
    assert_eq!(user("name", " { } ").unwrap(), r#"{"name":null}"#);
    assert_eq!(user("name @skip(if: true)", "{}").unwrap(), "{}");
}

/// Nested so deeply that whatever recursed once for each level would overflow the stack of a test's thread.
#[test]
fn no_depth_of_nesting_overflows_the_stack() {
    let deep = |open: &str, inner: &str, close: &str| format!("{}{inner}{}", open.repeat(10_000), close.repeat(10_000));
    let everything = "userId email emailVerified loginsCount createdAt multifactor appMetadata userMetadata attributes
                      identities { userId isSocial profileData attributes }";
    for value in [deep("[", "1", "]"), deep("{\"a\":", "\"\\ud83e\"", "}"), deep("[{\"a\":[", "", "]}]")] {
        let mended = value.replace("\\ud83e", "\\ufffd");

        let json = format!(r#"[{{"app_metadata":{value},"x":{value},"name":"N"}}]"#);
        assert_eq!(users("nodes { name }", &json).unwrap(), r#"{"nodes":[{"name":"N"}]}"#);
        assert_eq!(users("hasNextPage", &json).unwrap(), r#"{"hasNextPage":true}"#);
        assert_eq!(
            users("nodes { appMetadata attributes }", &json).unwrap(),
            format!(r#"{{"nodes":[{{"appMetadata":{mended},"attributes":{{"x":{mended}}}}}]}}"#)
        );

        // In the place of every field, of the objects within, and of their fields.
        for key in USER.fields.iter().flat_map(|field| field.keys) {
            let answer = user(everything, format!(r#"{{"{key}":{value}}}"#)).unwrap();
            assert!(is_json(&answer), "{key}");
        }
        let identity = format!(r#"{{"user_id":{value},"profileData":{value},"access_token":{value},"x":{value}}}"#);
        assert!(is_json(&user(everything, format!(r#"{{"identities":[{identity},{value}]}}"#)).unwrap()));

        // In the place of a record.
        assert!(is_json(&users(&format!("nodes {{ {everything} }}"), format!("[{value},{{}}]")).unwrap()));
        assert_eq!(user(everything, &value).is_ok(), value.starts_with('{'));

        // Cut off, and with too much at the end.
        for json in [&value[..value.len() - 1], &format!("{value}]")] {
            assert_eq!(users("nodes { name }", format!(r#"[{{"x":{json}}}]"#)), Err(MALFORMED));
            assert_eq!(users("nodes { attributes }", format!(r#"[{{"x":{json}}}]"#)), Err(MALFORMED));
        }
    }
    assert_eq!(users("nodes { name }", deep("[", "", "]")).unwrap(), r#"{"nodes":[]}"#);
}

/// A value under a guard is guarded in a form that does not fit its field, too.
#[test]
fn attributes_never_tell_what_a_scope_keeps_back() {
    for identities in [
        r#"{"connection":"c","access_token":"made up","attributes":{"refresh_token":"made up"}}"#,
        r#"{"0":{"access_token":"made up"}}"#,
        r#"[[{"access_token":"made up"}]]"#,
        r#"[{"access_token":{"value":"made up"},"refresh_token":["made up"],"access_token_secret":5}]"#,
        r#"[{"\u0061ccess_token":"made up"}]"#,
        r#""made up""#,
    ] {
        let json = format!(r#"{{"identities":{identities}}}"#);
        let answer = user("attributes identities { accessToken attributes }", &json).unwrap();
        assert!(!answer.contains("made up") && !answer.contains("access_token"), "{answer}");
    }
    // Everything that the caller may see is kept.
    let json = r#"{"blocked":"perhaps","app_metadata":{"plan":"free"},"identities":[{"isSocial":"perhaps"}]}"#;
    assert_eq!(
        user("attributes identities { attributes }", json).unwrap(),
        r#"{"attributes":{"blocked":"perhaps"},"identities":[{"attributes":{"isSocial":"perhaps"}}]}"#
    );
}

#[test]
fn a_forbidden_field_is_null_beside_its_siblings() {
    let json = r#"{"identities":[{"provider":"p","access_token":"made up"}]}"#;
    assert_eq!(
        user("identities { accessToken provider refreshToken }", json).unwrap(),
        r#"{"identities":[{"accessToken":null,"provider":"p","refreshToken":null}]}"#
    );
}

#[test]
fn a_list_of_users_is_what_its_page_would_hold() {
    let operation = operation("{ usersByEmail(email: \"person@example.com\") { name } }", json!({}));
    let list = |json: &str| answer_records(&USER, &operation, json.as_bytes()).map(text);
    assert_eq!(list(r#"[{"name":"N"},null]"#).unwrap(), r#"[{"name":"N"}]"#);
    assert_eq!(list("[]").unwrap(), "[]");
    assert_eq!(list("{}"), Err(MALFORMED));
}
