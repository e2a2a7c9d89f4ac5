//! The measures of a parsed document: one walk, in which each fragment is measured once however often it is spread.

use std::collections::HashMap;

use async_graphql::parser::types::{Directive, ExecutableDocument, FragmentDefinition, Selection, SelectionSet};
use async_graphql::{Name, Positioned, Value as ConstValue};
use async_graphql_value::Value;

use super::{Limiter, Measure};
use crate::graphql::definitions;
use crate::graphql::error::{ErrorCode, Failure};

/// How long a list of the schema is taken to be, such as the fields of a type. Ours are shorter as a rule, and few are longer.
const LIST_OF_SCHEMA: u64 = 10;

/// Judges a document by what is greatest in it of each measure, be that in an operation or in a fragment.
pub(super) fn check(limiter: &Limiter, document: &ExecutableDocument) -> Result<(), Failure> {
    let mut walk = Walk::new(limiter, document);
    let (mut greatest, mut expansion) = (Size::default(), 0_u64);
    for operation in definitions::operations(document) {
        let operation = &operation.node;
        let mut size = walk.selection(&operation.selection_set.node, 1)?.with_directives(&operation.directives);
        for variable in &operation.variable_definitions {
            size = size.with_directives(&variable.node.directives);
            if let Some(default) = &variable.node.default_value {
                size.values = size.values.max(Values::of_constant(&default.node));
            }
        }
        greatest = greatest.max(size);
        expansion = expansion.saturating_add(size.fields);
    }
    // A fragment that no operation spreads is validated all the same.
    for (name, fragment) in definitions::fragments(document) {
        let size = walk.fragment(name, 1)?;
        let ty = &fragment.node.type_condition.node.on.node;
        greatest = greatest.max(if ty.starts_with("__") { size.in_introspection() } else { size });
        expansion = expansion.saturating_add(size.fields);
    }
    hold(limiter, greatest)?;
    limiter.hold(Measure::Expansion, expansion)
}

fn hold(limiter: &Limiter, size: Size) -> Result<(), Failure> {
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

/// What a selection comes to, with its fragments written out.
#[derive(Clone, Copy, Default)]
struct Size {
    fields: u64,
    /// The fields of the selection itself, those inside them left out.
    roots: u64,
    nesting: u64,
    aliases: u64,
    directives: u64,
    depth: u64,
    /// How many values it asks for, were it part of an introspection.
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

    fn with_directives(self, directives: &[Positioned<Directive>]) -> Self {
        let values = directives.iter().flat_map(|directive| &directive.node.arguments);
        let values = values.map(|(_, value)| Values::of(&value.node)).fold(self.values, Values::max);
        Self { directives: self.directives.saturating_add(directives.len() as u64), values, ..self }
    }
}

/// Whether a field of this name leads into the schema.
pub(crate) fn is_introspection(name: &str) -> bool {
    matches!(name, "__schema" | "__type")
}

/// What values come to.
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

    fn string(text: &str) -> Self {
        Self { string: text.len() as u64, ..Self::default() }
    }

    fn list(items: usize, inner: impl Iterator<Item = Self>) -> Self {
        inner.fold(Self { list: items as u64, ..Self::default() }, Self::max)
    }

    /// Nesting is bounded: by the text's of literals, by the JSON reader's of variables.
    fn of(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::string(text),
            Value::List(items) => Self::list(items.len(), items.iter().map(Self::of)),
            Value::Object(fields) => Self::list(0, fields.values().map(Self::of)),
            _ => Self::default(),
        }
    }

    pub(super) fn of_constant(value: &ConstValue) -> Self {
        match value {
            ConstValue::String(text) => Self::string(text),
            ConstValue::List(items) => Self::list(items.len(), items.iter().map(Self::of_constant)),
            ConstValue::Object(fields) => Self::list(0, fields.values().map(Self::of_constant)),
            _ => Self::default(),
        }
    }
}

pub(super) struct Walk<'d> {
    limiter: &'d Limiter,
    fragments: &'d HashMap<Name, Positioned<FragmentDefinition>>,
    /// None while a fragment is being measured: meeting it then is a cycle.
    known: HashMap<&'d Name, Option<Size>>,
    /// How many selections were looked at, for tests: the work that the walk took.
    pub(super) visited: u64,
}

impl<'d> Walk<'d> {
    pub(super) fn new(limiter: &'d Limiter, document: &'d ExecutableDocument) -> Self {
        Self { limiter, fragments: &document.fragments, known: HashMap::new(), visited: 0 }
    }

    /// `level` is how deeply this walk itself has recursed: fragments can form a chain as long as the document.
    fn selection(&mut self, selection: &'d SelectionSet, level: u64) -> Result<Size, Failure> {
        self.limiter.hold(Measure::Nesting, level)?;
        let mut size = Size { nesting: 1, ..Size::default() };
        for item in &selection.items {
            self.visited += 1;
            let item = match &item.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    let mut size = self.selection(&field.selection_set.node, level + 1)?.below(&field.name.node);
                    size.aliases += u64::from(field.alias.is_some());
                    let values = field.arguments.iter().map(|(_, value)| Values::of(&value.node));
                    size.values = values.fold(size.values, Values::max);
                    size.with_directives(&field.directives)
                }
                Selection::InlineFragment(fragment) => {
                    let inner = self.selection(&fragment.node.selection_set.node, level + 1)?;
                    inner.with_directives(&fragment.node.directives)
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name;
                    let inner = self.fragment(&name.node, level + 1);
                    let inner = inner.map_err(|failure| match failure.code {
                        ErrorCode::ValidationFailed if failure.locations.is_empty() => failure.at(name.pos),
                        _ => failure,
                    });
                    inner?.with_directives(&spread.node.directives)
                }
            };
            size = size.beside(Size { nesting: item.nesting + 1, ..item });
        }
        Ok(size)
    }

    fn fragment(&mut self, name: &Name, level: u64) -> Result<Size, Failure> {
        // An unknown fragment is for validation to refuse, which takes as long as if there were something in it.
        let Some((name, fragment)) = self.fragments.get_key_value(name) else {
            return Ok(Size { fields: 1, depth: 1, nesting: 1, ..Size::default() });
        };
        match self.known.get(name) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => {
                let message = format!("The fragment `{name}` spreads itself.");
                return Err(Failure::new(ErrorCode::ValidationFailed, message));
            }
            None => {}
        }
        self.known.insert(name, None);
        let size = self.selection(&fragment.node.selection_set.node, level)?.with_directives(&fragment.node.directives);
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
    fn doubling(levels: usize) -> ExecutableDocument {
        let mut text = "query { ...F0 }".to_owned();
        for level in 0..levels {
            write!(text, " fragment F{level} on Query {{ ...F{} ...F{} }}", level + 1, level + 1).unwrap();
        }
        write!(text, " fragment F{levels} on Query {{ a: __typename }}").unwrap();
        async_graphql::parser::parse_query(text).unwrap()
    }

    #[test]
    fn the_work_is_linear_in_the_document_whatever_it_comes_to() {
        let limiter = Limiter::from(Limits::default());
        for levels in [10, 20, 40] {
            let document = doubling(levels);
            let mut walk = Walk::new(&limiter, &document);
            let operation = document.operations.iter().next().unwrap().1;
            let size = walk.selection(&operation.node.selection_set.node, 1).unwrap();
            assert_eq!((size.fields, size.aliases), (1 << levels, 1 << levels));
            assert_eq!(walk.visited, 2 * levels as u64 + 2);
        }
    }
}
