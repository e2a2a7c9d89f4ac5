//! Cycles: files that know each other, directly or by way of others. A file and what is in its folder may; siblings may not.
//!
//! What a file takes by way of a re-export, or of its parent's own `use`, it takes from the file that defines it.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::paths;

/// The most re-exports that a name is followed through.
const MOST_HOPS: usize = 8;

/// A file: the paths that it names, and those of its own `use` lines by the names that they give.
struct File {
    paths: Vec<Vec<String>>,
    imports: BTreeMap<String, Vec<String>>,
}

impl File {
    fn read(module: &[String], code: &str) -> Self {
        let mut file = Self { paths: Vec::new(), imports: BTreeMap::new() };
        for named in paths(module, code) {
            if let Some(import) = named.import {
                file.imports.insert(import, named.path.clone());
            }
            file.paths.push(named.path);
        }
        file
    }
}

/// Modules by the modules that define what they name. A module and those inside it are left out: they are parent and child.
pub(super) fn graph(files: &[(Vec<String>, String)]) -> BTreeMap<String, BTreeSet<String>> {
    let files: BTreeMap<_, _> =
        files.iter().map(|(module, code)| (module.join("::"), File::read(module, code))).collect();
    let others_of = |(own, file): (&String, &File)| {
        let defining = file.paths.iter().filter_map(|path| defining_module(&files, file, path));
        let others = defining.filter(|other| !is_inside(other, own) && !is_inside(own, other));
        (own.clone(), others.collect())
    };
    files.iter().map(others_of).collect()
}

/// The module that defines what a path in `file` leads to; `None` if that is of another crate.
fn defining_module(files: &BTreeMap<String, File>, file: &File, path: &[String]) -> Option<String> {
    let mut path = match file.imports.get(&path[0]) {
        Some(import) => [import, &path[1..]].concat(),
        None => path.to_vec(),
    };
    for _ in 0..MOST_HOPS {
        let (_, inside) = path.split_first().filter(|(first, _)| *first == "crate")?;
        let end = (1..=inside.len()).rev().find(|end| files.contains_key(&inside[..*end].join("::")))?;
        let module = inside[..end].join("::");
        match inside.get(end).and_then(|name| files[&module].imports.get(name)) {
            Some(import) => path = [import, &inside[end + 1..]].concat(),
            None => return Some(module),
        }
    }
    None
}

fn is_inside(module: &str, other: &str) -> bool {
    module.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The largest sets of modules in which each reaches each other.
pub(super) fn cycles(graph: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reached: BTreeMap<_, _> = graph.keys().map(|module| (module, reach(graph, module))).collect();
    let mut cycles = BTreeSet::new();
    for (module, from) in &reached {
        let cycle: Vec<_> = from.iter().filter(|other| reached[*other].contains(*module)).cloned().collect();
        if cycle.len() > 1 {
            cycles.insert(cycle);
        }
    }
    cycles.into_iter().collect()
}

fn reach(graph: &BTreeMap<String, BTreeSet<String>>, module: &String) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![module];
    while let Some(module) = waiting.pop() {
        waiting.extend(graph.get(module).into_iter().flatten().filter(|other| reached.insert((*other).clone())));
    }
    reached
}

#[test]
fn what_is_re_exported_is_of_the_file_that_defines_it() {
    let file = |module: &str, code: &str| (module.split("::").map(str::to_owned).collect(), code.to_owned());
    let files = [
        file("a", "mod b; mod c; pub use self::b::B; pub use self::c::{C as D, E}; use crate::f;"),
        file("a::b", "use super::D; use super::f::F;"),
        file("a::c", "fn g() -> super::super::f::F {}"),
        file("f", "use crate::a; pub use other::G; impl a::B {}"),
        file("h", "use crate::f::G;"),
    ];
    let graph = graph(&files);
    let others = |module: &str| graph[module].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(others("a::b"), ["a::c", "f"]);
    assert_eq!(others("f"), ["a", "a::b"]);
    assert_eq!(others("h"), [""; 0]);
    assert_eq!(cycles(&graph), [["a", "a::b", "a::c", "f"]]);
}

#[test]
fn a_cycle_is_found_and_parent_and_child_are_none() {
    let file = |module: &str, code: &str| (module.split("::").map(str::to_owned).collect(), code.to_owned());
    let files = [
        file("a", "mod b; mod c; use self::b::B; pub use self::c::C;"),
        file("a::b", "use super::A; use crate::a::c::C;"),
        file("a::c", "use super::d::D;"),
        file("a::d", "fn f() -> crate::a::b::B {}"),
        file("e", "use crate::a::A;"),
    ];
    assert_eq!(cycles(&graph(&files)), [["a::b", "a::c", "a::d"]]);
    assert_eq!(cycles(&graph(&files[..3])), [[""; 0]; 0]);
}
