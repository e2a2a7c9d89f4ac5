//! The measures of a parsed document: one walk, in which each fragment is measured once however often it is spread.

use std::collections::HashMap;

use apollo_compiler::ast::{Argument, Definition, DirectiveList, Document, FragmentDefinition, Selection, Value};
use apollo_compiler::{Name, Node};

use super::{Limiter, Measure};
use crate::graphql::document::Lines;
use crate::graphql::error::{ErrorCode, GraphqlError};

/// The assumed length of a list of the schema, such as the fields of a type. Ours are shorter as a rule, and few are longer.
const LIST_OF_SCHEMA: u64 = 10;

/// Judges a document by what is greatest in it of each measure, be that in an operation or in a fragment.
pub(crate) fn check_document(limiter: &Limiter, document: &Document, lines: &Lines) -> Result<(), GraphqlError> {
    let mut walk = Walk::new(limiter, document, lines);
    let (mut greatest, mut expansion) = (Size::default(), 0_u64);
    for definition in &document.definitions {
        let size = match definition {
            Definition::OperationDefinition(operation) => {
                let mut size = walk.selections(&operation.selection_set, 1)?.with_directives(&operation.directives);
                for variable in &operation.variables {
                    size = size.with_directives(&variable.directives);
                    if let Some(default) = &variable.default_value {
                        size.values = size.values.max(Values::of(default));
                    }
                }
                size
            }
            // A fragment that no operation spreads is validated all the same. Its fields are no root fields by themselves.
            Definition::FragmentDefinition(fragment) => {
                let size = Size { roots: 0, ..walk.fragment(&fragment.name, 1)? };
                if fragment.type_condition.starts_with("__") { size.in_introspection() } else { size }
            }
            // Definitions of types are for validation to refuse.
            _ => continue,
        };
        greatest = greatest.max(size);
        expansion = expansion.saturating_add(size.fields);
    }
    hold(limiter, greatest)?;
    limiter.hold(Measure::Expansion, expansion)
}

fn hold(limiter: &Limiter, size: Size) -> Result<(), GraphqlError> {
    let measures = [
        (Measure::Nesting, size.nesting),
        (Measure::Fields, size.fields),
        (Measure::RootFields, size.roots),
        (Measure::Depth, size.depth),
        (Measure::Aliases, size.aliases),
        (Measure::Directives, size.directives),
        (Measure::IntrospectionDepth, size.introspection_depth),
        (Measure::IntrospectionSize, size.introspection_weight),
        (Measure::List, size.values.list),
        (Measure::String, size.values.string),
    ];
    measures.into_iter().try_for_each(|(measure, value)| limiter.hold(measure, value))
}

/// The size of a selection, with its fragments written out.
#[derive(Clone, Copy, Default)]
struct Size {
    fields: u64,
    /// The fields of the selection itself, those inside them left out.
    roots: u64,
    nesting: u64,
    aliases: u64,
    directives: u64,
    depth: u64,
    /// The number of values that it asks for, were it part of an introspection.
    weight: u64,
    introspection_depth: u64,
    introspection_weight: u64,
    values: Values,
}

impl Size {
    /// The size of two selections side by side.
    fn beside(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            roots: self.roots.saturating_add(other.roots),
            nesting: self.nesting.max(other.nesting),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            depth: self.depth.max(other.depth),
            weight: self.weight.saturating_add(other.weight),
            introspection_depth: self.introspection_depth.max(other.introspection_depth),
            introspection_weight: self.introspection_weight.saturating_add(other.introspection_weight),
            values: self.values.max(other.values),
        }
    }

    /// The greater of two selections, by each measure.
    fn max(self, other: Self) -> Self {
        Self {
            fields: self.fields.max(other.fields),
            roots: self.roots.max(other.roots),
            nesting: self.nesting.max(other.nesting),
            aliases: self.aliases.max(other.aliases),
            directives: self.directives.max(other.directives),
            depth: self.depth.max(other.depth),
            weight: self.weight.max(other.weight),
            introspection_depth: self.introspection_depth.max(other.introspection_depth),
            introspection_weight: self.introspection_weight.max(other.introspection_weight),
            values: self.values.max(other.values),
        }
    }

    /// The size of a field of this name that selects what has this size.
    fn below(self, name: &str) -> Self {
        let rows = match name {
            "types" | "directives" | "fields" | "inputFields" | "interfaces" | "possibleTypes" | "enumValues"
            | "args" => LIST_OF_SCHEMA,
            _ => 1,
        };
        let (depth, weight) = (self.depth + 1, rows.saturating_mul(self.weight.max(1)));
        let field = Self { fields: self.fields.saturating_add(1), roots: 1, depth, weight, ..self };
        if is_introspection(name) { field.in_introspection() } else { field }
    }

    /// The size of what is selected of the schema, and not of data.
    fn in_introspection(self) -> Self {
        let Self { depth, weight, .. } = self;
        Self { depth: 0, weight: 0, introspection_depth: depth, introspection_weight: weight, ..self }
    }

    fn with_directives(self, directives: &DirectiveList) -> Self {
        let size = directives.iter().fold(self, |size, directive| size.with_arguments(&directive.arguments));
        Self { directives: size.directives.saturating_add(directives.len() as u64), ..size }
    }

    fn with_arguments(self, arguments: &[Node<Argument>]) -> Self {
        let values = arguments.iter().map(|argument| Values::of(&argument.value));
        Self { values: values.fold(self.values, Values::max), ..self }
    }
}

/// True if a field of this name leads into the schema.
pub(crate) fn is_introspection(name: &str) -> bool {
    matches!(name, "__schema" | "__type")
}

/// The measures of values.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(super) struct Values {
    /// The items of the longest list.
    pub(super) list: u64,
    /// The bytes of the longest string.
    pub(super) string: u64,
}

impl Values {
    pub(super) fn max(self, other: Self) -> Self {
        Self { list: self.list.max(other.list), string: self.string.max(other.string) }
    }

    /// Nesting has been bounded.
    fn of(value: &Value) -> Self {
        match value {
            Value::String(text) => Self { string: text.len() as u64, ..Self::default() },
            Value::List(items) => {
                let list = Self { list: items.len() as u64, ..Self::default() };
                items.iter().map(|item| Self::of(item)).fold(list, Self::max)
            }
            Value::Object(fields) => fields.iter().map(|(_, value)| Self::of(value)).fold(Self::default(), Self::max),
            _ => Self::default(),
        }
    }
}

pub(super) struct Walk<'d> {
    limiter: &'d Limiter,
    lines: &'d Lines,
    fragments: HashMap<&'d Name, &'d FragmentDefinition>,
    /// None while a fragment is being measured: meeting it then is a cycle.
    known: HashMap<&'d Name, Option<Size>>,
    /// The number of selections that were looked at, for tests: the work that the walk took.
    pub(super) visited: u64,
}

impl<'d> Walk<'d> {
    pub(super) fn new(limiter: &'d Limiter, document: &'d Document, lines: &'d Lines) -> Self {
        let fragments = document.definitions.iter().filter_map(|definition| match definition {
            Definition::FragmentDefinition(fragment) => Some((&fragment.name, &**fragment)),
            _ => None,
        });
        // Of several by one name the first counts, for the rest of the work; validation refuses them.
        let fragments = fragments.rev().collect();
        Self { limiter, lines, fragments, known: HashMap::new(), visited: 0 }
    }

    /// `level` is how deeply this walk itself has recursed: fragments can form a chain as long as the document.
    fn selections(&mut self, selections: &'d [Selection], level: u64) -> Result<Size, GraphqlError> {
        self.limiter.hold(Measure::Nesting, level)?;
        let mut size = Size { nesting: 1, ..Size::default() };
        for selection in selections {
            self.visited += 1;
            let item = match selection {
                Selection::Field(field) => {
                    let mut size = self.selections(&field.selection_set, level + 1)?.below(&field.name);
                    size.aliases += u64::from(field.alias.is_some());
                    size.with_arguments(&field.arguments).with_directives(&field.directives)
                }
                Selection::InlineFragment(fragment) => {
                    self.selections(&fragment.selection_set, level + 1)?.with_directives(&fragment.directives)
                }
                Selection::FragmentSpread(spread) => {
                    let inner = self.fragment(&spread.fragment_name, level + 1).map_err(|failure| {
                        let is_placed = failure.code != ErrorCode::ValidationFailed || !failure.locations.is_empty();
                        let location = self.lines.location(spread.location());
                        if is_placed { failure } else { failure.at(location) }
                    });
                    inner?.with_directives(&spread.directives)
                }
            };
            size = size.beside(Size { nesting: item.nesting + 1, ..item });
        }
        Ok(size)
    }

    fn fragment(&mut self, name: &'d Name, level: u64) -> Result<Size, GraphqlError> {
        // An unknown fragment is for validation to refuse, which takes as long as if there were something in it.
        let Some(fragment) = self.fragments.get(name).copied() else {
            return Ok(Size { fields: 1, depth: 1, nesting: 1, ..Size::default() });
        };
        match self.known.get(name) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => {
                let message = format!("The fragment `{name}` spreads itself.");
                return Err(GraphqlError::new(ErrorCode::ValidationFailed, message));
            }
            None => {}
        }
        self.known.insert(name, None);
        let size = self.selections(&fragment.selection_set, level)?.with_directives(&fragment.directives);
        self.known.insert(name, Some(size));
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::graphql::limits::Limits;

    /// `levels` fragments, each of which spreads the next twice.
    fn doubling(levels: usize) -> Document {
        let mut text = "query { ...F0 }".to_owned();
        for level in 0..levels {
            write!(text, " fragment F{level} on Query {{ ...F{} ...F{} }}", level + 1, level + 1).unwrap();
        }
        write!(text, " fragment F{levels} on Query {{ a: __typename }}").unwrap();
        Document::parse(text, "").unwrap()
    }

    #[test]
    fn the_work_is_linear_in_the_document_whatever_it_comes_to() {
        let limiter = Limiter::from(Limits::default());
        for levels in [10, 20, 40] {
            let document = doubling(levels);
            let lines = Lines::default();
            let mut walk = Walk::new(&limiter, &document, &lines);
            let Some(Definition::OperationDefinition(operation)) = document.definitions.first() else { panic!() };
            let size = walk.selections(&operation.selection_set, 1).unwrap();
            assert_eq!((size.fields, size.aliases), (1 << levels, 1 << levels));
            assert_eq!(walk.visited, 2 * levels as u64 + 2);
        }
    }
}
