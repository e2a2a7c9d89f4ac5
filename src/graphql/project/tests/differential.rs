//! The projection is held to a plain, slow reference that decodes the same bytes: on generated records and selections,
//! brought through validation, normal form and plan as a request's are.

use std::fmt;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::Union;
use proptest::test_runner::RngSeed;

use super::record::{Json, SCALARS, space};
use super::reference::Reference;
use super::selection::Selection;
use super::tree::Tree;
use super::*;
use crate::graphql::plan::{PathStep, RequiredKeys, WithheldReason};
use crate::graphql::schema::log::LOG_PAGE;
use crate::graphql::schema::object::Kind;

/// The pages of the schema, each with a root field that gives it.
const PAGES: [(&str, &PageType); 3] = [("users", &USER_PAGE), ("logs", &LOG_BATCH), ("searchLogs", &LOG_PAGE)];

/// The objects of the schema that are answered in lists and by themselves, each with a root field that gives it.
const OBJECTS: [(&str, &Object); 2] = [("user(id: \"1\")", &USER), ("log(id: \"1\")", &LOG)];

/// The same cases at every run: a failure is for whoever caused it.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_261_102),
        ..ProptestConfig::default()
    }
}

fn operation(selection: &Selection, root: &str) -> Operation {
    let (document, variables) = selection.document(root);
    super::operation(&document, variables.into())
}

/// Reads an answer as strictly as JSON can be read.
fn read(answer: Result<Vec<u8>, ProjectError>) -> Option<Tree> {
    answer.ok().map(|answer| {
        let text = String::from_utf8_lossy(&answer).into_owned();
        Tree::of_answer(&answer).unwrap_or_else(|| panic!("no JSON: {text}"))
    })
}

prop_compose! {
    fn facts()(
        total in proptest::option::of(prop_oneof![
            0..400_u64, Just(2_147_483_647), Just(2_147_483_648), any::<u64>()
        ]),
        page in prop_oneof![0..12_u32, any::<u32>()],
        per_page in prop_oneof![1..5_u32, Just(100), any::<u32>()],
        is_last_reachable in any::<bool>(),
        next in proptest::option::of(select(vec!["900", "\"quoted\""])),
        from in proptest::option::of(select(vec!["800", "9999"])),
    ) -> PageFacts<'static> {
        PageFacts { total, page, per_page, is_last_reachable, next, from }
    }
}

/// A selection of a page or an object, and Auth0's answer.
struct Case<T: 'static> {
    root: &'static str,
    of: &'static T,
    json: Json,
    selection: Selection,
}

/// The case as what was sent and what came.
impl<T> fmt::Debug for Case<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (document, variables) = self.selection.document(self.root);
        write!(f, "{document} with {variables:?} of {}", self.json.write(&[""]))
    }
}

fn page_case() -> impl Strategy<Value = Case<PageType>> {
    Union::new(PAGES.map(|(root, of)| {
        let case = move |(json, selection)| Case { root, of, json, selection };
        (Json::page(of.object), Selection::on_page(of)).prop_map(case)
    }))
}

fn object_case() -> impl Strategy<Value = Case<Object>> {
    Union::new(OBJECTS.map(|(root, of)| {
        let case = move |(json, selection)| Case { root, of, json, selection };
        (Json::page(of), Selection::on_object(of)).prop_map(case)
    }))
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn a_page_is_what_plain_decoding_makes_of_it(Case { root, of: page, json, selection } in page_case(), space in space(), facts in facts()) {
        let json = json.write(&space);
        let reference = Reference { authority: AUTHORITY, selection: &selection };
        let projected = read(answer_page(page, &operation(&selection, root), json.as_bytes(), &facts));
        prop_assert!(projected.is_some());
        prop_assert_eq!(projected, reference.page(page, json.as_bytes(), &facts));
    }

    #[test]
    fn lists_and_single_records_are_what_plain_decoding_makes_of_them(Case { root, of: object, json, selection } in object_case(), space in space()) {
        let operation = operation(&selection, root);
        let reference = Reference { authority: AUTHORITY, selection: &selection };
        let text = json.write(&space);
        let projected = read(answer_records(object, &operation, text.as_bytes()));
        prop_assert!(projected.is_some());
        prop_assert_eq!(projected, reference.records(object, text.as_bytes()));
        let Json::List(records) = json else { unreachable!() };
        for record in records {
            let text = record.write(&space);
            let projected = read(answer_record(object, &operation, text.as_bytes()));
            prop_assert!(projected.is_none() || matches!(record, Json::Object(_)));
            prop_assert_eq!(projected, reference.record(object, text.as_bytes()));
        }
    }

    /// A page of which a byte is lost, added or another one is refused if it is no JSON any more, and else read for what
    /// it is now.
    #[test]
    fn a_page_with_one_byte_wrong_is_refused_or_read_for_what_it_is(
        Case { root, of: page, json, selection } in page_case(),
        space in space(),
        place in any::<Index>(),
        byte in prop_oneof![
            select(&b"\"\\{}[],:0-+.eEu \n\x00\x1f\x7f\x80\xbf\xc0\xed\xff"[..]),
            any::<u8>(),
        ],
        how in 0..3_u8,
    ) {
        let mut json = json.write(&space).into_bytes();
        let place = place.index(json.len());
        match how {
            0 => json[place] = byte,
            1 => json.insert(place, byte),
            _ => { json.remove(place); }
        }
        let facts = PageFacts { per_page: 3, ..PageFacts::default() };
        let reference = Reference { authority: AUTHORITY, selection: &selection };
        let projected = read(answer_page(page, &operation(&selection, root), &json, &facts));
        prop_assert_eq!(projected, reference.page(page, &json, &facts), "{}", String::from_utf8_lossy(&json));
    }

    #[test]
    fn a_plan_asks_for_what_it_needs_and_tells_what_it_leaves_out(Case { root, of: page, selection, .. } in page_case()) {
        let operation = operation(&selection, root);
        let plan = plan(Shape::Page(page), &operation);
        let (mut needs, mut expected, mut forbidden) = (RequiredKeys::default(), RequiredKeys::default(), Vec::new());
        plan.add_keys(&mut needs);
        let reference = Reference { authority: AUTHORITY, selection: &selection };
        for picked in selection.picked() {
            match page.field(picked.field).map(|field| field.kind) {
                Some(PageKind::Nodes) => {
                    let inside = selection.inside(&picked);
                    reference.needs(page.object, &inside, &mut expected);
                    forbidden.extend(reference.forbidden(page.object, &[picked.key.as_str()], &inside));
                }
                Some(PageKind::Total) => expected.total = true,
                Some(PageKind::Next) => { expected.keys.insert("log_id"); }
                _ => {}
            }
        }
        prop_assert_eq!(needs, expected);
        let told = plan.withheld.iter().filter_map(|withheld| {
            let keys = withheld.path.0.iter().filter_map(|step| match step {
                PathStep::Key(key, _) => Some(key.to_string()),
                PathStep::Index => None,
            });
            match &withheld.reason {
                WithheldReason::MissingScope(denied) => Some((keys.collect::<Vec<_>>(), denied.scope)),
                WithheldReason::Refused(_) => None,
            }
        });
        prop_assert_eq!(told.collect::<Vec<_>>(), forbidden);
    }
}

proptest! {
    #![proptest_config(config(12))]

    #[test]
    fn a_page_that_is_cut_off_is_refused_wherever_that_is(Case { root, of: page, json, selection } in page_case(), space in space()) {
        let json = json.write(&space);
        let json = json.trim_end().as_bytes();
        let operation = operation(&selection, root);
        for end in 0..json.len() {
            let projected = answer_page(page, &operation, &json[..end], &PageFacts::default());
            prop_assert!(projected.is_err(), "cut off at byte {}", end);
        }
    }
}

/// Cases that the generators would take long to try: each field of each table with each form of value.
#[test]
fn every_field_meets_every_form_of_value() {
    let compound =
        ["[]", "{}", "[1]", r#"["a",2,null,["b"],{}]"#, r#"[{},"a"]"#, r#"{"a":[1e400,"\ud83e"]}"#, "[[[]]]"];
    for (root, page) in PAGES {
        let selection = Selection::everything_of_page(page);
        let operation = operation(&selection, root);
        let reference = Reference { authority: AUTHORITY, selection: &selection };
        let forms = || SCALARS.iter().chain(&compound).map(|form| Json::token(form));
        for json in every_form(page.object, &forms) {
            let json = Json::List(vec![json]).write(&[""]);
            let facts = PageFacts::default();
            let projected = read(answer_page(page, &operation, json.as_bytes(), &facts));
            assert!(projected.is_some(), "{json}");
            assert_eq!(projected, reference.page(page, json.as_bytes(), &facts), "{json}");
        }
    }
}

/// Records of `object`, each of which has one key, or all its keys, with one form.
fn every_form<F: Iterator<Item = Json>>(object: &Object, forms: &dyn Fn() -> F) -> Vec<Json> {
    // A record that lacks its id would be left out, whatever else is in it.
    let id = object.fields.first().filter(|id| id.is_non_null).and_then(|id| id.keys.first());
    let with_id = |mut entries: Vec<(String, Json)>| {
        entries.extend(id.map(|id| (format!("\"{id}\""), Json::token("\"auth0|1\""))));
        Json::Object(entries)
    };
    let record = |key: &str, value| with_id(vec![(format!("\"{key}\""), value)]);
    let mut records: Vec<Json> = Vec::new();
    for form in forms() {
        let keys = object.fields.iter().flat_map(|field| field.keys);
        let entries: Vec<_> = keys.map(|key| (format!("\"{key}\""), form.clone())).collect();
        records.push(with_id(entries.clone()));
        records.push(Json::Object(entries));
    }
    for field in object.fields {
        match (&field.kind, field.keys.first()) {
            (Kind::Object(inner), Some(key)) => {
                records.extend(every_form(inner, forms).into_iter().map(|inner| record(key, inner)));
            }
            (Kind::Objects(inner), Some(key)) => {
                // The one object itself, in the place of a list, is a form that does not fit.
                records.extend(every_form(inner, forms).into_iter().map(|inner| record(key, inner)));
                records.push(record(key, Json::List(every_form(inner, forms))));
            }
            _ => {}
        }
    }
    records
}
