//! The values that a request gives for variables.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The values that a request gives for variables, as the JSON texts that they came in: numbers keep all their digits, and
/// what the operation does not declare is never read.
///
/// `Debug` shows no value, which can be personal data.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "BTreeMap<String, Box<RawValue>>")]
pub struct Variables(BTreeMap<String, Box<str>>);

impl Variables {
    /// Takes out the JSON text of a variable's value.
    pub(crate) fn take(&mut self, name: &str) -> Option<Box<str>> {
        self.0.remove(name)
    }

    /// True if no text in them has half of a surrogate pair, which is all that JSON has and Unicode has not.
    pub(crate) fn is_unicode(&self) -> bool {
        let may_have_halves = |json: &str| json.contains("\\ud") || json.contains("\\uD");
        self.0.values().all(|json| !may_have_halves(json) || serde_json::from_str::<serde_json::Value>(json).is_ok())
    }

    /// Their names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl From<BTreeMap<String, Box<RawValue>>> for Variables {
    fn from(values: BTreeMap<String, Box<RawValue>>) -> Self {
        Self(values.into_iter().map(|(name, value)| (name, value.into())).collect())
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
