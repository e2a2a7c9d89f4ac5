//! Problems with the settings, all at once.

use std::fmt;

/// Settings that are missing or wrong. `Display` is a list for the operator; it repeats no secret.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

/// A setting that is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    setting: String,
    /// Completes the sentence that begins with the setting's name.
    fault: String,
}

impl Problem {
    pub(super) fn new(setting: &str, fault: impl Into<String>) -> Self {
        Self { setting: setting.to_owned(), fault: fault.into() }
    }
}

impl Problems {
    /// Each setting with its fault, which completes the sentence that begins with the setting's name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|Problem { setting, fault }| (setting.as_str(), fault.as_str()))
    }

    /// True if nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    pub(super) fn add(&mut self, setting: &str, fault: impl Into<String>) {
        self.push(Problem::new(setting, fault));
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => writeln!(f, "One setting is missing or wrong:")?,
            n => writeln!(f, "{n} settings are missing or wrong:")?,
        }
        for (setting, fault) in self.iter() {
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
