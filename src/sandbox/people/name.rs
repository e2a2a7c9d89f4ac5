//! Names of invented people.

use fastrand::Rng;

/// First names, each as people write it and as an address has it.
const FIRST: [(&str, &str); 32] = [
    ("Aino", "aino"),
    ("Amara", "amara"),
    ("André", "andre"),
    ("Anneke", "anneke"),
    ("Benedikt", "benedikt"),
    ("Carmen", "carmen"),
    ("Ciarán", "ciaran"),
    ("Desmond", "desmond"),
    ("Eun-ji", "eun-ji"),
    ("Farah", "farah"),
    ("Gustavo", "gustavo"),
    ("Hélène", "helene"),
    ("Ines", "ines"),
    ("Jakub", "jakub"),
    ("José", "jose"),
    ("Kaveh", "kaveh"),
    ("Lerato", "lerato"),
    ("Małgorzata", "malgorzata"),
    ("Mei", "mei"),
    ("Nadia", "nadia"),
    ("Oluwaseun", "oluwaseun"),
    ("Priya", "priya"),
    ("Quentin", "quentin"),
    ("Rosa", "rosa"),
    ("Søren", "soren"),
    ("Tamar", "tamar"),
    ("Ulrike", "ulrike"),
    ("Viktor", "viktor"),
    ("Wren", "wren"),
    ("Xavier", "xavier"),
    ("Yuki", "yuki"),
    ("Zoë", "zoe"),
];

/// Last names, likewise.
const LAST: [(&str, &str); 32] = [
    ("Adeyemi", "adeyemi"),
    ("Almeida", "almeida"),
    ("Bauer", "bauer"),
    ("Castillo", "castillo"),
    ("Chen", "chen"),
    ("D'Angelo", "dangelo"),
    ("Dubois", "dubois"),
    ("Eriksen", "eriksen"),
    ("Fernández", "fernandez"),
    ("Gallagher", "gallagher"),
    ("Haddad", "haddad"),
    ("Ito", "ito"),
    ("Jovanović", "jovanovic"),
    ("Kamau", "kamau"),
    ("Kowalska", "kowalska"),
    ("Laine", "laine"),
    ("Mokoena", "mokoena"),
    ("Müller", "mueller"),
    ("Nakamura", "nakamura"),
    ("Nguyễn", "nguyen"),
    ("O'Connor", "oconnor"),
    ("Papadakis", "papadakis"),
    ("Qureshi", "qureshi"),
    ("Rossi", "rossi"),
    ("Sharma", "sharma"),
    ("Sokolov", "sokolov"),
    ("Tanaka", "tanaka"),
    ("Ueda", "ueda"),
    ("van Dijk", "vandijk"),
    ("Weiss", "weiss"),
    ("Yılmaz", "yilmaz"),
    ("Zielińska", "zielinska"),
];

/// A person's names.
pub(super) struct Name {
    pub(super) first: &'static str,
    pub(super) last: &'static str,
    /// The part before the `@`, unique by position.
    pub(super) mailbox: String,
}

impl Name {
    pub(super) fn pick(rng: &mut Rng, position: usize) -> Self {
        let (first, first_ascii) = FIRST[rng.usize(..FIRST.len())];
        let (last, last_ascii) = LAST[rng.usize(..LAST.len())];
        Self { first, last, mailbox: format!("{first_ascii}.{last_ascii}{position}") }
    }
}
