//! The file `.env`: read whole before any of it counts.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::Path;
use std::{env, fs};

/// `.env` cannot be used. The error's text never holds the file's, for a secret may be on the very line that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum DotEnvError {
    /// The file is there and cannot be read as text.
    #[error(".env cannot be read: {0}. Mend the file, or remove it and set the environment instead")]
    Unreadable(std::io::Error),
    /// A line is not of the form that the file takes.
    #[error(
        ".env line {line} is not of the form NAME=value. A value with spaces, quotes, $, \\ or # goes into 'single quotes'"
    )]
    Line {
        /// Number of the line, counted from 1.
        line: usize,
    },
}

/// Puts the variables of `.env` in the working directory into the process's environment, and gives the names of those
/// that it had to supply: a variable that is set already keeps its value. No file is not an error.
///
/// Must run before there are threads, for they may be reading the environment. Folders above are not searched: which settings
/// are in effect must not depend on what lies around.
pub(super) fn load(path: &Path) -> Result<HashSet<String>, DotEnvError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(HashSet::new()),
        Err(error) => return Err(DotEnvError::Unreadable(error)),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let names = names(text)?;
    #[expect(clippy::disallowed_methods, reason = "this is the one place that loads .env")]
    let supplied = names.into_iter().filter(|name| env::var_os(name).is_none()).collect();
    dotenvy::from_read(text.as_bytes()).map_err(|error| explain(text, error))?;
    Ok(supplied)
}

/// The names that the file gives, or what is wrong with its first bad line.
fn names(text: &str) -> Result<Vec<String>, DotEnvError> {
    dotenvy::from_read_iter(text.as_bytes())
        .map(|variable| match variable {
            Ok((name, _)) => Ok(name),
            Err(error) => Err(explain(text, error)),
        })
        .collect()
}

fn explain(text: &str, error: dotenvy::Error) -> DotEnvError {
    match error {
        dotenvy::Error::Io(error) => DotEnvError::Unreadable(error),
        _ => DotEnvError::Line { line: first_bad_line(text) },
    }
}

/// The library tells the text of the bad line and not its number. A value may span lines, so a text that ends too early can be
/// bad while a longer one is good: the line after the longest good beginning is the one.
fn first_bad_line(text: &str) -> usize {
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(end, _)| end + 1));
    starts
        .take_while(|start| *start < text.len())
        .enumerate()
        .filter(|(_, start)| dotenvy::from_read_iter(&text.as_bytes()[..*start]).all(|line| line.is_ok()))
        .last()
        .map_or(1, |(lines_before, _)| lines_before + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        names(text).unwrap_err().to_string()
    }

    #[test]
    fn names_are_read_in_the_file_s_order() {
        let text = "# a comment\nAUTH0_DOMAIN=example.us.auth0.com\r\n\nexport PORT='3000' # why\nLOG=\n";
        assert_eq!(names(text).unwrap(), ["AUTH0_DOMAIN", "PORT", "LOG"]);
    }

    #[test]
    fn a_bad_line_is_told_by_its_number_and_not_by_its_text() {
        for (text, line) in [
            ("no equals sign", 1),
            ("A=1\nB=2\nAUTH0_CLIENT_SECRET=hush hush", 3),
            ("A=1\nAUTH0_CLIENT_SECRET='hush\nB=2\n", 2),
            ("A=1\n\n9=hush\n", 3),
            ("A=hu\\sh\n", 1),
            ("# a hush\nA='one\ntwo'\nB=a hush", 4),
        ] {
            let fault = fault(text);
            assert!(fault.starts_with(&format!(".env line {line} ")), "{text:?}: {fault}");
            assert!(!fault.contains("hush"), "{fault}");
        }
    }
}
