//! The projection, from the text of an operation to the bytes of an answer.

mod differential;
mod edges;
mod facts;
mod record;
mod reference;
mod selection;
mod tree;

use std::sync::{Arc, LazyLock};

use serde_json::json;

use super::*;
use crate::auth::{Caller, Scopes};
use crate::graphql::document::Documents;
use crate::graphql::operation::{self, Operation};
use crate::graphql::plan::PlanCompiler;
use crate::graphql::schema::log::{LOG, LOG_BATCH};
use crate::graphql::schema::object::{Object, PageType, Shape};
use crate::graphql::schema::user::{USER, USER_PAGE};
use crate::graphql::sdl;
use crate::graphql::type_system::TypeSystem;
use crate::graphql::{DocumentSettings, Enforcement, Limits};

const MALFORMED: ProjectError = ProjectError::Malformed(JsonError);

/// The scopes of the caller. Identity providers' tokens are not for them, `app_metadata` is.
const AUTHORITY: Scopes = Caller::ANONYMOUS.authority();

static TYPES: LazyLock<Arc<TypeSystem>> = LazyLock::new(|| Arc::new(TypeSystem::parse(&sdl()).unwrap()));

static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| {
    // Generated documents say everything many times over, in many words.
    let limits = Limits { enforcement: Enforcement::Measure, ..Limits::default() };
    Documents::new(Arc::clone(&TYPES), limits, DocumentSettings::default())
});

/// The operation in normal form, by the way that a request takes.
fn operation(document: &str, variables: serde_json::Value) -> Operation {
    let checked = DOCUMENTS.get(document).unwrap_or_else(|refused| panic!("{document}: {refused:?}"));
    let chosen = operation::choose(&checked, None).unwrap();
    let values = operation::values_of(chosen, serde_json::from_value(variables).unwrap());
    Operation::new(&TYPES, &checked, chosen, &values).unwrap()
}

fn answer_page(
    of: &'static PageType,
    operation: &Operation,
    json: &[u8],
    facts: &PageFacts<'_>,
) -> Result<Vec<u8>, ProjectError> {
    project(&plan(Shape::Page(of), operation), json, facts, usize::MAX).map(|projected| projected.json)
}

fn answer_records(of: &'static Object, operation: &Operation, json: &[u8]) -> Result<Vec<u8>, ProjectError> {
    project(&plan(Shape::List(of), operation), json, &PageFacts::default(), usize::MAX).map(|projected| projected.json)
}

fn answer_record(of: &'static Object, operation: &Operation, json: &[u8]) -> Result<Vec<u8>, ProjectError> {
    project(&plan(Shape::Record(of), operation), json, &PageFacts::default(), usize::MAX)
        .map(|projected| projected.json)
}

fn plan(shape: Shape, operation: &Operation) -> Projection {
    PlanCompiler::new(AUTHORITY).root(0, shape, &operation.fields[0])
}

/// The answer to `{ users { … } }`.
fn users(selection: &str, json: impl AsRef<[u8]>) -> Result<String, ProjectError> {
    users_with(selection, json, &PageFacts::default())
}

fn users_with(selection: &str, json: impl AsRef<[u8]>, facts: &PageFacts<'_>) -> Result<String, ProjectError> {
    let operation = operation(&format!("{{ users {{ {selection} }} }}"), json!({}));
    answer_page(&USER_PAGE, &operation, json.as_ref(), facts).map(text)
}

/// The answer to `{ logs { … } }`.
fn logs(selection: &str, json: &str, facts: &PageFacts<'_>) -> String {
    let operation = operation(&format!("{{ logs {{ {selection} }} }}"), json!({}));
    text(answer_page(&LOG_BATCH, &operation, json.as_bytes(), facts).unwrap())
}

/// The answer to `{ user(id: "1") { … } }`.
fn user(selection: &str, json: impl AsRef<[u8]>) -> Result<String, ProjectError> {
    let operation = operation(&format!("{{ user(id: \"1\") {{ {selection} }} }}"), json!({}));
    answer_record(&USER, &operation, json.as_ref()).map(text)
}

fn text(answer: Vec<u8>) -> String {
    String::from_utf8(answer).unwrap()
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}
