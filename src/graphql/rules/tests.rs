//! Tables: a document, and what is wrong with it.

use async_graphql::parser::parse_query;

use super::*;

const SDL: &str = "
    enum Order { ASC DESC }
    input Sort { field: String! order: Order! = ASC limit: Int tags: [String!] then: Sort }
    type Query {
        users(page: Int! = 0, size: Int, sort: Sort, sorts: [Sort!], ids: [ID!]): Page
        user(id: ID!): User
        strict(page: Int!): Int
    }
    type Page { nodes(first: Int): [User!]! total: Int }
    type User { id: ID! email: String name: String friends(order: Order): [User!] }
";

fn refusal(document: &str) -> Option<Failure> {
    let document = parse_query(document).expect("a test's document parses");
    check(&Signatures::read(SDL).unwrap(), &document).err()
}

fn hold(rows: &[(&str, Option<&str>)]) {
    for (document, expected) in rows {
        let refusal = refusal(document);
        assert_eq!(refusal.as_ref().map(|failure| failure.message.as_str()), *expected, "{document}");
        assert!(refusal.is_none_or(|failure| failure.code == ErrorCode::ValidationFailed), "{document}");
    }
}

#[test]
fn one_key_stands_for_one_field_with_the_same_arguments() {
    const FIELDS: Option<&str> =
        Some("Fields cannot share the key `email`: `email` and `name` are different fields. Give them aliases.");
    const ARGUMENTS: Option<&str> =
        Some("Fields cannot share the key `users`: their arguments differ. Give them aliases.");
    const NESTED: Option<&str> =
        Some("Fields cannot share the key `friends`: their arguments differ. Give them aliases.");
    hold(&[
        ("{ user(id: 1) { email } user(id: 1) { email name } }", None),
        ("{ user(id: 1) { email email: name } }", FIELDS),
        // Across a fragment, which is where async-graphql does not look; and with the fragment first.
        ("{ user(id: 1) { email ...F } } fragment F on User { email: name }", FIELDS),
        ("{ user(id: 1) { ... { email } ... on User { email: name } } }", FIELDS),
        (
            "{ ...F ...G } fragment F on Query { user(id: 1) { email } } fragment G on Query { user(id: 1) { email: name } }",
            FIELDS,
        ),
        // At a level below, between fields that may be merged themselves.
        ("{ user(id: 1) { email } user(id: 1) { email: name } }", FIELDS),
        (
            "{ user(id: 1) { friends { friends { email } } ...F } } fragment F on User { friends { friends { email: name } } }",
            FIELDS,
        ),
        // Skipped or not makes no difference: a document is valid whatever its variables are.
        ("query ($x: Boolean!) { user(id: 1) { email @include(if: $x) email: name @skip(if: $x) } }", FIELDS),
        ("{ users(page: 1) { total } users(page: 2) { total } }", ARGUMENTS),
        ("{ users { total } users(page: 0) { total } }", ARGUMENTS),
        ("{ users(page: 0) { total } users { total } }", ARGUMENTS),
        ("query ($p: Int!, $q: Int!) { users(page: $p) { total } users(page: $q) { total } }", ARGUMENTS),
        ("query ($p: Int!) { users(page: $p) { total } users(page: $p) { total } }", None),
        ("{ users(page: 1, size: 2) { total } users(size: 2, page: 1) { total } }", None),
        ("{ users(page: 1, size: 2) { total } users(page: 1, ids: 2) { total } }", ARGUMENTS),
        ("{ users(sort: {field: \"a\", limit: 1}) { total } users(sort: {limit: 1, field: \"a\"}) { total } }", None),
        ("{ users(ids: [1, 2]) { total } users(ids: [2, 1]) { total } }", ARGUMENTS),
        (
            "{ user(id: 1) { friends(order: ASC) { id } ...F } } fragment F on User { friends(order: DESC) { id } }",
            NESTED,
        ),
        // Under different keys everything goes.
        ("{ a: users(page: 1) { total } b: users(page: 2) { total } }", None),
        ("{ user(id: 1) { email: name name: email } }", None),
        ("{ a: user(id: 1) { x: email } b: user(id: 1) { x: name } }", None),
        ("{ __typename __typename: __typename }", None),
        ("query A { users { total } } query B { users(page: 1) { total } }", None),
    ]);
}

#[test]
fn a_conflict_names_both_places() {
    let failure = refusal("{\n  user(id: 1) {\n    email\n    email: name\n  }\n}").unwrap();
    let places: Vec<_> = failure.locations.iter().map(|at| (at.line, at.column)).collect();
    assert_eq!(places, [(3, 5), (4, 5)]);
}

#[test]
fn of_several_conflicts_the_first_in_the_document_is_told() {
    let document: String = ('a'..='z').map(|key| format!("{key}: email {key}: name ")).collect();
    for _ in 0..8 {
        let failure = refusal(&format!("{{ user(id: 1) {{ {document} }} }}")).unwrap();
        assert!(failure.message.contains("the key `a`"), "{}", failure.message);
    }
}

#[test]
fn variables_stand_only_where_their_type_fits() {
    const IN_INT: Option<&str> = Some("The variable `$p` of type `String` stands where `Int` is expected.");
    const IN_PAGE: Option<&str> = Some("The variable `$p` of type `String` stands where `Int!` is expected.");
    hold(&[
        ("query ($p: Int!) { users(page: $p) { total } }", None),
        // The argument's default or the variable's makes up for a variable that may be absent.
        ("query ($p: Int) { users(page: $p) { total } }", None),
        ("query ($p: Int = 1) { strict(page: $p) }", None),
        (
            "query ($p: Int) { strict(page: $p) }",
            Some("The variable `$p` of type `Int` stands where `Int!` is expected."),
        ),
        (
            "query ($p: Int = null) { strict(page: $p) }",
            Some("The variable `$p` of type `Int` stands where `Int!` is expected."),
        ),
        ("query ($p: String) { users(page: $p) { total } }", IN_PAGE),
        ("query ($p: String) { users(size: $p) { total } }", IN_INT),
        ("query ($p: String = \"1\") { users(size: $p) { total } }", IN_INT),
        (
            "query ($p: ID!) { users(size: $p) { total } }",
            Some("The variable `$p` of type `ID!` stands where `Int` is expected."),
        ),
        (
            "query ($p: [Int]) { users(size: $p) { total } }",
            Some("The variable `$p` of type `[Int]` stands where `Int` is expected."),
        ),
        // Nested fields, and fragments: named, inline, and one within another.
        ("query ($p: String) { users { nodes(first: $p) { id } } }", IN_INT),
        (
            "query ($p: String) { ...F } fragment F on Query { users { ...G } } fragment G on Page { nodes(first: $p) { id } }",
            IN_INT,
        ),
        ("query ($p: String) { ... on Query { ... { users(size: $p) { total } } } }", IN_INT),
        // Input objects, at every level.
        ("query ($p: String) { users(sort: {field: \"a\", limit: $p}) { total } }", IN_INT),
        ("query ($p: String) { users(sort: {field: \"a\", then: {field: \"b\", limit: $p}}) { total } }", IN_INT),
        ("query ($p: String!) { users(sort: {field: $p}) { total } }", None),
        (
            "query ($p: String) { users(sort: {field: $p}) { total } }",
            Some("The variable `$p` of type `String` stands where `String!` is expected."),
        ),
        ("query ($o: Order) { users(sort: {field: \"a\", order: $o}) { total } }", None),
        (
            "query ($o: String) { users(sort: {field: \"a\", order: $o}) { total } }",
            Some("The variable `$o` of type `String` stands where `Order!` is expected."),
        ),
        // Lists: an element, a list, and a variable that would have to become a list.
        ("query ($i: ID!) { users(ids: [1, $i]) { total } }", None),
        (
            "query ($i: ID) { users(ids: [1, $i]) { total } }",
            Some("The variable `$i` of type `ID` stands where `ID!` is expected."),
        ),
        ("query ($i: [ID!]) { users(ids: $i) { total } }", None),
        ("query ($i: [ID!]!) { users(ids: $i) { total } }", None),
        (
            "query ($i: [ID]) { users(ids: $i) { total } }",
            Some("The variable `$i` of type `[ID]` stands where `[ID!]` is expected."),
        ),
        (
            "query ($i: ID!) { users(ids: $i) { total } }",
            Some("The variable `$i` of type `ID!` stands where `[ID!]` is expected."),
        ),
        ("query ($i: String!) { users(sort: {field: \"a\", tags: [\"b\", $i]}) { total } }", None),
        // A single value in a list's place.
        ("query ($p: String) { users(sorts: {field: \"a\", limit: $p}) { total } }", IN_INT),
        (
            "query ($i: Int!) { users(sort: {field: \"a\", tags: [$i]}) { total } }",
            Some("The variable `$i` of type `Int!` stands where `String!` is expected."),
        ),
        // Directives, wherever they stand.
        ("query ($x: Boolean = true) { users @include(if: $x) { total } }", None),
        (
            "query ($x: Boolean) { users @include(if: $x) { total } }",
            Some("The variable `$x` of type `Boolean` stands where `Boolean!` is expected."),
        ),
        (
            "query ($x: String!) { users { total @skip(if: $x) } }",
            Some("The variable `$x` of type `String!` stands where `Boolean!` is expected."),
        ),
        (
            "query ($x: Int!) { __typename @skip(if: $x) }",
            Some("The variable `$x` of type `Int!` stands where `Boolean!` is expected."),
        ),
        (
            "query ($x: Int!) { ... @skip(if: $x) { __typename } }",
            Some("The variable `$x` of type `Int!` stands where `Boolean!` is expected."),
        ),
        (
            "query ($x: Int!) { ...F @skip(if: $x) } fragment F on Query { __typename }",
            Some("The variable `$x` of type `Int!` stands where `Boolean!` is expected."),
        ),
        // Introspection has arguments too.
        ("query ($n: String!) { __type(name: $n) { name } }", None),
        (
            "query ($n: Int!) { __type(name: $n) { name } }",
            Some("The variable `$n` of type `Int!` stands where `String!` is expected."),
        ),
        (
            "query ($d: Int) { __schema { types { fields(includeDeprecated: $d) { name } } } }",
            Some("The variable `$d` of type `Int` stands where `Boolean` is expected."),
        ),
    ]);
}

#[test]
fn every_operation_of_a_document_is_held_to_the_rules_with_its_own_variables() {
    let document = |ty: &str| {
        format!(
            "query A($p: Int) {{ ...F }} query B($p: {ty}) {{ ...F }} fragment F on Query {{ users(size: $p) {{ total }} }}"
        )
    };
    assert!(refusal(&document("Int!")).is_none());
    let failure = refusal(&document("Boolean")).unwrap();
    assert_eq!(failure.message, "The variable `$p` of type `Boolean` stands where `Int` is expected.");
}
