//! Micro-benchmarks of an operation's stages, each without the network and without the others.
//!
//! ```sh
//! cargo bench --bench hot --features bench
//! ```
//!
//! The operations and the records are those of the load benchmark.
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up has to stop")]
#![expect(dead_code, reason = "what is shared with the load benchmark is more than is needed here")]

#[path = "load/scenario.rs"]
mod scenario;
#[path = "load/tenant.rs"]
mod tenant;

use std::sync::LazyLock;

use auth0_graphql::auth0::testing::{self, Steps};
use auth0_graphql::graphql::Variables;
use auth0_graphql::graphql::testing::{Plan, Stages, scan as scan_records};
use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use tokio::runtime::Runtime;

use self::scenario::{Lists, Scenario};
use self::tenant::{Tenant, list};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PAGES: [&str; 3] = ["S1", "S2", "S3"];
const OPERATIONS: [&str; 4] = ["S1", "S2", "S3", "S4"];

static TENANT: LazyLock<Tenant> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(Tenant::read()).expect("the sandbox's tenant")
});

static STAGES: LazyLock<Stages> = LazyLock::new(Stages::set_up);

fn main() {
    divan::main();
}

fn scenario(name: &str) -> &'static Scenario {
    scenario::ALL.iter().find(|scenario| scenario.name == name).expect("a scenario of that name")
}

/// The document and its variables.
fn operation(name: &str) -> (String, Variables) {
    let mut request = scenario(name).request(Lists::Pages, &TENANT, 0);
    let document = request["query"].as_str().expect("a document").to_owned();
    (document, serde_json::from_value(request["variables"].take()).expect("variables"))
}

fn plan(name: &str) -> Plan {
    let (text, variables) = operation(name);
    let document = STAGES.document(&text);
    let normal = STAGES.normal(&document, variables);
    STAGES.plans(&normal).pop().expect("a page")
}

/// Auth0's answer when it is asked for no more than what is selected.
fn records(name: &str) -> String {
    let root = scenario(name).only_root().expect("a page");
    list(&root.records(&TENANT, 0), root.keys().as_deref())
}

/// A document that was never seen: parsed, bounded, validated.
#[divan::bench(args = OPERATIONS)]
fn document_new(bencher: Bencher<'_, '_>, name: &str) {
    let (text, _) = operation(name);
    let mut number = 0;
    let next = || {
        number += 1;
        format!("{text} # {number}")
    };
    bencher.with_inputs(next).bench_local_values(|text| STAGES.document(&text));
}

/// The same document again.
#[divan::bench(args = OPERATIONS)]
fn document_cached(bencher: Bencher<'_, '_>, name: &str) {
    let (text, _) = operation(name);
    bencher.bench_local(|| STAGES.document(black_box(&text)));
}

#[divan::bench(args = OPERATIONS)]
fn normal_form(bencher: Bencher<'_, '_>, name: &str) {
    let (text, variables) = operation(name);
    let document = STAGES.document(&text);
    bencher
        .with_inputs(|| variables.clone())
        .bench_local_values(|variables| STAGES.normal(black_box(&document), variables));
}

/// All that is worked out once for an operation, its plans apart.
#[divan::bench(args = OPERATIONS)]
fn preparing(bencher: Bencher<'_, '_>, name: &str) {
    let (text, variables) = operation(name);
    let document = STAGES.document(&text);
    bencher
        .with_inputs(|| STAGES.normal(&document, variables.clone()))
        .bench_local_values(|normal| normal.prepare(&STAGES));
}

#[divan::bench(args = OPERATIONS)]
fn planning(bencher: Bencher<'_, '_>, name: &str) {
    let (text, variables) = operation(name);
    let document = STAGES.document(&text);
    let normal = STAGES.normal(&document, variables);
    bencher.bench_local(|| STAGES.plans(black_box(&normal)));
}

/// Finding the records in what Auth0 sent, before they are projected: as they come, and with a total around them.
#[divan::bench(args = PAGES)]
fn find_records(bencher: Bencher<'_, '_>, name: &str) {
    let body = Bytes::from(records(name));
    bencher.counter(BytesCount::new(body.len())).bench_local(|| testing::find_records(black_box(&body)));
}

#[divan::bench(args = PAGES)]
fn find_records_with_total(bencher: Bencher<'_, '_>, name: &str) {
    let body = Bytes::from(format!(r#"{{"start":0,"limit":100,"length":100,"users":{},"total":400}}"#, records(name)));
    bencher.counter(BytesCount::new(body.len())).bench_local(|| testing::find_records(black_box(&body)));
}

/// The steps between a question and its call to Auth0.
mod toward_auth0 {
    use super::*;

    fn steps() -> (Runtime, Steps) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let steps = runtime.block_on(async { Steps::set_up() });
        (runtime, steps)
    }

    #[divan::bench]
    fn token(bencher: Bencher<'_, '_>) {
        let (runtime, steps) = steps();
        bencher.bench_local(|| runtime.block_on(steps.token()));
    }

    /// A turn, and what its answer says of the rate limit.
    #[divan::bench]
    fn governor(bencher: Bencher<'_, '_>) {
        let (runtime, steps) = steps();
        let mut caller = 0;
        bencher.bench_local(|| {
            caller = (caller + 1) % 50;
            runtime.block_on(steps.turn(caller));
        });
    }

    /// One call for so many who ask the same at once.
    #[divan::bench(args = [1, 10, 100])]
    fn coalescing(bencher: Bencher<'_, '_>, waiters: usize) {
        let (runtime, steps) = steps();
        bencher.bench_local(|| runtime.block_on(steps.share(black_box(waiters))));
    }
}

/// Records to response bytes: the gateway's way, and others.
mod project {
    use serde::Deserialize as _;

    use super::*;

    #[divan::bench(args = PAGES)]
    fn gateway(bencher: Bencher<'_, '_>, name: &str) {
        let (plan, records) = (plan(name), records(name));
        bencher.counter(BytesCount::of_str(&records)).bench_local(|| plan.project(black_box(records.as_bytes())));
    }

    /// Decodes into a tree and encodes all of it: less than a projection, and the least that a gateway with a tree does.
    #[divan::bench(args = PAGES)]
    fn serde_json_value(bencher: Bencher<'_, '_>, name: &str) {
        let records = records(name);
        bencher.counter(BytesCount::of_str(&records)).bench_local(|| {
            let tree: serde_json::Value = serde_json::from_slice(black_box(records.as_bytes()))?;
            serde_json::to_vec(&tree)
        });
    }

    /// The same with sonic-rs.
    #[divan::bench(args = PAGES)]
    fn sonic_rs_value(bencher: Bencher<'_, '_>, name: &str) {
        let records = records(name);
        bencher.counter(BytesCount::of_str(&records)).bench_local(|| {
            let tree: sonic_rs::Value = sonic_rs::from_slice(black_box(records.as_bytes()))?;
            sonic_rs::to_vec(&tree)
        });
    }

    /// The tree of `serde_json`, read by sonic-rs.
    #[divan::bench(args = PAGES)]
    fn sonic_rs_into_serde_json_value(bencher: Bencher<'_, '_>, name: &str) {
        let records = records(name);
        bencher.counter(BytesCount::of_str(&records)).bench_local(|| {
            let mut json = sonic_rs::Deserializer::from_slice(black_box(records.as_bytes()));
            serde_json::Value::deserialize(&mut json)
        });
    }
}

/// Going through the entries of every record, and nothing else.
mod scan {
    use std::fmt;
    use std::marker::PhantomData;

    use serde_json::value::RawValue;
    use sonic_rs::{LazyValue, to_array_iter, to_object_iter};

    use super::*;

    #[divan::bench(args = PAGES)]
    fn gateway(bencher: Bencher<'_, '_>, name: &str) {
        let records = records(name);
        bencher.counter(BytesCount::of_str(&records)).bench_local(|| scan_records(black_box(&records)));
    }

    /// The entries of all records, in one pass through serde. `K` and `V` are what the library can call a key and a value
    /// that it passes over.
    struct Entries<K, V>(usize, PhantomData<(K, V)>);

    impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Entries<K, V> {
        fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
            json.deserialize_seq(EachRecord(PhantomData))
        }
    }

    struct EachRecord<K, V>(PhantomData<(K, V)>);

    impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for EachRecord<K, V> {
        type Value = Entries<K, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("records")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut entries = 0;
            while let Some(more) = seq.next_element_seed(EachEntry(PhantomData::<(K, V)>))? {
                entries += more;
            }
            Ok(Entries(entries, PhantomData))
        }
    }

    struct EachEntry<K, V>(PhantomData<(K, V)>);

    impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> DeserializeSeed<'de> for EachEntry<K, V> {
        type Value = usize;

        fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<usize, D::Error> {
            json.deserialize_map(self)
        }
    }

    impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for EachEntry<K, V> {
        type Value = usize;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a record")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
            let mut entries = 0;
            while let Some((key, value)) = map.next_entry::<K, V>()? {
                black_box((key, value));
                entries += 1;
            }
            Ok(entries)
        }
    }

    #[divan::bench(args = PAGES)]
    fn serde_json_raw(bencher: Bencher<'_, '_>, name: &str) {
        let records = records(name);
        let entries = || serde_json::from_str::<Entries<&RawValue, &RawValue>>(black_box(&records));
        entries().expect("records");
        bencher.counter(BytesCount::of_str(&records)).bench_local(entries);
    }

    /// sonic-rs' reader through serde. Its stack overflows on what is nested deeply.
    #[divan::bench(args = PAGES)]
    fn sonic_rs_raw(bencher: Bencher<'_, '_>, name: &str) {
        let records = records(name);
        let entries = || sonic_rs::from_str::<Entries<&str, LazyValue<'_>>>(black_box(&records));
        entries().expect("records, without an escape in a key");
        bencher.counter(BytesCount::of_str(&records)).bench_local(entries);
    }

    /// sonic-rs' lazy iterators: the page, then every record.
    #[divan::bench(args = PAGES)]
    fn sonic_rs_lazy(bencher: Bencher<'_, '_>, name: &str) {
        let records = records(name);
        bencher.counter(BytesCount::of_str(&records)).bench_local(|| {
            let mut entries = 0_usize;
            for record in to_array_iter(black_box(records.as_str())) {
                let record = record?;
                for entry in to_object_iter(record.as_raw_str()) {
                    entry?;
                    entries += 1;
                }
            }
            Ok::<_, sonic_rs::Error>(entries)
        });
    }

    /// jiter's iterators. They pass over a value without handing it out: its text is what lies between two places. What is
    /// nested more than 200 levels deep is refused.
    #[divan::bench(args = PAGES)]
    fn jiter(bencher: Bencher<'_, '_>, name: &str) {
        let records = records(name);
        let entries = || -> Result<usize, jiter::JiterError> {
            let mut json = jiter::Jiter::new(black_box(records.as_bytes()));
            let mut entries = 0;
            let mut record = json.next_array()?;
            while record.is_some() {
                let mut has_entry = json.next_object()?.is_some();
                while has_entry {
                    let start = json.current_index();
                    json.next_skip()?;
                    black_box(json.slice_to_current(start));
                    entries += 1;
                    has_entry = json.next_key()?.is_some();
                }
                record = json.array_step()?;
            }
            json.finish()?;
            Ok(entries)
        };
        entries().expect("records");
        bencher.counter(BytesCount::of_str(&records)).bench_local(entries);
    }

    /// simd-json's tape: the copy that it writes into, and what it finds there. Where the text of a value is, it does not tell.
    #[divan::bench(args = PAGES)]
    fn simd_json_tape(bencher: Bencher<'_, '_>, name: &str) {
        let records = records(name);
        let mut buffers = simd_json::Buffers::new(records.len());
        let mut entries = || -> Option<usize> {
            let mut json = black_box(records.as_bytes()).to_vec();
            let tape = simd_json::to_tape_with_buffers(&mut json, &mut buffers).ok()?;
            let mut entries = 0;
            for record in tape.as_value().as_array()?.iter() {
                for entry in record.as_object()?.iter() {
                    black_box(entry);
                    entries += 1;
                }
            }
            Some(entries)
        };
        entries().expect("records");
        bencher.counter(BytesCount::of_str(&records)).bench_local(entries);
    }

    /// No more than being sure that it is UTF-8.
    #[divan::bench(args = PAGES)]
    fn utf8_only(bencher: Bencher<'_, '_>, name: &str) {
        let records = records(name);
        bencher
            .counter(BytesCount::of_str(&records))
            .bench_local(|| std::str::from_utf8(black_box(records.as_bytes())).map(str::len));
    }
}

#[divan::bench(args = PAGES)]
fn response_writing(bencher: Bencher<'_, '_>, name: &str) {
    let projected = Bytes::from(plan(name).project(records(name).as_bytes()));
    let (text, variables) = operation(name);
    let document = STAGES.document(&text);
    let ready = STAGES.normal(&document, variables).prepare(&STAGES);
    bencher.counter(BytesCount::of_slice(&projected)).bench_local(|| ready.respond(black_box(projected.clone())));
}
