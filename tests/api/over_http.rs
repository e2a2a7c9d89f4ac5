//! GraphQL over HTTP, as <https://graphql.github.io/graphql-over-http/draft/> has it: every server audit of the npm package
//! `graphql-http`, by its id. What the audits recommend or leave open is promised here too, and where they take a range of
//! statuses, one is.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::gateway::TestGateway;

const NEW: &str = "application/graphql-response+json";
const OLD: &str = "application/json";

const TYPENAME: &str = "{ __typename }";
const TYPE: &str = "query Type($name: String!) { __type(name: $name) { name } }";

/// An audit.
struct Audit {
    id: &'static str,
    promise: &'static str,
    /// The text before the blank line, without `Host`, each line ended.
    head: String,
    body: Option<String>,
    status: u16,
    then: Then,
}

/// The promise beside the status.
enum Then {
    Nothing,
    ContentType(&'static str),
    NoErrors,
    NoData,
}

impl Audit {
    /// A POST of `body`, said to be JSON; 200 until told otherwise.
    fn post(id: &'static str, promise: &'static str, accept: Option<&str>, body: &impl ToString) -> Self {
        let head = format!("POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\n{}", line(accept));
        Self { id, promise, head, body: Some(body.to_string()), status: 200, then: Then::Nothing }
    }

    /// A GET with `parameters`; 200 until told otherwise.
    fn get(id: &'static str, promise: &'static str, accept: Option<&str>, parameters: &[(&str, &str)]) -> Self {
        let mut url = url::Url::parse("http://localhost/graphql").unwrap();
        url.query_pairs_mut().extend_pairs(parameters);
        let head = format!("GET /graphql?{} HTTP/1.1\r\n{}", url.query().unwrap(), line(accept));
        Self { id, promise, head, body: None, status: 200, then: Then::Nothing }
    }

    fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    fn then(self, then: Then) -> Self {
        Self { then, ..self }
    }

    async fn hold(&self, gateway: &TestGateway) {
        let Self { id, promise, head, status, .. } = self;
        let body = self.body.as_deref().unwrap_or_default();
        let length = if self.body.is_some() { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
        let answer = Answer::to(gateway, format!("{head}Host: localhost\r\n{length}\r\n{body}")).await;
        let failure = format!("{id} ({promise}): {answer:?}");
        // Every answer is JSON, and so UTF-8.
        let response = answer.json();
        assert_eq!(answer.status, *status, "{failure}");
        match self.then {
            Then::Nothing => {}
            Then::ContentType(expected) => {
                assert_eq!(answer.header("content-type"), format!("{expected}; charset=utf-8"), "{failure}");
            }
            Then::NoErrors => {
                assert!(response["data"].is_object(), "{failure}");
                assert_eq!(response.get("errors"), None, "{failure}");
            }
            Then::NoData => {
                assert!(response["errors"].is_array(), "{failure}");
                assert_eq!(response.get("data"), None, "{failure}");
            }
        }
    }
}

fn line(accept: Option<&str>) -> String {
    accept.map(|accept| format!("Accept: {accept}\r\n")).unwrap_or_default()
}

async fn hold(audits: Vec<Audit>) {
    let gateway = TestGateway::spawn().await;
    for audit in audits {
        audit.hold(&gateway).await;
    }
    assert_eq!(gateway.all_calls().await, []);
}

fn media_types() -> Vec<Audit> {
    let query = || json!({ "query": TYPENAME });
    let (new, old) = (|| Then::ContentType(NEW), || Then::ContentType(OLD));
    vec![
        Audit::post("22EB", "the new type is given to who asks for it", Some(NEW), &query()).then(new()),
        Audit::post("4655", "the old type is given to who asks for it", Some(OLD), &query()).then(old()),
        Audit::post("47DE", "any type is the old type", Some("*/*"), &query()).then(old()),
        Audit::post("80D8", "without Accept it is the old type", None, &query()).then(old()),
        Audit::post("82A3", "answers are UTF-8", None, &query()).then(old()),
        Audit {
            head: "POST /graphql HTTP/1.1\r\nContent-Type: application/json; charset=utf-8\r\n".to_owned(),
            ..Audit::post(
                "BF61",
                "requests may be UTF-8",
                None,
                &json!({ "query": "{ __type(name: \"Run🏃Swim🏊\") { name } }" }),
            )
        }
        .then(Then::NoErrors),
        Audit::post(
            "78D5",
            "requests are UTF-8 unless they say otherwise",
            None,
            &json!({ "query": "{ __type(name: \"🏊\") { name } }" }),
        )
        .then(Then::NoErrors),
    ]
}

fn methods() -> Vec<Audit> {
    let query = || json!({ "query": TYPENAME });
    vec![
        Audit::post("2C94", "POST is answered", None, &query()).then(Then::NoErrors),
        Audit::post("03D4", "a JSON body is read", None, &query()).then(Then::NoErrors),
        Audit::get("5A70", "GET is answered", None, &[("query", TYPENAME)]).then(Then::NoErrors),
        Audit::get("9C48", "GET mutates nothing", Some(NEW), &[("query", "mutation { __typename }")])
            .status(400)
            .then(Then::NoData),
        Audit {
            head: "POST /graphql HTTP/1.1\r\n".to_owned(),
            ..Audit::post("9ABE", "a body says what it is", None, &query())
        }
        .status(415)
        .then(Then::NoData),
        Audit::post("A5BF", "a POST has a body", None, &"").status(400).then(Then::NoData),
    ]
}

fn good_parameters() -> Vec<Audit> {
    let mut audits = Vec::new();
    for (new, old, promise, body) in [
        ("34A2", "13EE", "a query is text", json!({ "query": TYPENAME })),
        (
            "8161",
            "B8B3",
            "an operation has a name",
            json!({ "query": "query Query { __typename }", "operationName": "Query" }),
        ),
        ("94B0", "0220", "variables may be null", json!({ "query": TYPENAME, "variables": null })),
        ("94B1", "0221", "the operation's name may be null", json!({ "query": TYPENAME, "operationName": null })),
        ("94B2", "0222", "extensions may be null", json!({ "query": TYPENAME, "extensions": null })),
        ("2EA1", "28B9", "variables are a map", json!({ "query": TYPE, "variables": { "name": "sometype" } })),
        ("428F", "1B7A", "extensions are a map", json!({ "query": TYPENAME, "extensions": { "some": "value" } })),
    ] {
        audits.push(Audit::post(new, promise, Some(NEW), &body).then(Then::NoErrors));
        audits.push(Audit::post(old, promise, Some(OLD), &body).then(Then::NoErrors));
    }
    let parameters = [("query", TYPE), ("variables", r#"{"name":"sometype"}"#)];
    for (id, accept) in [("D6D5", NEW), ("6A70", OLD)] {
        audits.push(Audit::get(id, "variables of a GET are JSON", Some(accept), &parameters).then(Then::NoErrors));
    }
    audits
}

fn bad_parameters() -> Vec<Audit> {
    let mut audits = vec![
        Audit::post("423L", "the query is not left out", Some(NEW), &json!({ "notquery": TYPENAME })),
        Audit::post("8764", "a misspelled query is refused", None, &json!({ "qeury": TYPENAME })),
        Audit::post("3E3A", "and that with 400", None, &json!({ "qeury": TYPENAME })),
    ];
    let (object, text) = (json!({ "obj": "ect" }), json!("string"));
    for (parameter, ids, other) in [
        ("query", ["LKJ0", "LKJ1", "LKJ2", "LKJ3"], &object),
        ("operationName", ["6C00", "6C01", "6C02", "6C03"], &object),
        ("variables", ["4760", "4761", "4762", "4763"], &text),
        ("extensions", ["58B0", "58B1", "58B2", "58B3"], &text),
    ] {
        for (id, value) in ids.into_iter().zip([other.clone(), json!(0), json!(false), json!(["array"])]) {
            let mut body = json!({ "query": TYPENAME });
            body[parameter] = value;
            audits.push(Audit::post(id, "a parameter is of its type", None, &body));
        }
    }
    audits.into_iter().map(|audit| audit.status(400).then(Then::NoData)).collect()
}

fn bodies_that_are_not_json() -> Vec<Audit> {
    let body = "{ \"not a JSON";
    vec![
        Audit::post("B6DC", "what is not JSON is answered", Some(OLD), &body),
        Audit::post("BCF8", "and that with 400, in the old type", Some(OLD), &body),
        Audit::post("B7N8", "and in the new", Some(NEW), &body),
    ]
    .into_iter()
    .map(|audit| audit.status(400).then(Then::NoData))
    .collect()
}

fn documents_that_cannot_run() -> Vec<Audit> {
    let unparsable = || json!({ "query": "{" });
    let invalid = || json!({ "query": "{ 8f31403dfe404bccbb0e835f2629c6a7 }" });
    let misfit: fn() -> Value =
        || json!({ "query": "query CoerceFailure($id: ID!) { __typename }", "variables": { "id": null } });
    let old = [
        Audit::post("572B", "what does not parse is 200 in the old type", Some(OLD), &unparsable()),
        Audit::post("FDE2", "what is not valid is 200 in the old type", Some(OLD), &invalid()),
        Audit::post("7B9B", "variables that do not fit are 200 in the old type", Some(OLD), &misfit()),
    ];
    let new = [
        Audit::post("865D", "what does not parse is an error in the new type", Some(NEW), &unparsable()),
        Audit::post("556A", "namely 400", Some(NEW), &unparsable()),
        Audit::post("D586", "and has no data", Some(NEW), &unparsable()),
        Audit::post("51FE", "what is not valid is an error in the new type", Some(NEW), &invalid()),
        Audit::post("74FF", "namely 400", Some(NEW), &invalid()),
        Audit::post("5E5B", "and has no data", Some(NEW), &invalid()),
        Audit::post("86EE", "variables that do not fit are 400 in the new type", Some(NEW), &misfit()),
    ]
    .map(|audit| audit.status(400));
    old.into_iter().chain(new).map(|audit| audit.then(Then::NoData)).collect()
}

#[tokio::test]
async fn media_types_are_negotiated() {
    hold(media_types()).await;
}

#[tokio::test]
async fn get_and_post_are_answered() {
    hold(methods()).await;
}

#[tokio::test]
async fn parameters_of_their_type_are_taken() {
    hold(good_parameters()).await;
}

#[tokio::test]
async fn parameters_of_another_type_are_refused() {
    hold(bad_parameters()).await;
}

#[tokio::test]
async fn bodies_that_are_not_json_are_refused() {
    hold(bodies_that_are_not_json()).await;
}

#[tokio::test]
async fn documents_that_cannot_run_are_told_apart_by_status_in_the_new_type_only() {
    hold(documents_that_cannot_run()).await;
}

#[test]
fn every_audit_is_here_once() {
    let mut ids: Vec<_> = [
        media_types(),
        methods(),
        good_parameters(),
        bad_parameters(),
        bodies_that_are_not_json(),
        documents_that_cannot_run(),
    ]
    .iter()
    .flatten()
    .map(|audit| audit.id)
    .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 61);
}
