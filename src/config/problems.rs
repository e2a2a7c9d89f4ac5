//! What is wrong with the settings, all of it at once.

use std::fmt;

/// Settings that are missing or wrong. `Display` is a list for the operator; it repeats no secret.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

#[derive(Debug, PartialEq, Eq)]
struct Problem {
    setting: &'static str,
    /// Completes the sentence that begins with the setting's name.
    fault: String,
}

impl Problems {
    /// Each setting with its fault, which completes the sentence that begins with the setting's name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|Problem { setting, fault }| (*setting, fault.as_str()))
    }

    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, setting: &'static str, fault: impl Into<String>) {
        let fault = fault.into();
        self.0.push(Problem { setting, fault });
    }

    /// The value, or `None` with the fault noted.
    pub(super) fn note<T>(&mut self, setting: &'static str, value: Result<T, String>) -> Option<T> {
        value.map_err(|fault| self.add(setting, fault)).ok()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => writeln!(f, "One setting is missing or wrong:")?,
            n => writeln!(f, "{n} settings are missing or wrong:")?,
        }
        for Problem { setting, fault } in &self.0 {
            writeln!(f, "\n  {setting} {fault}.")?;
        }
        write!(
            f,
            "\nSet them in .env, in the environment or as flags; `auth0-graphql --help` describes each. \
             To try the gateway without a tenant: `auth0-graphql serve --sandbox`."
        )
    }
}

impl std::error::Error for Problems {}
