//! The log: what is recorded, in which form, to standard error.

mod line;
pub(crate) mod tally;

use std::fmt;
use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::TryInitError;

use self::line::{Json, Text};

/// What is logged, and how.
#[derive(Debug, Clone, Default)]
pub struct LogSettings {
    /// Which events are logged.
    pub filter: Filter,
    /// What a line looks like.
    pub format: Format,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// The form of that name, in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Which events are logged: the directives of a [`tracing_subscriber::EnvFilter`], checked. The default is `info`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(String);

/// Why a text is no [`Filter`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a level (off, error, warn, info, debug, trace) or a list such as warn,auth0_graphql=debug")]
pub struct FilterError;

impl Default for Filter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl Filter {
    /// Checks the directives.
    ///
    /// # Errors
    ///
    /// When they are of no form that the filter knows, or when a word stands where a level should. The library would take `inof` for a
    /// module of that name, and silence everything else.
    pub fn parse(directives: &str) -> Result<Self, FilterError> {
        // The library takes no space after a comma.
        let parts: Vec<_> = directives.split(',').map(str::trim).collect();
        let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
        let is_spelled_out = |part: &str| part.contains(['=', '[', ']', '{', '}', ':']);
        if !parts.iter().all(|part| is_level(part) || is_spelled_out(part)) {
            return Err(FilterError);
        }
        let directives = parts.join(",");
        EnvFilter::builder().parse(&directives).map_err(|_| FilterError)?;
        Ok(Self(directives))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Logs from now on, for the whole process.
///
/// # Errors
///
/// When something logs already.
pub fn init(settings: &LogSettings) -> Result<(), TryInitError> {
    use tracing_subscriber::util::SubscriberInitExt;

    let subscriber =
        tracing_subscriber::fmt().with_writer(io::stderr).with_env_filter(EnvFilter::new(settings.filter.to_string()));
    match settings.format {
        Format::Json => subscriber.fmt_fields(Json).event_format(Json).finish().try_init(),
        // In color.
        Format::Text if io::stderr().is_terminal() => subscriber.finish().try_init(),
        Format::Text => subscriber.with_ansi(false).fmt_fields(Text).event_format(Text).finish().try_init(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_level_or_a_list_of_modules() {
        for directives in [
            "off",
            "WARN",
            "info,auth0_graphql=debug",
            "warn, hyper=off",
            "auth0_graphql::auth0",
            "info,[request{id=7}]=trace",
        ] {
            assert!(Filter::parse(directives).is_ok(), "{directives}");
        }
        for directives in ["inof", "verbose", "info,chatty", "info=loud", "a=b=c"] {
            assert_eq!(Filter::parse(directives), Err(FilterError), "{directives:?}");
        }
    }
}
