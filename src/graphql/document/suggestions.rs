//! "Did you mean": names of the schema that are like those that it does not have.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use apollo_compiler::ast::{self, Argument, Definition, DirectiveList, InputValueDefinition, Selection, Value};
use apollo_compiler::diagnostic::ToCliReport as _;
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::DiagnosticList;
use apollo_compiler::{Name, Node};
use strsim::osa_distance;

use crate::graphql::type_system::TypeSystem;

/// The most names that one suggestion has, as with graphql-js.
const MOST_NAMES: usize = 5;

/// The most errors of a document that come with a suggestion: a document can hold thousands of unknown names.
const MOST_SUGGESTIONS: usize = 20;

/// Names that may have been meant, by the place of the error.
#[derive(Default)]
pub(super) struct Suggestions(HashMap<SourceSpan, Vec<Suggestion>>);

struct Suggestion {
    unknown: Name,
    text: String,
}

impl Suggestions {
    /// Looks for the unknown names that `errors` are about.
    ///
    /// apollo-compiler keeps to itself which name of which type was looked up: it is looked up once more.
    pub(super) fn find(types: &TypeSystem, syntax: &ast::Document, errors: &DiagnosticList) -> Self {
        let spans = errors.iter().filter_map(|diagnostic| diagnostic.error.location()).collect();
        let mut search = Search { types, spans, count: 0, found: Self::default() };
        syntax.definitions.iter().for_each(|definition| search.definition(definition));
        search.found
    }

    /// The suggestion for the error at `place`. Several errors can have the same place; `message` names what it is about.
    pub(super) fn get(&self, span: SourceSpan, message: &str) -> Option<&str> {
        let is_about = |suggestion: &&Suggestion| message.contains(&format!("`{}`", suggestion.unknown));
        self.0.get(&span)?.iter().find(is_about).map(|suggestion| suggestion.text.as_str())
    }
}

/// Looks at the names of a document. Nesting has been bounded.
struct Search<'d> {
    types: &'d TypeSystem,
    /// The places of the errors.
    spans: HashSet<SourceSpan>,
    count: usize,
    found: Suggestions,
}

impl<'d> Search<'d> {
    fn definition(&mut self, definition: &Definition) {
        match definition {
            Definition::OperationDefinition(operation) => {
                for variable in &operation.variables {
                    let ty = variable.ty.inner_named_type();
                    self.ty(ty, variable.location());
                    variable.default_value.iter().for_each(|value| self.value(value, ty));
                    self.directives(&variable.directives);
                }
                self.directives(&operation.directives);
                let root = self.types.schema().root_operation(operation.operation_type).map(Name::as_str);
                self.selections(&operation.selection_set, root);
            }
            Definition::FragmentDefinition(fragment) => {
                self.ty(&fragment.type_condition, fragment.type_condition.location());
                self.directives(&fragment.directives);
                self.selections(&fragment.selection_set, Some(&fragment.type_condition));
            }
            _ => {}
        }
    }

    fn selections(&mut self, selections: &[Selection], parent: Option<&str>) {
        for selection in selections {
            match selection {
                Selection::Field(field) => {
                    let definition = parent.and_then(|parent| self.types.field(parent, &field.name));
                    if let (Some(parent), None) = (parent, definition) {
                        self.note(&field.name, field.name.location(), field_names(self.types, parent));
                    }
                    let arguments = definition.map(|definition| &*definition.arguments).unwrap_or_default();
                    self.arguments(&field.arguments, arguments);
                    self.directives(&field.directives);
                    let ty = definition.map(|definition| definition.ty.inner_named_type().as_str());
                    self.selections(&field.selection_set, ty);
                }
                Selection::FragmentSpread(spread) => self.directives(&spread.directives),
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.type_condition.as_ref();
                    condition.iter().for_each(|ty| self.ty(ty, ty.location()));
                    self.directives(&fragment.directives);
                    self.selections(&fragment.selection_set, condition.map(Name::as_str).or(parent));
                }
            }
        }
    }

    fn directives(&mut self, directives: &DirectiveList) {
        for directive in directives.iter() {
            self.arguments(&directive.arguments, self.types.directive(&directive.name));
        }
    }

    fn arguments(&mut self, given: &[Node<Argument>], definitions: &'d [Node<InputValueDefinition>]) {
        for argument in given {
            match definitions.iter().find(|definition| definition.name == argument.name) {
                Some(definition) => self.value(&argument.value, definition.ty.inner_named_type()),
                None => {
                    let names = definitions.iter().map(|definition| definition.name.as_str());
                    self.note(&argument.name, argument.location(), names);
                }
            }
        }
    }

    fn value(&mut self, value: &Node<Value>, ty: &str) {
        match (&**value, self.types.get(ty)) {
            (Value::List(items), _) => items.iter().for_each(|item| self.value(item, ty)),
            (Value::Enum(name), Some(ExtendedType::Enum(definition))) => {
                self.note(name, value.location(), definition.values.keys().map(Name::as_str));
            }
            (Value::Object(fields), Some(ExtendedType::InputObject(definition))) => {
                for (name, inner) in fields {
                    match definition.fields.get(name) {
                        Some(field) => self.value(inner, field.ty.inner_named_type()),
                        None => self.note(name, inner.location(), definition.fields.keys().map(Name::as_str)),
                    }
                }
            }
            _ => {}
        }
    }

    fn ty(&mut self, name: &Name, span: Option<SourceSpan>) {
        if self.types.get(name).is_none() {
            self.note(name, span, self.types.schema().types.keys().map(Name::as_str));
        }
    }

    fn note<'n>(&mut self, unknown: &Name, span: Option<SourceSpan>, names: impl Iterator<Item = &'n str>) {
        let Some(span) = span.filter(|span| self.spans.contains(span)) else { return };
        if self.count == MOST_SUGGESTIONS {
            return;
        }
        if let Some(text) = did_you_mean(&similar(unknown, names)) {
            self.count += 1;
            self.found.0.entry(span).or_default().push(Suggestion { unknown: unknown.clone(), text });
        }
    }
}

fn field_names<'t>(types: &'t TypeSystem, ty: &str) -> impl Iterator<Item = &'t str> {
    let fields = match types.get(ty) {
        Some(ExtendedType::Object(object)) => Some(&object.fields),
        Some(ExtendedType::Interface(interface)) => Some(&interface.fields),
        _ => None,
    };
    fields.into_iter().flat_map(|fields| fields.keys()).map(Name::as_str)
}

/// The names that are like `unknown`, most alike first, by the measure of graphql-js: at most two of five letters are added,
/// left out, changed or swapped with their neighbour, and one more; a difference in case counts once.
fn similar<'n>(unknown: &str, names: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let most = unknown.len() * 2 / 5 + 1;
    let unknown = unknown.to_ascii_lowercase();
    let distance = |name: &str| {
        // Names too long or too short are not measured: that takes the product of their lengths.
        (name.len().abs_diff(unknown.len()) <= most)
            .then(|| osa_distance(&unknown, &name.to_ascii_lowercase()).max(1))
            .filter(|&distance| distance <= most)
    };
    let mut similar: Vec<_> = names.filter_map(|name| Some((distance(name)?, name))).collect();
    similar.sort_unstable();
    similar.truncate(MOST_NAMES);
    similar.into_iter().map(|(_, name)| name).collect()
}

/// The question as it stands behind a message.
fn did_you_mean(names: &[&str]) -> Option<String> {
    let (last, others) = names.split_last()?;
    let mut text = String::from(" Did you mean ");
    for name in others {
        let _ = write!(text, "`{name}`{} ", if others.len() > 1 { "," } else { "" });
    }
    let or = if others.is_empty() { "" } else { "or " };
    let _ = write!(text, "{or}`{last}`?");
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_alike_by_the_measure_of_graphql_js() {
        let names = ["name", "givenName", "nickname", "email", "userId", "username", "lastIp", "lastLogin"];
        for (unknown, expected) in [
            ("emial", vec!["email"]),
            ("EMAIL", vec!["email"]),
            ("nmae", vec!["name"]),
            ("nick_name", vec!["nickname", "givenName"]),
            ("user_name", vec!["username"]),
            ("x", vec![]),
            ("completelyDifferent", vec![]),
        ] {
            assert_eq!(similar(unknown, names.into_iter()), expected, "{unknown}");
        }
        let many: Vec<_> = (0..9).map(|digit| format!("name{digit}")).collect();
        assert_eq!(similar("name", many.iter().map(String::as_str)).len(), MOST_NAMES);
    }

    #[test]
    fn suggestions_read_as_a_question() {
        let ask = |names: &[&str]| did_you_mean(names).unwrap_or_default();
        assert_eq!(ask(&[]), "");
        assert_eq!(ask(&["a"]), " Did you mean `a`?");
        assert_eq!(ask(&["a", "b"]), " Did you mean `a` or `b`?");
        assert_eq!(ask(&["a", "b", "c"]), " Did you mean `a`, `b`, or `c`?");
    }
}
