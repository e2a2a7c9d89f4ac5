//! Doc comments: noun phrases or imperatives.

/// Words that begin a question about an item, where its name in the field's own terms is wanted.
const NOT_FIRST: &[&str] = &[
    "Who", "Whose", "Whom", "Whoever", "What", "Whatever", "Whether", "Which", "That", "Those", "How", "Why", "Where",
    "Wherever", "When", "Whenever", "Until", "If", "As", "At", "By", "From", "In", "Of", "On", "For", "With",
    "Without",
];

/// The first lines of doc comments that begin with such a word, each with its number.
pub(super) fn misphrased(code: &str) -> Vec<(usize, &str)> {
    let mut is_inside = false;
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let line = line.trim_start();
        let text = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
        let was_inside = std::mem::replace(&mut is_inside, text.is_some());
        let word = text.and_then(|text| text.split_whitespace().next()).unwrap_or_default();
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        if !was_inside && NOT_FIRST.contains(&word) {
            found.push((number + 1, line));
        }
    }
    found
}

#[test]
fn the_first_line_of_a_doc_comment_counts() {
    let code = "//! What a caller may.\n//! That\n\n/// A caller.\n/// Whether so.\nstruct A {\n    /// Who asks.\n    b: u8,\n    /// Why.\n    c: u8,\n}";
    assert_eq!(misphrased(code), [(1, "//! What a caller may."), (7, "/// Who asks."), (9, "/// Why.")]);
}
