//! A setting on the command line: text that is read when clap reads it, and never stops it.
//!
//! clap gives up at the first value that its parser refuses, and an operator wants to be told of all. So the parser of a
//! [`Checked`] setting takes everything, and holds the value or the problem with it.

use std::ffi::OsStr;
use std::fmt;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser, ValueParserFactory};
use clap::{Arg, Command, Error};

use super::problems::{Problem, Problems};

/// A kind of setting: how its text is read.
pub(super) trait Setting: 'static {
    /// The type of its value.
    type Value: Clone + Send + Sync;

    /// Reads the text. The error completes the sentence that begins with the setting's name, and tells the remedy.
    fn parse(text: &str) -> Result<Self::Value, String>;

    /// The words that it can be, if it is one of a few.
    fn words() -> impl Iterator<Item = &'static str> {
        std::iter::empty()
    }
}

/// A kind of setting that can have a default.
pub(super) trait WithDefault: Setting {
    /// The text that is read as this value.
    fn show(value: &Self::Value) -> String;
}

/// A setting as it was given.
pub(super) enum Checked<S: Setting> {
    /// Blank text, or the placeholder of `.env.template`, and there is no default.
    Blank,
    Value(S::Value),
    Problem(Problem),
}

impl<S: Setting> Checked<S> {
    pub(super) const fn of(value: S::Value) -> Self {
        Self::Value(value)
    }

    fn read(name: &str, text: &str) -> Self {
        match S::parse(text) {
            Ok(value) => Self::Value(value),
            Err(fault) => Self::Problem(Problem::new(name, fault)),
        }
    }
}

/// A row of the arguments: a [`Checked`] setting, or none where it has no default.
pub(super) trait GivenSetting {
    /// The type of its value.
    type Value;

    /// The value, if there is a good one.
    fn value(&self) -> Option<Self::Value>;

    /// The problem with the text.
    fn problem(&self) -> Option<&Problem>;

    /// True if there is text to be read, be it good or wrong.
    fn is_given(&self) -> bool {
        self.value().is_some() || self.problem().is_some()
    }

    /// The value, or `None` with the problem noted.
    fn take(&self, problems: &mut Problems) -> Option<Self::Value> {
        if let Some(problem) = self.problem() {
            problems.push(problem.clone());
        }
        self.value()
    }

    /// Puts the value where it belongs. Leaves what is there where none was given, and notes the problem.
    fn set(&self, target: &mut Self::Value, problems: &mut Problems) {
        if let Some(value) = self.take(problems) {
            *target = value;
        }
    }

    /// The same for a value that may be none.
    fn set_some(&self, target: &mut Option<Self::Value>, problems: &mut Problems) {
        if let Some(value) = self.take(problems) {
            *target = Some(value);
        }
    }
}

impl<S: Setting> GivenSetting for Checked<S> {
    type Value = S::Value;

    fn value(&self) -> Option<S::Value> {
        match self {
            Self::Value(value) => Some(value.clone()),
            Self::Blank | Self::Problem(_) => None,
        }
    }

    fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            Self::Blank | Self::Value(_) => None,
        }
    }
}

impl<S: Setting> GivenSetting for Option<Checked<S>> {
    type Value = S::Value;

    fn value(&self) -> Option<S::Value> {
        self.as_ref().and_then(Checked::value)
    }

    fn problem(&self) -> Option<&Problem> {
        self.as_ref().and_then(Checked::problem)
    }
}

impl<S: Setting> Clone for Checked<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Blank => Self::Blank,
            Self::Value(value) => Self::Value(value.clone()),
            Self::Problem(problem) => Self::Problem(problem.clone()),
        }
    }
}

/// The default as `--help` shows it.
impl<S: WithDefault> fmt::Display for Checked<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => f.write_str(&S::show(value)),
            Self::Blank | Self::Problem(_) => Ok(()),
        }
    }
}

/// The text of a setting, when there is one. Blank text, and what `.env.template` holds in place of a value, count as none.
pub(super) fn given(text: &str) -> Option<&str> {
    let text = text.trim();
    (!text.is_empty() && !is_placeholder(text)).then_some(text)
}

/// True of the names of values that `.env.template` has filled in, for everybody has to give these.
pub(super) fn is_placeholder(text: &str) -> bool {
    text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("YOUR_"))
}

/// The parser of [`Checked`] settings.
pub(super) struct Parser<S>(std::marker::PhantomData<fn() -> S>);

impl<S> Clone for Parser<S> {
    fn clone(&self) -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<S: Setting> ValueParserFactory for Checked<S> {
    type Parser = Parser<S>;

    fn value_parser() -> Parser<S> {
        Parser(std::marker::PhantomData)
    }
}

impl<S: Setting> TypedValueParser for Parser<S> {
    type Value = Checked<S>;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, text: &OsStr) -> Result<Checked<S>, Error> {
        let text = StringValueParser::new().parse_ref(command, arg, text)?;
        let name = arg.map(|arg| arg.get_id().as_str().to_uppercase()).unwrap_or_default();
        let default = || arg.and_then(|arg| arg.get_default_values().first()).and_then(|text| text.to_str());
        Ok(given(&text).or_else(default).map_or(Checked::Blank, |text| Checked::read(&name, text)))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let words: Vec<_> = S::words().map(PossibleValue::new).collect();
        (!words.is_empty()).then(|| Box::new(words.into_iter()) as Box<dyn Iterator<Item = PossibleValue>>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_text_and_placeholders_count_as_missing() {
        for text in ["", "  ", "YOUR_CLIENT_ID", "your_tenant.us.auth0.com", " YOUR_ "] {
            assert_eq!(given(text), None, "{text:?}");
        }
        assert_eq!(given(" yours "), Some("yours"));
        assert_eq!(given("ééé"), Some("ééé"));
    }
}
