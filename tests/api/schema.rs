//! The schema that is checked in is the schema that is served.

#[test]
fn schema_graphql_is_what_the_program_prints() {
    let checked_in = include_str!("../../schema.graphql");
    assert!(
        checked_in == auth0_graphql::graphql::sdl(),
        "schema.graphql is not the schema any more. Run: cargo run -- schema > schema.graphql"
    );
}
