//! Text is read as `serde_json` reads it, and what is written can be read back.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::RngSeed;

use super::*;

fn raw(text: &str) -> Raw<'_> {
    let mut json = Scanner::new(text.as_bytes());
    let raw = json.value().unwrap();
    json.end().unwrap();
    raw
}

#[test]
fn lone_surrogates_are_replaced_and_pairs_kept() {
    for (text, expected) in [
        (r#""plain""#, r#""plain""#),
        (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
        (r#""cut \ud83d""#, r#""cut \ufffd""#),
        (r#""\ude00 low""#, r#""\ufffd low""#),
        (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
        (r#""\\ud83d""#, r#""\\ud83d""#),
        (r#""\\\ud83d""#, r#""\\\ufffd""#),
        (r#"{"\uD800":["\u00e9"]}"#, r#"{"\ufffd":["\u00e9"]}"#),
    ] {
        assert_eq!(&*whole_surrogates(text.as_bytes()), expected.as_bytes(), "{text}");
    }
}

#[test]
fn a_written_string_reads_back() {
    let text = "quote \" backslash \\ tab \t bell \u{7} nul \0 delete \u{7f} 日本 🦀";
    let mut out = Vec::new();
    write_string(text, &mut out);
    assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
}

#[test]
fn unescaping_agrees_with_serde_json() {
    for literal in [r#""""#, r#""a\nb""#, r#""\u0041\ud83d\ude00""#, r#""x""#] {
        assert_eq!(raw(literal).string().unwrap(), serde_json::from_str::<String>(literal).unwrap());
    }
    assert_eq!(raw(r#""\ud83d!""#).string().unwrap(), "\u{fffd}!");
    assert_eq!(raw("12").string(), None);
}

fn tokens() -> impl Strategy<Value = String> {
    #[rustfmt::skip]
    let tokens = vec![
        "[", "]", "{", "}", "[", "]", "{", "}", ",", ":", "\"a\":", "\"\\u0061\":", "\"", "\\", "\\u", "\\u12aF", "\\n", "\\x", "\u{1f}", "\u{7f}",
        "plain", "a rather long text without any escape", "\"日本 🦀\"", "é", "\"seven 7\"", "\"eight 88\"", "\\ud83e", "/", " ", "\n", "\t",
        "\r", "0", "-", "12", "1.5", "e", "E+7", ".", "-0.25e-3", "true", "false", "null", "tru", "\0", "\u{feff}",
    ];
    vec(select(tokens), 0..14).prop_map(|tokens| tokens.concat())
}

/// JSON of every kind, with everything in it that has a form of its own.
const RICH: &str = concat!(
    r#" [ {"user_id":"auth0|1","em\u0061il":"person@example.com","name":"Zo\u00eb 日本 🦀 \ud83e\udd80","blocked":true,"#,
    r#""n":12,"at":"2026-11-02T08:15:30.123Z","m":{"a":[1.5e-3,-0,{"b":[],"c":{}}],"c":null},"e":"","#,
    "\"f\":[\"guardian\"], \"identities\" : [ {\"user_id\":7,\"isSocial\":false} ],\n",
    r#""deep":[[["x"]]],"seven":"1234567","eight":"12345678","nine":"123456789"},{},null,"none",[1,{}],-12.5e+3]"#
);

proptest! {
    // The same cases at every run: a failure is for whoever caused it.
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_261_124),
        ..ProptestConfig::default()
    })]

    #[test]
    fn tokens_in_any_order_are_read_as_serde_json_reads_them(text in tokens()) {
        agreement::check(&text);
        // The same where a record, an element and an entry would be.
        agreement::check(&format!("[{text}]"));
        agreement::check(&format!("[{{{text}}}]"));
        agreement::check(&format!("[{{\"a\":{text}}},{{\"b\":[{text}, {text}]}}]"));
    }

    #[test]
    fn text_that_was_json_is_read_as_serde_json_reads_it(
        changes in vec((any::<Index>(), any::<char>(), 0..4_u8), 1..3),
    ) {
        let mut chars: Vec<char> = RICH.chars().collect();
        for (place, char, how) in changes {
            let place = place.index(chars.len());
            match how {
                0 => chars[place] = char,
                1 => chars.insert(place, char),
                2 => drop(chars.remove(place)),
                _ => chars.truncate(place + 1),
            }
        }
        agreement::check(&chars.into_iter().collect::<String>());
    }

    #[test]
    fn any_byte_in_any_place_of_a_string_is_read_as_serde_json_reads_it(before in 0..36_usize, byte in 0..128_u8, after in 0..36_usize) {
        let text = format!("{}{}{}", "a".repeat(before), char::from(byte), "é".repeat(after));
        agreement::check(&format!("[\"{text}\"]"));
        agreement::check(&format!("[{{\"{text}\":\"{text}\"}}]"));
    }
}

#[test]
fn json_is_read_as_serde_json_reads_it_wherever_it_is_cut() {
    agreement::check(RICH);
    for (end, _) in RICH.char_indices() {
        agreement::check(&RICH[..end]);
    }
}

/// Depth of a body as long as one may be: whatever recursed for each level would end here.
#[test]
fn no_depth_is_too_deep() {
    let depth = 8 << 20;
    let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read_array(deep.as_bytes(), |_| ()).is_ok());
    assert!(read_array(&deep.as_bytes()[..deep.len() - 1], |_| ()).is_err());
    assert!(read_array(&deep.as_bytes()[1..], |_| ()).is_err());
    let entries = "{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000);
    assert!(read_array(format!("[{entries}]").as_bytes(), |_| ()).is_ok());
    assert!(read_array(format!("[{entries}}}]").as_bytes(), |_| ()).is_err());
    assert!(read_array(format!("[{}]", entries.replace("}}", "}]")).as_bytes(), |_| ()).is_err());
}
