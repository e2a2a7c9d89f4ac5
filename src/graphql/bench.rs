//! What the micro-benchmarks measure: the stages of an operation, one by one. Built with the feature `bench` only, and
//! promised to nobody.

use std::hint::black_box;
use std::sync::Arc;

use async_graphql::Response;
use bytes::Bytes;

use super::document::{self, DocumentSettings, Documents};
use super::json::{self, Raw, Records};
use super::limits::{Limiter, Limits};
use super::log::LOG_BATCH;
use super::object::Page;
use super::operation::{self, Field, Operation};
use super::plan::{Needs, PagePlan, Planner, Plans as _};
use super::prepared::Prepared;
use super::project::{self, PageFacts};
use super::response::Answered;
use super::root::Answer;
use super::type_system::TypeSystem;
use super::user::USER_PAGE;
use super::{Failure, Permissions, Variables, sdl};
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
pub struct Ready(Prepared);

/// A root field's plan.
pub struct Plan(PagePlan);

/// A stage refused what it was given.
#[derive(Debug)]
pub struct Refused;

impl From<Failure> for Refused {
    fn from(_: Failure) -> Self {
        Self
    }
}

impl From<Vec<Failure>> for Refused {
    fn from(_: Vec<Failure>) -> Self {
        Self
    }
}

impl Stages {
    /// Stages of the gateway's own schema.
    pub fn new() -> Result<Self, Refused> {
        let types = Arc::new(TypeSystem::parse(&sdl()).map_err(|_| Refused)?);
        let limiter = Limiter::from(Limits::default());
        let documents = Documents::new(Arc::clone(&types), limiter.clone(), DocumentSettings::default());
        Ok(Self { types, limiter, documents })
    }

    /// Parses, bounds and validates a document, or finds that this was done.
    pub fn document(&self, text: &str) -> Result<Document, Refused> {
        Ok(Document(self.documents.get(text)?))
    }

    /// Brings the document's one operation into normal form.
    pub fn normal(&self, document: &Document, variables: Variables) -> Result<Normal, Refused> {
        let operation = operation::choose(&document.0, None)?;
        let values = operation::values_of(operation, variables);
        Ok(Normal(Operation::new(&self.types, &document.0, operation, &values)?))
    }

    /// Plans every root field that is a page of users or a batch of logs, and works out what to ask of Auth0.
    pub fn plans(&self, operation: &Normal) -> Vec<Plan> {
        let page = |field: &Field| -> Option<&'static Page> {
            match field.name.as_str() {
                "users" => Some(&USER_PAGE),
                "logs" => Some(&LOG_BATCH),
                _ => None,
            }
        };
        let plan = |field: &Field| {
            let plan = Planner::new(Caller::ANONYMOUS.authority()).page(page(field)?, &field.fields);
            let mut needs = Needs::default();
            plan.add_needs(&mut needs);
            black_box(needs);
            Some(Plan(plan))
        };
        operation.0.fields.iter().filter_map(plan).collect()
    }
}

impl Plan {
    /// Projects Auth0's records.
    pub fn project(&self, records: &[u8]) -> Result<Vec<u8>, Refused> {
        let mut out = Vec::new();
        project::page(&self.0, records, &PageFacts::default(), &mut out).map_err(|_| Refused)?;
        Ok(out)
    }
}

impl Normal {
    /// Works out everything that is the same each time.
    pub fn prepare(self, stages: &Stages) -> Result<Ready, Refused> {
        Ok(Ready(Prepared::new(self.0, &stages.types, &stages.limiter, Permissions::default())?))
    }
}

impl Ready {
    /// Writes the response that has these bytes under the first root field.
    pub fn respond(&self, projected: Bytes) -> Vec<u8> {
        let answers = [Answer { json: Some(projected), errors: Vec::new() }];
        let own = Response::default();
        Answered { prepared: &self.0, answers: &answers, own: &own }.write(None, "")
    }
}

/// Goes through records and does nothing else: the number of their entries.
pub fn scan(records: &str) -> Result<usize, Refused> {
    struct Count(usize);
    impl<'a> Records<'a> for Count {
        fn entry(&mut self, _: Raw<'a>, _: bool, _: Raw<'a>) {
            self.0 += 1;
        }

        fn end(&mut self, _: bool) {}
    }
    let mut count = Count(0);
    json::read_records(records.as_bytes(), &mut count).map_err(|_| Refused)?;
    Ok(count.0)
}
