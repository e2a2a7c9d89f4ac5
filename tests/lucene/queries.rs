//! Queries: corner cases, those with a few characters changed, and characters at random.

/// Characters that mean something to Lucene or might to another parser, blanks of all kinds, and a few that do not.
const CHARACTERS: &str = "    ::::\"\"\"()()[]{}**??\\\\\\++--!!&&||^~~//<>=.,@'_#%;$\t\n\r\u{b}\u{a0}\u{3000}\u{2003}\u{200b}\u{feff}\u{85}\0aaxu00419éß千🦊\u{301}０：";

/// Words that random characters would never come to.
const WORDS: [&str; 16] = [
    "app_metadata",
    "app_metadata.plan",
    "app_*",
    "App_Metadata.x",
    "identities.access_token",
    "identities.*",
    "_exists_",
    "name",
    "gold",
    "AND",
    "OR",
    "NOT",
    "TO",
    " TO ",
    "*:*",
    "\\u0061",
];

const CORNERS: [&str; 60] = [
    "name:- gold",
    "name:+ gold*",
    "name:& gold",
    "name:= gold",
    "name:\u{a0} gold",
    "name:ada\u{3000}gold",
    "name:ada!gold",
    "name:a/gold.*/",
    r"name:ada!app_\*.plan:gold",
    "name:[a\"b TO c] gold",
    "name:ada^2gold",
    "name:ada~ gold",
    "name:\"ada\"~2gold",
    "name:(ada)gold",
    "name:ada\"gold\"",
    "name:|| gold",
    "-name:ada !gold",
    "- gold",
    "name:/a/i gold",
    r"name:/a\/b/ gold",
    r#"name:["a\"b" TO c] gold"#,
    "name:[a\tb TO c]",
    "name:[\ta TO\tc]",
    "name:[a TO c\u{3000}]",
    "name:[\"a\"b TO c]",
    "name:[TO TO TO]",
    "name:{* TO *}",
    "name:[\"\" TO b]",
    r"\u0061pp_metadata.plan:gold",
    r"app\_metadata.plan:gold",
    "\"app_metadata.plan\":gold",
    "app_metadata.plan:(gold OR silver)",
    "_exists_:app_metadata.plan",
    "_exists_:(a app_*)",
    "*:gold",
    "*:*",
    "* AND NOT *",
    "name:john*",
    "name:\"jane smith\" AND logins_count:{100 TO *]",
    "NOT _exists_:logins_count OR logins_count:0",
    r"name:John\ Doe",
    "a b c",
    "a b c:d",
    "a b AND c",
    "a b* c",
    "name:a b^2 c~",
    "(a b) c",
    "name:(a b:(c d) e)",
    "+a -b !c",
    "a && b || c",
    "a &&b",
    "NOT(a)",
    "AND",
    "a AND",
    "a:b:c",
    "a~0.5^2",
    "a^2~0.5",
    "a^2.5.5",
    "name:a+b-c",
    "name:>=10",
];

/// `count` queries and the corner cases.
pub(crate) fn all(seed: u64, count: usize) -> impl Iterator<Item = String> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let corners = CORNERS.into_iter().map(str::to_owned);
    corners.chain(std::iter::repeat_with(move || one(&mut rng)).take(count))
}

fn one(rng: &mut fastrand::Rng) -> String {
    let mut query: Vec<String> = Vec::new();
    if rng.bool() {
        let corner = rng.choice(CORNERS).unwrap_or_default();
        query.extend(corner.chars().map(String::from));
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(..=query.len());
            if rng.bool() && at < query.len() {
                query.remove(at);
            }
            if rng.u8(..3) > 0 {
                query.insert(at.min(query.len()), piece(rng));
            }
        }
    } else {
        query.extend((0..rng.usize(1..14)).map(|_| piece(rng)));
    }
    query.concat()
}

fn piece(rng: &mut fastrand::Rng) -> String {
    if rng.u8(..4) == 0 {
        return rng.choice(WORDS).unwrap_or_default().to_owned();
    }
    CHARACTERS.chars().nth(rng.usize(..CHARACTERS.chars().count())).map(String::from).unwrap_or_default()
}
