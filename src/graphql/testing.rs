//! Entry points for benchmarks, of the stages of an operation one by one, and for the fuzz targets in `fuzz/`. Each panics if a promise
//! of this module is broken.
#![expect(clippy::expect_used, reason = "whatever is wrong here is to end the benchmark or the fuzzer")]

use std::hint::black_box;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::document::{self, Documents};
use super::error::{ErrorCode, GraphqlError};
use super::field_request::PageFacts;
use super::field_result::FieldResult;
use super::guarded_fields::in_query as guarded_in_query;
use super::limits::Limiter;
use super::operation::{self, Name, Operation, SelectedField};
use super::plan::{PlanCompiler, Projection, RequiredKeys};
use super::prepared_operation::PreparedOperation;
use super::project::{
    self,
    json::{self, Raw, Records},
};
use super::response::ExecutionResult;
use super::schema::filter::{self, USER_FILTER};
use super::schema::root::root_field;
use super::schema::user::USER;
use super::type_system::TypeSystem;
use super::{DocumentSettings, DocumentSource, Limits, Permissions, Variables, sdl};
use crate::auth::Caller;

/// The most bytes that a refusal may come to.
const LONGEST_REFUSAL: usize = 50_000;

static TYPES: LazyLock<Arc<TypeSystem>> =
    LazyLock::new(|| Arc::new(TypeSystem::parse(&sdl()).expect("our own schema is valid")));

fn documents() -> Documents {
    Documents::new(Arc::clone(&TYPES), Limits::default(), DocumentSettings::default())
}

/// The stages, ready to be run.
pub struct Stages {
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

impl Stages {
    /// Sets up the stages of the gateway's own schema.
    pub fn set_up() -> Self {
        Self { limiter: Limiter::from(Limits::default()), documents: documents() }
    }

    /// Parses, bounds and validates a document, or finds that this was done.
    pub fn document(&self, text: &str) -> Document {
        Document(self.documents.get(text).expect("a valid document"))
    }

    /// Brings the document's one operation into normal form.
    pub fn normal(&self, document: &Document, variables: Variables) -> Normal {
        let operation = operation::choose(&document.0, None).expect("a single operation");
        let values = operation::values_of(operation, variables);
        Normal(Operation::new(&TYPES, &document.0, operation, &values).expect("arguments that fit"))
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
    pub fn project(&self, records: &[u8]) -> Vec<u8> {
        project::project(&self.0, records, &PageFacts::default(), usize::MAX).expect("a page").json
    }
}

impl Normal {
    /// Works out everything that is the same each time.
    pub fn prepare(self, stages: &Stages) -> Ready {
        let prepared = PreparedOperation::new(self.0, &TYPES, &stages.limiter, Permissions::default());
        Ready(prepared.expect("within the limits"))
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
pub fn scan(records: &str) -> usize {
    struct Count(usize);
    impl<'a> Records<'a> for Count {
        fn entry(&mut self, _: Raw<'a>, _: bool, _: Raw<'a>) {
            self.0 += 1;
        }

        fn end(&mut self, _: bool) {}
    }
    let mut count = Count(0);
    json::read_records(records.as_bytes(), &mut count).expect("records");
    count.0
}

/// The document that `source` stands for.
fn find(documents: &Documents, source: &DocumentSource) -> Result<Arc<document::Document>, Vec<GraphqlError>> {
    let found = documents.find(source);
    if let Err(failures) = &found {
        assert!(!failures.is_empty(), "refused without a reason");
        assert!(failures.iter().all(|failure| failure.code != ErrorCode::Internal), "{failures:?}");
    }
    found
}

/// The scopes of the guarded fields that a search of users can use.
pub fn guarded_scopes(q: &str) -> Vec<&'static str> {
    guarded_in_query(&USER, q).into_iter().map(|used| used.scope.as_str()).collect()
}

/// The search for users whose name meets a condition of a typed filter; none where the value is refused.
pub fn search_by_name(operator: &str, value: &str) -> Option<String> {
    let object = |name: &str, value| operation::Value::Object(vec![(Name::new(name).expect("a name"), value)]);
    let given = object("name", object(operator, operation::Value::String(value.to_owned())));
    Some(filter::read(&USER_FILTER, &given).ok()?.to_query(USER_FILTER.searched))
}

/// A document and the variables that came with it: refused in few words, or brought into a normal form that is within the
/// limits, and that stays what it is when it is written as a document and read again.
pub fn document(text: &str, variables: &str) {
    thread_local!(static DOCUMENTS: Documents = documents());
    let variables: Variables = serde_json::from_str(variables).unwrap_or_default();
    let limiter = Limiter::from(Limits::default());
    let document = match DOCUMENTS.with(|documents| find(documents, &DocumentSource::Text(text.to_owned()))) {
        Ok(document) => document,
        Err(failures) => {
            let body = super::refuse(&failures, "id").body;
            assert!(body.len() <= LONGEST_REFUSAL, "{} bytes", body.len());
            return assert!(serde_json::from_slice::<Value>(&body).is_ok());
        }
    };
    for operation in document.operations.iter() {
        let values = operation::values_of(operation, variables.clone());
        if values.iter().flatten().any(|value| limiter.check_variable(value).is_err()) {
            continue;
        }
        let Ok(operation) = Operation::new(&TYPES, &document, operation, &values) else { continue };
        let once = operation.to_string();
        let Ok(prepared) = PreparedOperation::new(operation, &TYPES, &limiter, Permissions::default()) else {
            continue;
        };
        prepared.plan(Caller::ANONYMOUS.authority().into());
        let Ok(again) = DOCUMENTS.with(|documents| documents.get(&once)) else {
            // Skipped fields leave empty selections, which no document can have; and the text can have grown.
            continue;
        };
        let chosen = operation::choose(&again, None).expect("a single operation");
        let again = Operation::new(&TYPES, &again, chosen, &[]).expect("a normal form has no variables");
        assert_eq!(again.to_string(), once);
    }
}

/// Documents asked for one after the other, by text and by hash, through one cache: what is known changes nothing of what
/// is answered, and a hash stands for its own text alone.
pub fn document_cache(texts: &[&str]) {
    let cached = documents();
    let judge = |documents: &Documents, source: &DocumentSource| {
        find(documents, source).map(|document| format!("{document:?}")).map_err(|failures| format!("{failures:?}"))
    };
    // Only whether it is valid: maps of fragments have no order of their own to compare.
    let is_valid = |text: &str| judge(&documents(), &DocumentSource::Text(text.to_owned())).map(|_| ());
    let persisted = |hash: &str, text: Option<&str>| DocumentSource::Persisted {
        hash: hash.to_owned(),
        text: text.map(str::to_owned),
    };
    for &text in texts {
        let fresh = is_valid(text);
        let hash = document::sha256(text);
        assert_eq!(judge(&cached, &DocumentSource::Text(text.to_owned())).map(|_| ()), fresh);
        let by_both = judge(&cached, &persisted(&hash, Some(text)));
        assert_eq!(by_both.clone().map(|_| ()), fresh);
        let by_hash = judge(&cached, &persisted(&hash, None));
        assert_eq!(by_hash.is_ok(), fresh.is_ok(), "{by_hash:?}");
        for &other in texts.iter().filter(|other| **other != text) {
            assert!(judge(&cached, &persisted(&hash, Some(other))).is_err(), "a hash of another text was taken");
        }
    }
}

/// Reads a body of any text: the scanner does as `serde_json` does.
pub fn json(text: &str) {
    json::agreement::check(text);
}

/// Selections of an answer, each reading other kinds of fields.
const SELECTIONS: [&str; 6] = [
    "{ users { total page hasNextPage nodes { userId email emailVerified createdAt loginsCount attributes __typename } } }",
    "{ users { nodes { a: name identities { provider userId isSocial } userMetadata appMetadata lastIp } } }",
    "{ logs { next nodes { logId date type typeDescription ip scope details attributes } } }",
    "{ searchLogs { hasNextPage nodes { logId userId userName isMobile auth0Client } } }",
    "{ user(id: \"1\") { userId email lastLogin blocked attributes identities { connection } } }",
    "{ log(id: \"1\") { logId date description details typeDescription audience } }",
];

/// Projects an answer of Auth0's: refused if it is not the JSON that it should be, and else answered with JSON.
pub fn projection(choice: u8, body: &[u8]) {
    static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
        let documents = documents();
        let operation = |text: &&str| {
            let document = documents.get(text).expect(text);
            let chosen = operation::choose(&document, None).expect(text);
            Operation::new(&TYPES, &document, chosen, &[]).expect(text)
        };
        SELECTIONS.iter().map(operation).collect()
    });
    let operation = &OPERATIONS[usize::from(choice) % OPERATIONS.len()];
    let root = operation.fields.first().expect("each selects something");
    let row = root_field(root).expect("each asks Auth0");
    let projection = PlanCompiler::new(Caller::ANONYMOUS.authority()).root(0, row.shape, root);
    let facts = PageFacts { per_page: 3, ..PageFacts::default() };
    let projected = project::project(&projection, body, &facts, usize::MAX);
    let is_projected = projected.is_ok();
    let is_page = root.name.as_str().ends_with('s');
    let is_expected = std::str::from_utf8(body).is_ok_and(|text| {
        let opening = if is_page { '[' } else { '{' };
        text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with(opening)
            && serde_json::from_str::<IgnoredAny>(text).is_ok()
    });
    assert_eq!(is_projected, is_expected, "{}", String::from_utf8_lossy(body));
    if let Ok(projected) = projected {
        let answer = std::str::from_utf8(&projected.json).expect("an answer is UTF-8");
        assert!(serde_json::from_str::<IgnoredAny>(answer).is_ok(), "{answer}");
        // A stricter reader can read what is made of whatever it can read, a few levels of nesting aside.
        let nested = [b"[[[[".as_slice(), body, b"]]]]"].concat();
        if serde_json::from_slice::<Value>(&nested).is_ok() {
            assert!(serde_json::from_str::<Value>(answer).is_ok(), "{answer}");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::*;

    const DOCUMENTS: &[&str] = &[
        "query Q ( $n : Int! = 7 , $q : String ) { users ( q : $q , perPage : $n ) { total nodes { ...F } } } \
         fragment F on User { userId a: email @skip ( if : false ) identities { provider } }",
        "query A { logs ( take : 2 ) { next nodes { logId user { email } } } } query B { __typename } ",
        "{ user ( id : \"auth0|1\" ) { ... on User { name } } __schema { types { name fields { name } } } } ",
        "query ( $s : UserSort , $x : Boolean! ) { users ( sort : $s ) @include ( if : $x ) { page } gateway { version } } ",
    ];
    const VARIABLES: &[&str] =
        &["{ }", r#"{ "n" : 3 , "q" : "a" }"#, r#"{ "x" : true , "s" : { "field" : "EMAIL" } }"#];
    const BODIES: &[&str] = &[
        r#"[ { "user_id" : "auth0|1" , "email" : "ada@example.com" , "email_verified" : "true" , "more" : [ 1 , null ] } ]"#,
        r#"{ "log_id" : "9" , "type" : "s" , "date" : "" , "details" : { "a" : { } } , "identities" : [ { } ] }"#,
    ];

    /// A text of `texts`, in which some words are left out, written twice or put in place of others.
    fn mangled(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
        let changes = vec((0..3, any::<Index>(), any::<Index>()), 0..4);
        (select(texts), changes).prop_map(|(text, changes)| {
            let mut words: Vec<_> = text.split_inclusive(' ').collect();
            for (change, from, to) in changes {
                let (word, at) = (*from.get(&words), to.index(words.len()));
                match change {
                    0 => words.insert(at, word),
                    1 => words[at] = word,
                    _ if words.len() > 1 => drop(words.remove(at)),
                    _ => {}
                }
            }
            words.concat()
        })
    }

    proptest! {
        #[test]
        fn a_document_is_refused_or_runs_in_a_form_that_is_its_own(text in mangled(DOCUMENTS), variables in mangled(VARIABLES)) {
            document(&text, &variables);
        }

        #[test]
        fn what_auth0_answers_is_projected_or_refused(choice in any::<u8>(), body in mangled(BODIES)) {
            projection(choice, body.as_bytes());
        }
    }

    proptest! {
        // Each makes several schemas.
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn what_is_kept_of_documents_changes_no_answer(texts in vec(mangled(DOCUMENTS), 1..3)) {
            document_cache(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
}
