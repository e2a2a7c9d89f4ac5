//! Cycles: files that know each other, directly or by way of others. A file and what is in its folder may; siblings may not.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::paths;

/// Modules by the modules that they name. A module and those inside it are left out: they are parent and child.
pub(super) fn graph(files: &[(Vec<String>, String)]) -> BTreeMap<String, BTreeSet<String>> {
    let modules: BTreeSet<_> = files.iter().map(|(module, _)| module.join("::")).collect();
    let names_of = |(module, code): &(Vec<String>, String)| {
        let own = module.join("::");
        let named = paths(module, code).into_iter().filter_map(|named| {
            let (first, inside) = named.path.split_first()?;
            let ends = (first == "crate").then_some((1..=inside.len()).rev())?;
            ends.map(|end| inside[..end].join("::")).find(|module| modules.contains(module))
        });
        let others = named.filter(|other| !is_inside(other, &own) && !is_inside(&own, other));
        (own.clone(), others.collect())
    };
    files.iter().map(names_of).collect()
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
