//! The command that goes on where another ended, as a shell takes it.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::kinds::without_credentials;

/// A command as it was given, but for the place to begin at and for secrets.
#[derive(Debug, Default)]
pub struct GivenCommand {
    words: Vec<String>,
    /// The names of the settings that were given as flags and are not repeated.
    secrets: Vec<String>,
}

impl GivenCommand {
    /// The subcommand of this name as `matches` have it, without the flag `position`.
    pub(super) fn of(program: &Command, matches: &ArgMatches, name: &str, position: &str) -> Self {
        let mut given = Self { words: vec![super::program_name(), name.to_owned()], secrets: Vec::new() };
        if let Some((command, matches)) = program.find_subcommand(name).zip(matches.subcommand_matches(name)) {
            for arg in command.get_arguments().filter(|arg| arg.get_long() != Some(position)) {
                given.add(arg, matches);
            }
        }
        given
    }

    fn add(&mut self, arg: &Arg, matches: &ArgMatches) {
        let id = arg.get_id().as_str();
        if matches.value_source(id) != Some(ValueSource::CommandLine) {
            return;
        }
        let flag = arg.get_long().map(|long| format!("--{long}"));
        if !arg.get_action().takes_values() {
            self.words.extend(flag);
            return;
        }
        for values in matches.get_raw_occurrences(id).into_iter().flatten() {
            let values: Vec<_> = values.map(|value| value.to_string_lossy().into_owned()).collect();
            let value = values.join(",");
            let is_setting = arg.get_env().is_some();
            if arg.is_hide_env_values_set() || (is_setting && without_credentials(&value) != value) {
                self.secrets.push(id.to_uppercase());
                continue;
            }
            match &flag {
                Some(flag) if value.starts_with('-') => self.words.push(format!("{flag}={value}")),
                Some(flag) => self.words.extend([flag.clone(), value]),
                None => self.words.push(value),
            }
        }
    }

    /// The command that goes on at `position`, which `flag` takes.
    #[must_use]
    pub fn resumed(&self, flag: &str, position: &str) -> String {
        let words = self.words.iter().map(String::as_str).chain([flag, position]);
        words.map(quoted).collect::<Vec<_>>().join(" ")
    }

    /// A sentence about what that command lacks: secrets that were flags of this one.
    #[must_use]
    pub fn secrets(&self) -> Option<String> {
        let names = self.secrets.join(", ");
        (!names.is_empty()).then(|| format!("A secret is not repeated here. Set in the environment: {names}"))
    }
}

/// A word of a shell's command line.
fn quoted(word: &str) -> String {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b',' | b':' | b'=');
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use clap::ArgAction;

    use super::*;

    #[test]
    fn a_shell_takes_a_word_for_what_it_is() {
        for (word, expected) in [("users", "users"), ("", "''"), ("a b", "'a b'"), ("it's $HOME", r"'it'\''s $HOME'")] {
            assert_eq!(quoted(word), expected);
        }
    }

    /// A program with one command, of which `--key` is a secret and `--url` a setting.
    fn program() -> Command {
        let option = |name: &'static str| Arg::new(name).long(name).action(ArgAction::Append);
        let command = Command::new("export")
            .arg(Arg::new("records").required(true))
            .arg(option("q").allow_hyphen_values(true))
            .arg(option("fields").value_delimiter(','))
            .arg(option("after"))
            .arg(option("format").default_value("ndjson"))
            .arg(option("key").env("KEY").hide_env_values(true))
            .arg(option("url").env("URL"))
            .arg(Arg::new("sandbox").long("sandbox").action(ArgAction::SetTrue));
        Command::new("program").subcommand(command)
    }

    /// The command that goes on, without the program's name, and the secrets that it lacks.
    fn resumed(words: &[&str]) -> (String, String) {
        let matches = program().try_get_matches_from([&["program", "export"], words].concat()).unwrap();
        let mut given = GivenCommand::of(&program(), &matches, "export", "after");
        given.words.remove(0);
        (given.resumed("--after", "9"), given.secrets().unwrap_or_default())
    }

    #[test]
    fn a_command_goes_on_with_all_that_it_was_given_but_the_place_and_secrets() {
        for (words, expected, secrets) in [
            (
                &["--q", "a@b c", "users", "--fields", "email,name", "--sandbox", "--after", "1"][..],
                "export users --q 'a@b c' --fields email,name --sandbox --after 9",
                "",
            ),
            (&["--q=-x", "users", "--q", "y"], "export users --q=-x --q y --after 9", ""),
            (
                &["users", "--format=csv", "--key", "hush", "--url", "https://a:hush@b.example"],
                "export users --format csv --after 9",
                "A secret is not repeated here. Set in the environment: KEY, URL",
            ),
            (
                &["users", "--url", "https://b.example/graphql"],
                "export users --url https://b.example/graphql --after 9",
                "",
            ),
        ] {
            assert_eq!(resumed(words), (expected.to_owned(), secrets.to_owned()));
        }
    }
}
