//! What an operation asks for, in values: the rows of each page times what is selected of a row.

use async_graphql::Name;

use crate::graphql::operation::{Field, Operation, Value};
use crate::graphql::signature::Signatures;

/// A value of type `JSON` is a document of its own: the metadata of a user, or all that is not in the schema.
const JSON: u64 = 10;

/// Auth0's largest page. What asks for a greater one is refused where the argument is checked, in clearer words.
const LARGEST_PAGE: u64 = 100;

/// The arguments that say how many rows a page has.
const ROWS: [&str; 2] = ["perPage", "take"];

/// The cost of an operation in normal form: all arguments are there, and nothing is selected twice. Introspection, which has
/// limits of its own, costs nothing.
pub(super) fn cost(signatures: &Signatures, operation: &Operation) -> u64 {
    sum(signatures, signatures.query(), operation.fields.iter().filter(|field| !field.name.starts_with("__")))
}

fn sum<'f>(signatures: &Signatures, parent: &Name, fields: impl Iterator<Item = &'f Field>) -> u64 {
    fields.map(|field| of_field(signatures, parent, field)).fold(0, u64::saturating_add)
}

/// Nesting is bounded by the document's.
fn of_field(signatures: &Signatures, parent: &Name, field: &Field) -> u64 {
    let Some(signature) = signatures.field(parent, &Name::new(&field.name)) else { return 1 };
    if field.fields.is_empty() {
        return if signature.ty == "JSON" { JSON } else { 1 };
    }
    rows(field).saturating_mul(sum(signatures, &signature.ty, field.fields.iter()))
}

fn rows(field: &Field) -> u64 {
    match ROWS.iter().find_map(|name| field.argument(name)) {
        Some(Value::Int(rows)) => u64::try_from(*rows).unwrap_or(0).clamp(1, LARGEST_PAGE),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Variables;

    use super::*;

    const SDL: &str = "
        type Query { people(perPage: Int! = 50): Page tail(from: ID, take: Int! = 50): Page person: Person }
        type Page { nodes: [Person!] total: Int }
        type Person { name: String more: JSON kin: [Person!] kinPage(perPage: Int): Page }
        scalar JSON
    ";

    #[test]
    fn an_operation_costs_its_rows_times_its_fields() {
        let signatures = Signatures::read(SDL).unwrap();
        for (text, expected) in [
            ("{ __typename }", 0),
            ("{ person { name __typename } }", 2),
            ("{ person { more } }", 10),
            ("{ people { nodes { name } } }", 50),
            ("{ people(perPage: 20) { nodes { name a: name more kin { name } } total } }", 20 * 14),
            ("{ a: people(perPage: 2) { total } b: tail(take: 3) { total } }", 5),
            ("query ($n: Int! = 7) { tail(take: $n) { nodes { name } } }", 7),
            ("{ ...A ...A } fragment A on Query { people(perPage: 2) { nodes { name } } }", 2),
            ("{ people(perPage: 100) { nodes { kinPage(perPage: 100) { nodes { name } } } } }", 10_000),
            ("{ people(perPage: 2147483647) { total } }", 100),
            ("{ people(perPage: -5) { total } }", 1),
        ] {
            let document = async_graphql::parser::parse_query(text).unwrap();
            let operation = Operation::new(&signatures, &document, None, Variables::default()).unwrap();
            assert_eq!(cost(&signatures, &operation), expected, "{text}");
        }
    }

    #[test]
    fn a_cost_beyond_all_numbers_is_the_greatest_number() {
        let signatures = Signatures::read(SDL).unwrap();
        let text = format!(
            "{{ people(perPage: 100) {{ nodes {{ {} name {} }} }} }}",
            "kinPage(perPage: 100) { nodes { ".repeat(12),
            "} }".repeat(12)
        );
        let document = async_graphql::parser::parse_query(text).unwrap();
        let operation = Operation::new(&signatures, &document, None, Variables::default()).unwrap();
        assert_eq!(cost(&signatures, &operation), u64::MAX);
    }
}
