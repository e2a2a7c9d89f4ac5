//! Generated records: JSON text as Auth0 might send it, and as it never should.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::graphql::schema::object::{Kind, Object};

/// JSON text before it is laid out: tokens, to be written with space between them.
#[derive(Debug, Clone)]
pub(super) enum Json {
    Token(String),
    List(Vec<Json>),
    /// Keys are string literals. They may repeat.
    Object(Vec<(String, Json)>),
}

/// Scalars of every form that matters: to each kind of field those that fit, those that nearly do, and those that other
/// readers stumble over.
#[rustfmt::skip]
pub(super) const SCALARS: &[&str] = &[
    "null", "true", "false",
    "0", "-0", "1", "-1", "7", "2147483647", "2147483648", "-2147483648", "-2147483649",
    "9007199254740993", "9223372036854775807", "9223372036854775808", "18446744073709551616",
    "123456789012345678901234567890123456789012345678901234567890",
    "0.1", "-0.0", "5.0", "1e2", "1E+2", "1e-400", "1e400", "-1e400", "1.7976931348623157e308",
    "0.1000000000000000055511151231257827021181583404541015625",
    r#""""#, r#"" ""#, r#""true""#, r#""false""#, r#""tr\u0075e""#, r#""True""#, r#"" true""#, r#""null""#, r#""5""#,
    r#""person@example.com""#, r#""auth0|5f7c8ec7c33c6c004bbafe82""#,
    r#""openid profile  email ""#, r#""openid\u0020profile""#, r#""openid\tprofile""#,
    r#""2026-11-02T08:15:30.123Z""#, r#""2026-11-02T08:15:30+01:00""#, r#""2026\u002d11\u002d02T08:15:30Z""#,
    r#""2026-11-02""#, r#""2026-02-30T00:00:00Z""#, r#""2026-11-02T08:15:30.123Z ""#, r#""1730535330""#,
    r#""s""#, r#""fp""#, r#""\u0066p""#, r#""signup_pwd_leak""#, r#""not_a_type_yet""#,
    r#""90020261102081530123000000000000000000000000000000000001""#,
    r#""90020261102081530124000000000000000000000000000000000000""#, r#""\u0039002026""#,
    r#""quote \" backslash \\ slash \/ \b\f\n\r\t nul \u0000 unit \u001f""#, "\"delete \u{7f} line \u{2028}\"",
    "\"日本 🦀\"", r#""\ud83e\udd80""#, r#""\uD83E\uDD80""#, r#""\ud83e""#, r#""\udd80""#, r#""cut \ud83e\n""#,
    r#""\ud83e\ud83e\udd80""#, r#""\udd80\ud83e""#, r#""\\ud83e""#, r#""\\\ud83e""#, "\"\\ud83e🦀\"",
];

/// Keys that no table knows, some of which come near one that is known.
const UNKNOWN: &[&str] = &[
    r#""""#,
    r#""Email""#,
    r#""email ""#,
    r#"" email""#,
    r#""e-mail""#,
    r#""emai""#,
    r#""emails""#,
    r#""email\u0000""#,
    r#""EMAIL""#,
    r#""user_Id""#,
    r#""userId""#,
    r#""log_id\n""#,
    r#""__typename""#,
    r#""attributes""#,
    r#""nodes""#,
    r#""https://example.com/claims/role""#,
    r#""a\"b\\c""#,
    "\"日本\"",
    r#""\ud83e""#,
    r#""\ud83e\ud83e""#,
    r#""\udd80x""#,
    r#""\ufffd""#,
    r#""em\ud83eail""#,
];

impl Json {
    pub(super) fn token(text: &str) -> Self {
        Self::Token(text.to_owned())
    }

    /// A page of up to five records, some of which are none.
    pub(super) fn page(object: &'static Object) -> BoxedStrategy<Self> {
        let scalar = select(SCALARS).prop_map(Self::token);
        let no_record = prop_oneof![scalar, vec(value(1), 0..3).prop_map(Self::List)];
        let entry = prop_oneof![6 => Self::record(object, 2), 1 => no_record];
        vec(entry, 0..5).prop_map(Self::List).boxed()
    }

    pub(super) fn record(object: &'static Object, depth: u32) -> BoxedStrategy<Self> {
        let known: Vec<_> = object.fields.iter().flat_map(|row| row.keys).copied().collect();
        let mut nested: Vec<BoxedStrategy<(String, Self)>> = Vec::new();
        for row in object.fields {
            let (Some(key), Kind::Object(inner) | Kind::Objects(inner)) = (row.keys.first(), &row.kind) else {
                continue;
            };
            if depth > 0 {
                let is_list = matches!(row.kind, Kind::Objects(_));
                let one = Self::record(inner, depth - 1);
                let records = vec(prop_oneof![4 => one.clone(), 1 => value(1)], 0..3).prop_map(Self::List);
                let fitting = if is_list { prop_oneof![3 => records, 1 => one].boxed() } else { one };
                let entry =
                    (spelling(), fitting).prop_map(move |(spelling, value)| (key_literal(key, spelling), value));
                nested.push(entry.boxed());
            }
        }
        let known = (select(known), spelling(), value(2))
            .prop_map(|(key, spelling, value)| (key_literal(key, spelling), value));
        let unknown = (select(UNKNOWN).prop_map(str::to_owned), value(2));
        let mut entry = prop_oneof![8 => known, 2 => unknown].boxed();
        for nested in nested {
            entry = prop_oneof![7 => entry, 1 => nested].boxed();
        }
        // Once in a while a key comes again, with another value.
        (vec(entry, 0..10), proptest::option::weighted(0.3, (any::<Index>(), value(1))))
            .prop_map(|(mut entries, again)| {
                if let (Some((place, value)), false) = (again, entries.is_empty()) {
                    let key = place.get(&entries).0.clone();
                    entries.push((key, value));
                }
                Self::Object(entries)
            })
            .boxed()
    }

    /// Writes the text, with the pieces of `space` in turn between tokens.
    pub(super) fn write(&self, space: &[&str]) -> String {
        let mut tokens = Vec::new();
        self.tokens(&mut tokens);
        tokens.into_iter().zip(space.iter().cycle()).flat_map(|(token, space)| [token, *space]).collect()
    }

    fn tokens<'j>(&'j self, tokens: &mut Vec<&'j str>) {
        let comma = |place| if place > 0 { "," } else { "" };
        match self {
            Self::Token(token) => tokens.push(token),
            Self::List(items) => {
                tokens.push("[");
                for (place, item) in items.iter().enumerate() {
                    tokens.push(comma(place));
                    item.tokens(tokens);
                }
                tokens.push("]");
            }
            Self::Object(entries) => {
                tokens.push("{");
                for (place, (key, value)) in entries.iter().enumerate() {
                    tokens.extend([comma(place), key, ":"]);
                    value.tokens(tokens);
                }
                tokens.push("}");
            }
        }
    }
}

/// Pieces of white space, to be laid between tokens. Their number has no common divisor with most patterns of tokens.
pub(super) fn space() -> impl Strategy<Value = Vec<&'static str>> {
    prop_oneof![Just(vec![""]), vec(select(vec!["", "", " ", "\n", "\r\n", "\t", "  \n\t "]), 7)]
}

/// The characters of a key that are escaped: none, all, or one here and there.
fn spelling() -> impl Strategy<Value = u16> {
    prop_oneof![4 => Just(0), 1 => any::<u16>()]
}

/// `key` as a string literal.
fn key_literal(key: &str, spelling: u16) -> String {
    let chars = key.chars().enumerate().map(|(place, char)| {
        let is_escaped = (spelling >> (place % 16)) & 1 == 1;
        if is_escaped { format!("\\u{:04x}", u32::from(char)) } else { char.to_string() }
    });
    format!("\"{}\"", chars.collect::<String>())
}

/// Any value.
fn value(depth: u32) -> BoxedStrategy<Json> {
    let text = any::<String>().prop_map(|text| Json::Token(serde_json::Value::from(text).to_string()));
    let scalar = prop_oneof![8 => select(SCALARS).prop_map(Json::token), 1 => text].boxed();
    if depth == 0 {
        return scalar;
    }
    let list = vec(value(depth - 1), 0..4).prop_map(Json::List);
    let key = prop_oneof![select(UNKNOWN).prop_map(str::to_owned), Just(r#""a""#.to_owned())];
    let object = vec((key, value(depth - 1)), 0..4).prop_map(Json::Object);
    prop_oneof![5 => scalar, 1 => list, 1 => object].boxed()
}
