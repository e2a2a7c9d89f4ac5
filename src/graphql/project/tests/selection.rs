//! Generated selections: as GraphQL text for the gateway, and as what they come to for the reference.

use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value};

use crate::graphql::schema::joins::{Join, joins_of};
use crate::graphql::schema::object::{Kind, Object, PageKind, PageType, Shape};

/// A selection on a page or a record, with the variables that its conditions may name.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    parent: &'static str,
    nodes: Vec<Node>,
    variables: [Variable; 3],
}

#[derive(Debug, Clone, PartialEq)]
struct Node {
    skip: Option<Switch>,
    include: Option<Switch>,
    what: What,
}

#[derive(Debug, Clone, PartialEq)]
enum What {
    Field {
        name: &'static str,
        alias: Option<String>,
        ty: &'static str,
        inner: Vec<Node>,
    },
    Inline {
        is_typed: bool,
        inner: Vec<Node>,
    },
    /// Fragments of one type that select the same are one fragment.
    Spread(Vec<Node>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Switch {
    Literal(bool),
    Variable(usize),
}

#[derive(Debug, Clone, Copy)]
struct Variable {
    default: Option<bool>,
    given: Option<bool>,
}

/// The selections under one response key.
pub(super) struct Picked<'s> {
    pub(super) key: String,
    pub(super) field: &'static str,
    inner: Vec<&'s Node>,
}

impl Selection {
    pub(super) fn on_page(page: &'static PageType) -> BoxedStrategy<Self> {
        selection(page.name, nodes_of_page(page))
    }

    pub(super) fn on_object(object: &'static Object) -> BoxedStrategy<Self> {
        selection(object.name, nodes(object, 2))
    }

    /// Every field of a page and all that is in it.
    pub(super) fn everything_of_page(page: &'static PageType) -> Self {
        let fields = page.fields.iter().map(|field| match field.kind {
            PageKind::Nodes => node(field.name, page.object.name, everything(page.object)),
            _ => node(field.name, "", Vec::new()),
        });
        Self { parent: page.name, nodes: fields.collect(), variables: [Variable { default: None, given: None }; 3] }
    }

    /// The fields that are answered, by response key, in order.
    pub(super) fn picked(&self) -> Vec<Picked<'_>> {
        self.pick(&self.nodes.iter().collect::<Vec<_>>())
    }

    /// The fields that are answered within a field.
    pub(super) fn inside<'s>(&self, picked: &Picked<'s>) -> Vec<Picked<'s>> {
        self.pick(&picked.inner)
    }

    fn pick<'s>(&self, nodes: &[&'s Node]) -> Vec<Picked<'s>> {
        let mut all: Vec<Picked<'s>> = Vec::new();
        let mut add = |picked: Picked<'s>| match all.iter_mut().find(|known| known.key == picked.key) {
            Some(known) => known.inner.extend(picked.inner),
            None => all.push(picked),
        };
        for node in nodes {
            if node.skip.is_some_and(|switch| self.is_on(switch)) || node.include.is_some_and(|on| !self.is_on(on)) {
                continue;
            }
            match &node.what {
                What::Field { name, alias, inner, .. } => {
                    let key = alias.clone().unwrap_or_else(|| (*name).to_owned());
                    add(Picked { key, field: name, inner: inner.iter().collect() });
                }
                What::Inline { inner, .. } | What::Spread(inner) => {
                    self.pick(&inner.iter().collect::<Vec<_>>()).into_iter().for_each(&mut add);
                }
            }
        }
        all
    }

    fn is_on(&self, switch: Switch) -> bool {
        match switch {
            Switch::Literal(is_on) => is_on,
            Switch::Variable(number) => {
                let Variable { given, default } = self.variables[number];
                given.or(default).unwrap_or(true)
            }
        }
    }

    /// The document that selects this of the root field `root`, and values for its variables.
    pub(super) fn document(&self, root: &str) -> (String, Map<String, Value>) {
        let mut printer = Printer::default();
        let body = printer.selection(self.parent, &self.nodes);
        let mut definitions = Vec::new();
        let mut values = Map::new();
        for number in printer.variables {
            let Variable { default, given } = self.variables[number];
            definitions.push(match default {
                Some(default) => format!("$v{number}: Boolean = {default}"),
                None => format!("$v{number}: Boolean!"),
            });
            // A variable without a default has to be given.
            if let Some(value) = given.or(default.is_none().then_some(true)) {
                values.insert(format!("v{number}"), value.into());
            }
        }
        let definitions =
            if definitions.is_empty() { String::new() } else { format!("query ({}) ", definitions.join(", ")) };
        let mut document = format!("{definitions}{{ {root} {body} }}");
        for (number, (ty, _, text)) in printer.fragments.iter().enumerate() {
            write!(document, " fragment F{number} on {ty} {text}").unwrap();
        }
        (document, values)
    }
}

#[derive(Default)]
struct Printer<'s> {
    /// The fragments by their numbers: type, selection, text.
    fragments: Vec<(&'static str, &'s [Node], String)>,
    variables: std::collections::BTreeSet<usize>,
}

impl<'s> Printer<'s> {
    fn selection(&mut self, parent: &'static str, nodes: &'s [Node]) -> String {
        let nodes: Vec<_> = nodes.iter().map(|node| self.node(parent, node)).collect();
        format!("{{ {} }}", nodes.join(" "))
    }

    fn node(&mut self, parent: &'static str, node: &'s Node) -> String {
        let directives = self.directive("skip", node.skip) + &self.directive("include", node.include);
        match &node.what {
            What::Field { name, alias, ty, inner } => {
                let alias = alias.as_ref().map(|alias| format!("{alias}: ")).unwrap_or_default();
                let inner = if inner.is_empty() { String::new() } else { self.selection(ty, inner) };
                format!("{alias}{name}{directives} {inner}")
            }
            What::Inline { is_typed, inner } => {
                let condition = if *is_typed { format!(" on {parent}") } else { String::new() };
                format!("...{condition}{directives} {}", self.selection(parent, inner))
            }
            What::Spread(inner) => {
                let known =
                    self.fragments.iter().position(|(ty, nodes, _)| (*ty, *nodes) == (parent, inner.as_slice()));
                let number = known.unwrap_or_else(|| {
                    let text = self.selection(parent, inner);
                    self.fragments.push((parent, inner, text));
                    self.fragments.len() - 1
                });
                format!("...F{number}{directives}")
            }
        }
    }

    fn directive(&mut self, name: &str, switch: Option<Switch>) -> String {
        match switch {
            None => String::new(),
            Some(Switch::Literal(value)) => format!(" @{name}(if: {value})"),
            Some(Switch::Variable(number)) => {
                self.variables.insert(number);
                format!(" @{name}(if: $v{number})")
            }
        }
    }
}

fn selection(parent: &'static str, nodes: BoxedStrategy<Vec<Node>>) -> BoxedStrategy<Selection> {
    let variable = any::<(Option<bool>, Option<bool>)>().prop_map(|(default, given)| Variable { default, given });
    (nodes, [variable.clone(), variable.clone(), variable])
        .prop_map(move |(nodes, variables)| Selection { parent, nodes, variables })
        .boxed()
}

fn node(name: &'static str, ty: &'static str, inner: Vec<Node>) -> Node {
    Node { skip: None, include: None, what: What::Field { name, alias: None, ty, inner } }
}

fn everything(object: &'static Object) -> Vec<Node> {
    let fields = object.fields.iter().map(|field| match &field.kind {
        Kind::Object(inner) | Kind::Objects(inner) => node(field.name, inner.name, everything(inner)),
        _ => node(field.name, "", Vec::new()),
    });
    fields.chain(joins_of(object).map(joined)).collect()
}

/// A join, of which nothing comes here: a selection of it matters to no projection but its own.
fn joined(join: &'static Join) -> Node {
    let ty = match join.shape {
        Shape::Page(page) => page.name,
        Shape::List(object) | Shape::Record(object) => object.name,
        Shape::Connection(connection) => connection.object.name,
    };
    node(join.name, ty, vec![node("__typename", "", Vec::new())])
}

fn nodes_of_page(page: &'static PageType) -> BoxedStrategy<Vec<Node>> {
    let facts: Vec<_> =
        page.fields.iter().filter(|field| field.kind != PageKind::Nodes).map(|field| field.name).collect();
    let fact = leaf(facts);
    let records = field(Just("nodes"), page.object.name, nodes(page.object, 2));
    in_fragments(&prop_oneof![fact, records].boxed(), 1)
}

fn nodes(object: &'static Object, depth: u32) -> BoxedStrategy<Vec<Node>> {
    let (composite, leaves): (Vec<_>, Vec<_>) =
        object.fields.iter().partition(|field| matches!(field.kind, Kind::Object(_) | Kind::Objects(_)));
    let mut one = leaf(leaves.iter().map(|field| field.name).collect());
    for row in composite {
        let field = match &row.kind {
            Kind::Object(inner) | Kind::Objects(inner) => field(Just(row.name), inner.name, nodes(inner, 1)),
            _ => continue,
        };
        one = prop_oneof![3 => one, 1 => field].boxed();
    }
    for join in joins_of(object) {
        one = prop_oneof![3 => one, 1 => Just(joined(join))].boxed();
    }
    // `attributes` is one of some fifty fields, and the one that reads the most.
    one = prop_oneof![9 => one, 1 => leaf(vec!["attributes"])].boxed();
    prop_oneof![6 => in_fragments(&one, depth), 1 => Just(everything(object))].boxed()
}

fn leaf(names: Vec<&'static str>) -> BoxedStrategy<Node> {
    let names = names.into_iter().chain(["__typename"]).collect::<Vec<_>>();
    field(select(names), "", Just(Vec::new()).boxed())
}

fn field(
    name: impl Strategy<Value = &'static str> + 'static,
    ty: &'static str,
    inner: BoxedStrategy<Vec<Node>>,
) -> BoxedStrategy<Node> {
    // An alias tells of its field, so that one key never stands for two.
    let alias = weighted(0.3, select(vec!["", "a_", "_"]));
    let what = (name, alias, inner).prop_map(move |(name, alias, inner)| {
        let alias = alias.map(|prefix| format!("{prefix}{}", name.trim_start_matches("__")));
        What::Field { name, alias, ty, inner }
    });
    conditional(what.boxed())
}

fn in_fragments(node: &BoxedStrategy<Node>, depth: u32) -> BoxedStrategy<Vec<Node>> {
    let mut nodes = vec(node.clone(), 1..5).boxed();
    for _ in 0..depth {
        let inline = (any::<bool>(), nodes.clone()).prop_map(|(is_typed, inner)| What::Inline { is_typed, inner });
        let spread = nodes.clone().prop_map(What::Spread);
        let fragment = conditional(prop_oneof![inline, spread].boxed());
        nodes = (vec(prop_oneof![4 => node.clone(), 1 => fragment], 1..6), any::<bool>())
            .prop_map(|(mut nodes, again)| {
                // The same once more: a duplicate key, or a fragment that is spread twice.
                nodes.extend(again.then(|| nodes[0].clone()));
                nodes
            })
            .boxed();
    }
    nodes
}

fn conditional(what: BoxedStrategy<What>) -> BoxedStrategy<Node> {
    let switch = prop_oneof![any::<bool>().prop_map(Switch::Literal), (0..3_usize).prop_map(Switch::Variable)];
    (weighted(0.1, switch.clone()), weighted(0.1, switch), what)
        .prop_map(|(skip, include, what)| Node { skip, include, what })
        .boxed()
}
