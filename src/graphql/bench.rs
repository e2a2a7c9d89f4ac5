//! Micro-benchmarks of the stages of an operation, one by one. Built with the feature `bench` only, and
//! promised to nobody.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;

use super::document::{self, DocumentSettings, Documents};
use super::field_request::PageFacts;
use super::field_result::FieldResult;
use super::limits::{Limiter, Limits};
use super::operation::{self, Operation, SelectedField};
use super::plan::{PlanCompiler, Projection, RequiredKeys};
use super::prepared_operation::PreparedOperation;
use super::project;
use super::project::json::{self, Raw, Records};
use super::response::ExecutionResult;
use super::schema::root::root_field;
use super::type_system::TypeSystem;
use super::{GraphqlError, Permissions, Variables, sdl};
use crate::auth::Caller;

/// The stages, ready to be run.
pub struct Stages {
    types: Arc<TypeSystem>,
    limiter: Limiter,
    documents: Documents,
}

/// A document that passed its checks.
pub struct Document(Arc<document::Document>);

/// An operation in normal form.
pub struct Normal(Operation);

/// An operation that is ready to run.
pub struct Ready(PreparedOperation);

/// A root field's plan.
pub struct Plan(Projection);

/// A stage refused what it was given.
#[derive(Debug)]
pub struct BenchError;

impl From<GraphqlError> for BenchError {
    fn from(_: GraphqlError) -> Self {
        Self
    }
}

impl From<Vec<GraphqlError>> for BenchError {
    fn from(_: Vec<GraphqlError>) -> Self {
        Self
    }
}

impl Stages {
    /// Stages of the gateway's own schema.
    pub fn new() -> Result<Self, BenchError> {
        let types = Arc::new(TypeSystem::parse(&sdl()).map_err(|_| BenchError)?);
        let limiter = Limiter::from(Limits::default());
        let documents = Documents::new(Arc::clone(&types), limiter.clone(), DocumentSettings::default());
        Ok(Self { types, limiter, documents })
    }

    /// Parses, bounds and validates a document, or finds that this was done.
    pub fn document(&self, text: &str) -> Result<Document, BenchError> {
        Ok(Document(self.documents.get(text)?))
    }

    /// Brings the document's one operation into normal form.
    pub fn normal(&self, document: &Document, variables: Variables) -> Result<Normal, BenchError> {
        let operation = operation::choose(&document.0, None)?;
        let values = operation::values_of(operation, variables);
        Ok(Normal(Operation::new(&self.types, &document.0, operation, &values)?))
    }

    /// Plans every root field that asks Auth0, and works out what to ask.
    pub fn plans(&self, operation: &Normal) -> Vec<Plan> {
        let plan = |field: &SelectedField| {
            let row = root_field(field)?;
            let projection = PlanCompiler::new(Caller::ANONYMOUS.authority()).root(0, row.shape, field);
            let mut required = RequiredKeys::default();
            projection.add_keys(&mut required);
            black_box(required);
            Some(Plan(projection))
        };
        operation.0.fields.iter().filter_map(plan).collect()
    }
}

impl Plan {
    /// Projects Auth0's records.
    pub fn project(&self, records: &[u8]) -> Result<Vec<u8>, BenchError> {
        let projected = project::project(&self.0, records, &PageFacts::default(), usize::MAX);
        Ok(projected.map_err(|_| BenchError)?.json)
    }
}

impl Normal {
    /// Works out everything that is the same each time.
    pub fn prepare(self, stages: &Stages) -> Result<Ready, BenchError> {
        Ok(Ready(PreparedOperation::new(self.0, &stages.types, &stages.limiter, Permissions::default())?))
    }
}

impl Ready {
    /// Writes the response that has these bytes under the first root field.
    pub fn respond(&self, projected: Bytes) -> Vec<u8> {
        let answers = [FieldResult { json: Some(projected), errors: Vec::new() }];
        ExecutionResult { prepared: &self.0, answers: &answers }.write(None, "")
    }
}

/// Goes through records and does nothing else: the number of their entries.
pub fn scan(records: &str) -> Result<usize, BenchError> {
    struct Count(usize);
    impl<'a> Records<'a> for Count {
        fn entry(&mut self, _: Raw<'a>, _: bool, _: Raw<'a>) {
            self.0 += 1;
        }

        fn end(&mut self, _: bool) {}
    }
    let mut count = Count(0);
    json::read_records(records.as_bytes(), &mut count).map_err(|_| BenchError)?;
    Ok(count.0)
}
