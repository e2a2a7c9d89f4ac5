//! Properties of a setting's row, beside the flag, the variable, the help and the kind that every row has.

use std::borrow::Cow;
use std::path::Path;

use clap::builder::ArgExt;
use clap::{Arg, ArgMatches, Command};

use super::Serve;
use super::file::{is_exposed, names_no_file};
use super::setting::given;

/// Default of a setting where it depends on others, or on the machine: the text that `config` shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct DerivedDefault(pub(super) fn(&Serve) -> Option<String>);

/// Words that `config` shows in place of a text that may be something else, such as a secret in the wrong place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Redaction(pub(super) fn(&str) -> Option<&'static str>);

/// Mark of a setting that names a file which nobody else should be able to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct SecretFile;

impl ArgExt for DerivedDefault {}
impl ArgExt for Redaction {}
impl ArgExt for SecretFile {}

impl Redaction {
    /// Redaction of a setting that names a file.
    pub(super) const OF_PATH: Self = Self(|text| names_no_file(text).then_some("(names no file, not shown)"));
}

/// The text of a row, its default included, unless it counts as none.
pub(super) fn text<'a>(arg: &Arg, matches: &'a ArgMatches) -> Option<Cow<'a, str>> {
    let text = matches.get_raw(arg.get_id().as_str())?.next()?.to_string_lossy();
    given(&text).is_some().then_some(text)
}

/// The names of the rows under a heading that were given.
#[cfg(feature = "sandbox")]
pub(super) fn given_under(heading: &str, command: &Command, matches: &ArgMatches) -> Vec<String> {
    let is_given = |arg: &&Arg| {
        arg.get_help_heading() == Some(heading)
            && matches.value_source(arg.get_id().as_str()) != Some(clap::parser::ValueSource::DefaultValue)
            && text(arg, matches).is_some()
    };
    command.get_arguments().filter(is_given).map(name).collect()
}

/// The names of the rows whose files hold a secret and can be read by every user of the machine.
pub(super) fn exposed_files(command: &Command, matches: &ArgMatches) -> Vec<String> {
    let is_file_exposed = |arg: &&Arg| {
        arg.get::<SecretFile>().is_some() && text(arg, matches).is_some_and(|path| is_exposed(Path::new(path.trim())))
    };
    command.get_arguments().filter(is_file_exposed).map(name).collect()
}

fn name(arg: &Arg) -> String {
    arg.get_id().as_str().to_uppercase()
}
