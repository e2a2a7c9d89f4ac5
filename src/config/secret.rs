//! Secrets: a kind of setting that is given as it is, or by a file that holds it (`NAME_FILE`).

use std::marker::PhantomData;
use std::path::Path;

use clap::builder::ValueParserFactory;
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};

use super::file::{names_no_file, read};
use super::kinds::quoted;
use super::problems::Problem;
use super::row::{Redaction, SecretFile};
use super::setting::{Checked, GivenSetting, Setting};

/// A row of the settings that is a secret. Its flags, its variables and its help are made from this.
pub(super) trait Secret: 'static {
    /// The kind of its value.
    type Kind: Setting;

    /// Name of its variable.
    const NAME: &'static str;
    /// Placeholder of its value.
    const VALUE_NAME: &'static str;
    /// Its help; what comes after the first paragraph is shown by `--help` alone.
    const HELP: &'static str;
}

/// A secret as it was given, under either name.
pub(super) struct SecretArg<S: Secret>(Checked<S::Kind>);

impl<S: Secret> SecretArg<S> {
    fn file_name() -> String {
        format!("{}_FILE", S::NAME)
    }

    fn arg(name: &str) -> Arg {
        let id = name.to_lowercase();
        Arg::new(id.clone()).long(id.replace('_', "-")).env(name.to_owned()).allow_hyphen_values(true)
    }
}

impl<S: Secret> Args for SecretArg<S> {
    fn augment_args(command: Command) -> Command {
        let brief = S::HELP.split("\n\n").next().unwrap_or_default().trim_end_matches('.');
        let plain = Self::arg(S::NAME)
            .value_name(S::VALUE_NAME)
            .hide_env_values(true)
            .help(brief)
            .long_help(S::HELP)
            .value_parser(Checked::<S::Kind>::value_parser());
        let help = format!("File that holds {} and nothing else, in its place; a line's end is cut off", S::NAME);
        let file = Self::arg(&Self::file_name())
            .value_name("PATH")
            .help(help)
            .value_parser(Checked::<InFile<S::Kind>>::value_parser())
            .add(SecretFile)
            .add(Redaction::OF_PATH);
        command.arg(plain).arg(file)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<S: Secret> FromArgMatches for SecretArg<S> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let plain = matches.get_one::<Checked<S::Kind>>(&S::NAME.to_lowercase()).cloned();
        let file = matches.get_one::<Checked<InFile<S::Kind>>>(&Self::file_name().to_lowercase()).cloned();
        Ok(Self(match (plain.unwrap_or(Checked::Blank), file.unwrap_or(Checked::Blank)) {
            (plain, Checked::Blank) => plain,
            (Checked::Blank, Checked::Value(value)) => Checked::Value(value),
            (Checked::Blank, Checked::Problem(problem)) => Checked::Problem(problem),
            (_, Checked::Value(_) | Checked::Problem(_)) => {
                let fault = format!("is set beside {}: set one of the two", S::NAME);
                Checked::Problem(Problem::new(&Self::file_name(), fault))
            }
        }))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        Self::from_arg_matches(matches).map(|secret| *self = secret)
    }
}

impl<S: Secret> GivenSetting for SecretArg<S> {
    type Value = <S::Kind as Setting>::Value;

    fn value(&self) -> Option<Self::Value> {
        self.0.value()
    }

    fn problem(&self) -> Option<&Problem> {
        self.0.problem()
    }
}

/// A file that holds a setting of another kind.
pub(super) struct InFile<S>(PhantomData<S>);

impl<S: Setting> Setting for InFile<S> {
    type Value = S::Value;

    fn parse(path: &str) -> Result<Self::Value, String> {
        let text = read(Path::new(path)).map_err(|error| format!("cannot be used: {} {error}", shown_path(path)))?;
        let text = text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line));
        if text.trim().is_empty() {
            return Err(format!("cannot be used: {} is empty", shown_path(path)));
        }
        S::parse(text)
    }
}

/// The path as it is told in an error.
fn shown_path(text: &str) -> String {
    if names_no_file(text) {
        "a text that names no file, and is not shown because it may be the secret itself,".to_owned()
    } else {
        quoted(text)
    }
}
