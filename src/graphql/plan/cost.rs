//! The cost of an operation, in values: the rows of each page times what is selected of a row.

use crate::graphql::operation::{Operation, SelectedField};
use crate::graphql::type_system::TypeSystem;

/// A value of type `JSON` is a document of its own: the metadata of a user, or all that is not in the schema.
const JSON: u64 = 10;

/// The cost of an operation in normal form: all arguments are there, and nothing is selected twice. Introspection, which has
/// limits of its own, costs nothing.
pub(crate) fn cost(types: &TypeSystem, operation: &Operation) -> u64 {
    sum(types, operation.fields.iter().filter(|field| !field.name.starts_with("__")))
}

fn sum<'f>(types: &TypeSystem, fields: impl Iterator<Item = &'f SelectedField>) -> u64 {
    fields.map(|field| of_field(types, field)).fold(0, u64::saturating_add)
}

/// Nesting is bounded by the document's.
fn of_field(types: &TypeSystem, field: &SelectedField) -> u64 {
    if !field.fields.is_empty() {
        return field.page_size().saturating_mul(sum(types, field.fields.iter()));
    }
    let definition = types.field(&field.parent, &field.name);
    if definition.is_some_and(|definition| definition.ty.inner_named_type() == "JSON") { JSON } else { 1 }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::graphql::document::{DocumentSettings, Documents};
    use crate::graphql::limits::{Enforcement, Limits};
    use crate::graphql::operation::choose;

    const SDL: &str = "
        type Query { people(perPage: Int! = 50): Page tail(from: ID, take: Int! = 50): Page person: Person }
        type Page { nodes: [Person!] total: Int }
        type Person { name: String more: JSON kin: [Person!] kinPage(perPage: Int): Page }
        scalar JSON
    ";

    fn cost_of(text: &str) -> u64 {
        let types = Arc::new(TypeSystem::parse(SDL).unwrap());
        let limits = Limits { enforcement: Enforcement::Measure, ..Limits::default() };
        let documents = Documents::new(Arc::clone(&types), limits, DocumentSettings::default());
        let document = documents.get(text).unwrap();
        let operation = Operation::new(&types, &document, choose(&document, None).unwrap(), &[None]).unwrap();
        cost(&types, &operation)
    }

    #[test]
    fn an_operation_costs_its_rows_times_its_fields() {
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
            assert_eq!(cost_of(text), expected, "{text}");
        }
    }

    #[test]
    fn a_cost_beyond_all_numbers_is_the_greatest_number() {
        let text = format!(
            "{{ people(perPage: 100) {{ nodes {{ {} name {} }} }} }}",
            "kinPage(perPage: 100) { nodes { ".repeat(12),
            "} }".repeat(12)
        );
        assert_eq!(cost_of(&text), u64::MAX);
    }
}
