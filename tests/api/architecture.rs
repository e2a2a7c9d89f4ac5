//! `ARCHITECTURE.md`, held: the modules of `src/`, what each may use, and no cycle among their files.

mod cycles;
mod doc_lines;
mod paths;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use self::paths::{Named, paths};

/// A module: the other modules, or single items of theirs, that it may use; the libraries that are for it and for no module that does not list
/// them; and those that it must never see.
struct Module {
    name: &'static str,
    may_use: &'static [&'static str],
    libraries: &'static [&'static str],
    must_never_see: &'static [&'static str],
}

const DEADLINE: &str = "deadline";
const FLIGHT: &str = "single_flight";
const OUTBOUND: &str = "outbound";
const SHARED_STATE: &str = "shared_state";

const MODULES: &[Module] = &[
    Module {
        name: "auth0",
        may_use: &[DEADLINE, FLIGHT, OUTBOUND, SHARED_STATE, "telemetry"],
        libraries: &["reqwest", "jsonwebtoken"],
        must_never_see: &["axum", "async_graphql", "hyper"],
    },
    Module {
        name: "auth",
        may_use: &[DEADLINE, FLIGHT, OUTBOUND, "telemetry"],
        libraries: &["reqwest", "jsonwebtoken"],
        must_never_see: &["async_graphql"],
    },
    // It knows no header and no status.
    Module {
        name: "graphql",
        may_use: &["auth0", "auth", DEADLINE, FLIGHT, SHARED_STATE, "telemetry"],
        libraries: &["apollo_compiler", "apollo_parser", "async_graphql"],
        must_never_see: &["axum", "http", "hyper", "reqwest", "tower_http"],
    },
    Module {
        name: "http",
        may_use: &["graphql", "auth", DEADLINE, SHARED_STATE, "telemetry"],
        libraries: &["axum", "hyper", "tower", "tower_http"],
        must_never_see: &[],
    },
    // It shares no types with the client, so that a wrong field name cannot agree with itself.
    Module { name: "sandbox", may_use: &[], libraries: &["axum", "clap"], must_never_see: &[] },
    Module { name: DEADLINE, may_use: &[], libraries: &[], must_never_see: &[] },
    Module { name: OUTBOUND, may_use: &[], libraries: &["reqwest"], must_never_see: &[] },
    Module { name: FLIGHT, may_use: &[DEADLINE, "telemetry"], libraries: &[], must_never_see: &[] },
    Module {
        name: SHARED_STATE,
        may_use: &[DEADLINE, "telemetry"],
        libraries: &["redis"],
        must_never_see: &["axum", "async_graphql", "reqwest"],
    },
    Module { name: "telemetry", may_use: &[], libraries: &["opentelemetry"], must_never_see: &[] },
    // It fills in the settings that the modules define, and knows nothing else of them.
    Module {
        name: "config",
        may_use: &[
            "auth::SecureUrl",
            "auth::ApiKeys",
            "auth::Issuer",
            "auth::Settings",
            "auth::TokenSettings",
            "auth0::AssertionAlgorithm",
            "auth0::AssertionKey",
            "auth0::ClientAuthentication",
            "auth0::ClientPolicy",
            "auth0::Domain",
            "auth0::Settings",
            "graphql::DocumentSettings",
            "graphql::Enforcement",
            "graphql::Limits",
            "graphql::Permissions",
            "graphql::ScopeMode",
            "graphql::TrustedDocuments",
            "graphql::TrustedMode",
            "http::Certificate",
            "http::CertificateError",
            "http::Connections",
            "http::CorsHeaders",
            "http::IngestToken",
            "http::Origin",
            "http::Origins",
            "http::Period",
            "http::RateLimit",
            "http::Settings",
            "sandbox::Options",
            "sandbox::GATEWAY_AUDIENCE",
            "sandbox::Plan",
            "sandbox::TokenRequest",
            "shared_state::RedisUrl",
            "telemetry::Filter",
            "telemetry::Format",
            "telemetry::LogSettings",
        ],
        libraries: &["clap"],
        must_never_see: &["axum", "async_graphql", "reqwest", "tokio"],
    },
];

/// Files that wire the modules, and may know every one.
const WIRING: &[&str] = &["app", "command", "lib", "main"];

/// The one folder that async-graphql is known in. `http/websocket` negotiates by its protocol, which is another crate.
const KNOWS_ASYNC_GRAPHQL: [&str; 2] = ["graphql", "schema"];

/// Files that may read the process's environment.
const READS_ENVIRONMENT: &[&str] = &["config", "main"];

/// Functions that write projected bytes of a response as lists of numbers.
const SERDE_WRITERS: &[&str] =
    &["to_string", "to_string_pretty", "to_value", "to_vec", "to_vec_pretty", "to_writer", "to_writer_pretty"];

#[test]
fn every_module_uses_only_what_it_may() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&source);
    assert!(files.contains(&source.join("main.rs")), "{files:?}");
    let mut faults = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&source).unwrap();
        let code = fs::read_to_string(&file).unwrap();
        for fault in faults_of(inside, &code) {
            faults.push(format!("src/{}:{fault}", inside.display()));
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn architecture_md_has_a_row_for_each_module_and_says_what_it_may_use_and_never_sees() {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let table = document.split("\n## ").find_map(|section| section.strip_prefix("Modules\n")).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `")).map(|line| line.split('|').map(names).collect());
    let rows: Vec<Vec<_>> = rows.collect();
    let modules: BTreeSet<_> = MODULES.iter().map(|module| module.name).chain(["command"]).collect();
    assert_eq!(rows.iter().flat_map(|row| row[1].clone()).collect::<BTreeSet<_>>(), owned(&modules));
    for Module { name, may_use, libraries, must_never_see } in MODULES {
        let row = rows.iter().find(|row| row[1].contains(*name)).unwrap();
        let used: BTreeSet<_> = may_use.iter().filter_map(|path| path.split("::").next()).collect();
        let allowed = used.iter().chain(*libraries).copied().collect();
        assert_eq!(row[3], owned(&allowed), "what `{name}` may use");
        let unseen = must_never_see.iter().copied().collect();
        let told: BTreeSet<_> = row[4].iter().filter(|told| !modules.contains(told.as_str())).cloned().collect();
        assert!(row[4].is_superset(&owned(&unseen)) && told.is_subset(&owned(&unseen)), "what `{name}` never sees");
        assert!(row[4].iter().all(|told| !used.contains(told.as_str())), "what `{name}` never sees and may use");
    }
}

/// The names in a cell, as they are written in code.
fn names(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(|name| name.replace('-', "_")).collect()
}

fn owned(names: &BTreeSet<&str>) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn doc_comments_are_noun_phrases_or_imperatives() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut faults = Vec::new();
    for file in ["src", "tests", "benches"].iter().flat_map(|folder| rust_files(&root.join(folder))) {
        let code = fs::read_to_string(&file).unwrap();
        let inside = file.strip_prefix(root).unwrap().display();
        faults.extend(doc_lines::misphrased(&code).into_iter().map(|(line, text)| format!("{inside}:{line}: {text}")));
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn no_files_know_each_other_but_parent_and_child() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: Vec<_> = rust_files(&source)
        .into_iter()
        .map(|file| (module(file.strip_prefix(&source).unwrap()), fs::read_to_string(&file).unwrap()))
        .collect();
    let cycles = cycles::cycles(&cycles::graph(&files));
    assert_eq!(cycles, [] as [Vec<String>; 0], "files that know each other in a cycle");
}

/// The faults of a file, each with its line.
fn faults_of(file: &Path, code: &str) -> Vec<String> {
    let module = module(file);
    let mut faults: Vec<_> = paths(&module, code)
        .into_iter()
        .filter_map(|Named { line, path, .. }| {
            let fault = environment(&module, &path)
                .or_else(|| async_graphql(&module, &path))
                .or_else(|| response_writer(&module, &path))
                .or_else(|| dependency(&module, &path))?;
            Some(format!("{line}: {fault}"))
        })
        .collect();
    faults.dedup();
    faults
}

fn environment(module: &[String], path: &[String]) -> Option<String> {
    let reads = path[0] == "std" && path[1] == "env";
    let fault = reads && !READS_ENVIRONMENT.contains(&module[0].as_str());
    fault.then(|| "only config reads the environment (std::env)".to_owned())
}

fn async_graphql(module: &[String], path: &[String]) -> Option<String> {
    let is_known = module.starts_with(&KNOWS_ASYNC_GRAPHQL.map(str::to_owned));
    (path[0] == "async_graphql" && !is_known)
        .then(|| format!("only graphql::schema knows async-graphql ({})", path.join("::")))
}

fn response_writer(module: &[String], path: &[String]) -> Option<String> {
    let writes = path[0] == "serde_json" && SERDE_WRITERS.contains(&path[1].as_str());
    let near_responses = ["graphql", "http"].contains(&module[0].as_str());
    let is_the_writer = module.iter().any(|name| name == "response");
    (writes && near_responses && !is_the_writer)
        .then(|| format!("{} writes projected bytes as numbers; graphql::response writes responses", path.join("::")))
}

fn dependency(module: &[String], path: &[String]) -> Option<String> {
    let here = module[0].as_str();
    if WIRING.contains(&here) {
        return None;
    }
    let Some(module) = MODULES.iter().find(|module| module.name == here) else {
        return Some(format!("{here} is not in the list of modules, MODULES in tests/api/architecture.rs"));
    };
    let written = path.join("::");
    if path[0] != "crate" {
        let library = path[0].as_str();
        if module.must_never_see.contains(&library) {
            return Some(format!("{here} must never see {library} ({written})"));
        }
        let is_of_others = MODULES.iter().any(|module| module.libraries.contains(&library));
        return (is_of_others && !module.libraries.contains(&library))
            .then(|| format!("{here} may not use {library} ({written})"));
    }
    let inside = path[1..].join("::");
    let allowed = path[1] == here
        || module
            .may_use
            .iter()
            .any(|allowed| inside.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")));
    (!allowed).then(|| format!("{here} may not use {written}"))
}

/// The module that a file of `src/` stands for: `auth0/mod.rs` is `auth0`, `config/check.rs` is `config::check`.
fn module(file: &Path) -> Vec<String> {
    let file = file.with_extension("");
    let parts = file.iter().map(|part| part.to_str().unwrap().to_owned());
    let mut module: Vec<_> = parts.collect();
    module.pop_if(|name| name == "mod");
    module
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // The packages of others are not ours to phrase.
        if path.is_dir() && !path.ends_with("node_modules") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn what_a_module_may_not_use_is_found() {
    for (file, code, fault) in [
        ("http/mod.rs", "use crate::graphql;\nuse crate::{auth, auth0};", "2: http may not use crate::auth0"),
        ("sandbox/seed.rs", "fn f(u: &crate::auth0::User) {}", "1: sandbox may not use crate::auth0::User"),
        ("auth0/token.rs", "use super::super::graphql::Plan;", "1: auth0 may not use crate::graphql::Plan"),
        ("auth0/token.rs", "\nuse axum::Router;", "2: auth0 must never see axum (axum::Router)"),
        ("telemetry/traces.rs", "use reqwest::Client;", "1: telemetry may not use reqwest (reqwest::Client)"),
        (
            "graphql/user.rs",
            "type T = axum::http::StatusCode;",
            "1: graphql must never see axum (axum::http::StatusCode)",
        ),
        (
            "config/check.rs",
            "use crate::auth0::{Domain, ManagementApi};",
            "1: config may not use crate::auth0::ManagementApi",
        ),
        ("config.rs", "use crate::auth0::*;", "1: config may not use crate::auth0"),
        (
            "graphql/error.rs",
            "use async_graphql::Value;",
            "1: only graphql::schema knows async-graphql (async_graphql::Value)",
        ),
        ("auth0/mod.rs", "use std::{env, fs};", "1: only config reads the environment (std::env)"),
        (
            "attic/mod.rs",
            "use std::fmt::Write;",
            "1: attic is not in the list of modules, MODULES in tests/api/architecture.rs",
        ),
        (
            "http/graphql.rs",
            "let _ = serde_json::to_vec(&response);",
            "1: serde_json::to_vec writes projected bytes as numbers; graphql::response writes responses",
        ),
    ] {
        assert_eq!(faults_of(Path::new(file), code), [fault], "{file}");
    }
}

#[test]
fn what_a_module_may_use_is_let_through() {
    for (file, code) in [
        ("http/mod.rs", "use crate::auth::Caller; use crate::http::health; mod tests { use super::*; }"),
        ("telemetry.rs", "mod tests { use super::Filter; }"),
        ("config/args.rs", "use crate::sandbox::{Options, Plan}; use std::env;"),
        ("graphql/response.rs", "serde_json::to_writer(&mut out, value)"),
        ("auth0/token.rs", "serde_json::to_vec(&request); env!(\"CARGO_PKG_VERSION\")"),
        ("app.rs", "use crate::{auth0::ManagementApi, http::Router, sandbox::Sandbox};"),
    ] {
        assert_eq!(faults_of(Path::new(file), code), [] as [&str; 0], "{file}");
    }
}
