//! Conditions on logs, judged by the gateway itself. Pure.

use std::borrow::Cow;

use crate::auth0::{Condition, Path};
use crate::graphql::project::json::{Raw, Records, read_array, read_record};

/// True if a log, a JSON object, meets the condition. A log that cannot be read does: whoever watches is to see that.
pub(super) fn meets(condition: &Condition, log: &[u8]) -> bool {
    let mut entries = Entries { wanted: condition.paths(), found: Vec::new() };
    if read_record(log, &mut entries).is_err() {
        return true;
    }
    condition.holds(&|path: &Path| entries.values(path.as_str()))
}

/// The entries of a log that a condition names.
struct Entries<'c, 'a> {
    wanted: Vec<&'c str>,
    found: Vec<(&'c str, Raw<'a>)>,
}

impl<'a> Records<'a> for Entries<'_, 'a> {
    fn entry(&mut self, key: Raw<'a>, _: bool, value: Raw<'a>) {
        if let Some(wanted) = self.wanted.iter().find(|wanted| key.is(wanted)) {
            self.found.push((wanted, value));
        }
    }

    fn end(&mut self, _: bool) {}
}

impl Entries<'_, '_> {
    /// The texts under a key, numbers as they are written, which is how fields give them out: a client's id was seen to be a list.
    fn values(&self, key: &str) -> Vec<String> {
        // Of several entries under one key the last counts, as in what is projected.
        let Some((_, value)) = self.found.iter().rev().find(|(found, _)| *found == key) else { return Vec::new() };
        let mut texts = Vec::new();
        if value.first() == b'[' {
            let _ = read_array(value.bytes(), |element| texts.extend(text(element)));
        } else {
            texts.extend(text(*value));
        }
        texts
    }
}

fn text(value: Raw<'_>) -> Option<String> {
    match value.first() {
        b'-' | b'0'..=b'9' => Some(value.text().to_owned()),
        _ => value.string().map(Cow::into_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of(key: &str, texts: &[&str]) -> Condition {
        Condition::OneOf(Path::parse(key).unwrap(), texts.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn conditions_are_judged_by_what_a_log_holds() {
        let log = br#"{"type":"f\u0070","client_id":["a","b"],"user_id":null,"connection":17,"ip":"192.0.2.1","ip":"192.0.2.2"}"#;
        let starts = |key: &str, text: &str| Condition::StartsWith(Path::parse(key).unwrap(), text.to_owned());
        let ends = |key: &str, text: &str| Condition::EndsWith(Path::parse(key).unwrap(), text.to_owned());
        let not = |condition| Condition::Not(Box::new(condition));
        for (condition, expected) in [
            (one_of("type", &["s", "fp"]), true),
            (one_of("type", &["FP"]), false),
            (one_of("client_id", &["b"]), true),
            (one_of("user_id", &["null"]), false),
            (one_of("connection", &["17"]), true),
            (not(one_of("user_id", &["x"])), true),
            (starts("ip", "192.0."), true),
            (ends("ip", ".0.2.2"), true),
            (ends("ip", ".0.2.1"), false),
            (Condition::All(vec![one_of("type", &["fp"]), one_of("client_id", &["c"])]), false),
            (Condition::Any(vec![one_of("type", &["fp"]), one_of("client_id", &["c"])]), true),
            (Condition::Everything, true),
        ] {
            assert_eq!(meets(&condition, log), expected, "{condition:?}");
        }
        assert!(meets(&one_of("type", &["s"]), b"{"));
    }
}
