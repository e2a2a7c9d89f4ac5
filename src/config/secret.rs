//! Secrets: a kind of setting that is given as it is, or by a file that holds it (`NAME_FILE`).

use std::fs::File;
use std::io::{self, Read as _};
use std::marker::PhantomData;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::builder::ValueParserFactory;
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};

use super::kinds::quoted;
use super::problems::Problem;
use super::setting::{Checked, GivenSetting, Setting};

/// Greatest size of a file that holds a setting, in bytes: keys and secrets are a few thousand at most.
const MAX_FILE_BYTES: u64 = 64 * 1024;

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
pub(super) struct SecretArg<S: Secret> {
    value: Checked<S::Kind>,
    exposed_file: bool,
}

impl<S: Secret> SecretArg<S> {
    /// Name of the setting whose file every user of the machine can read, if it is so.
    pub(super) fn exposed_file(&self) -> Option<String> {
        self.exposed_file.then(Self::file_name)
    }

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
            .value_parser(Checked::<InFile<S::Kind>>::value_parser());
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
        let exposed_file = file.value().is_some_and(|file| file.is_exposed);
        let value = match (plain.unwrap_or(Checked::Blank), file.unwrap_or(Checked::Blank)) {
            (plain, Checked::Blank) => plain,
            (Checked::Blank, Checked::Value(file)) => Checked::Value(file.value),
            (Checked::Blank, Checked::Problem(problem)) => Checked::Problem(problem),
            (_, Checked::Value(_) | Checked::Problem(_)) => {
                let fault = format!("is set beside {}: set one of the two", S::NAME);
                Checked::Problem(Problem::new(&Self::file_name(), fault))
            }
        };
        Ok(Self { value, exposed_file })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        Self::from_arg_matches(matches).map(|secret| *self = secret)
    }
}

impl<S: Secret> GivenSetting for SecretArg<S> {
    type Value = <S::Kind as Setting>::Value;

    fn value(&self) -> Option<Self::Value> {
        self.value.value()
    }

    fn problem(&self) -> Option<&Problem> {
        self.value.problem()
    }
}

/// A file that holds a setting of another kind.
pub(super) struct InFile<S>(PhantomData<S>);

/// Content of such a file.
#[derive(Clone)]
pub(super) struct FileContent<V> {
    pub(super) value: V,
    /// True if every user of the machine can read the file.
    pub(super) is_exposed: bool,
}

impl<S: Setting> Setting for InFile<S> {
    type Value = FileContent<S::Value>;

    fn parse(path: &str) -> Result<Self::Value, String> {
        let (text, is_exposed) =
            read(Path::new(path)).map_err(|error| format!("cannot be used: {} {error}", shown_path(path)))?;
        let text = text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line));
        if text.trim().is_empty() {
            return Err(format!("cannot be used: {} is empty", shown_path(path)));
        }
        Ok(FileContent { value: S::parse(text)?, is_exposed })
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

/// True if a text in a path's place may be a secret that was put there: it is long enough for one, and nothing is where it leads.
pub(super) fn names_no_file(text: &str) -> bool {
    const SHORTEST_SECRET: usize = 24;
    let path = Path::new(text);
    let is_in_folder = path.parent().is_some_and(|folder| folder != Path::new("") && folder.is_dir());
    let is_long = text.len() >= SHORTEST_SECRET || text.contains(char::is_control);
    is_long && !is_in_folder && !path.exists()
}

/// Time for whoever writes into a pipe, from which a secret may come as well as from a file.
const PIPE_WAIT: Duration = Duration::from_secs(2);

/// The text of a file, and whether every user of the machine can read it. The error completes a sentence that begins with the path.
fn read(path: &Path) -> Result<(String, bool), String> {
    if !path.exists() || path.is_file() {
        return read_file(path);
    }
    // Opening a pipe waits for its writer, who may never come.
    let (sender, receiver) = mpsc::channel();
    let path = path.to_owned();
    thread::spawn(move || sender.send(read_file(&path)));
    let seconds = PIPE_WAIT.as_secs();
    receiver
        .recv_timeout(PIPE_WAIT)
        .unwrap_or_else(|_| Err(format!("is no file, and nothing came from it in {seconds} s")))
}

fn read_file(path: &Path) -> Result<(String, bool), String> {
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    let file = File::open(path).map_err(unreadable)?;
    let is_exposed = is_exposed(&file).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err("is larger than 64 KiB".to_owned());
    }
    // The library's error would hold the bytes.
    let text = String::from_utf8(bytes).map_err(|_| "is not text in UTF-8".to_owned())?;
    Ok((text, is_exposed))
}

#[cfg(unix)]
fn is_exposed(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;

    let metadata = file.metadata()?;
    Ok(metadata.is_file() && metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_exposed(_: &File) -> io::Result<bool> {
    Ok(false)
}
