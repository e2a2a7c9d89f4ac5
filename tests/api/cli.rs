//! The program as an operator meets it: commands, help, exit codes.

#[cfg(all(unix, feature = "sandbox"))]
mod export;
#[cfg(all(unix, feature = "sandbox"))]
mod health;
#[cfg(all(unix, feature = "sandbox"))]
mod lifecycle;
#[cfg(all(unix, feature = "sandbox"))]
mod log;
#[cfg(all(unix, feature = "sandbox"))]
mod running;
mod settings;
#[cfg(all(unix, feature = "sandbox"))]
mod tail;
#[cfg(all(unix, feature = "otlp", feature = "sandbox"))]
mod traces;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_auth0-graphql");

/// A run of the program in an empty folder, with an empty environment.
struct Run {
    command: Command,
    folder: PathBuf,
}

impl Run {
    /// `folder` is a name that no other test takes.
    fn new(folder: &str, arguments: &[&str]) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(folder);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(arguments).env_clear().current_dir(&folder);
        Self { command, folder }
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    fn dotenv(self, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.folder.join(".env"), text).unwrap();
        self
    }

    fn end(mut self) -> End {
        End::from(self.command.output().unwrap())
    }
}

/// The end of a run.
#[derive(Debug)]
struct End {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for End {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl End {
    #[track_caller]
    fn must_be_usage(self, parts: &[&str]) -> Self {
        assert_eq!(self.code, Some(64), "{self:#?}");
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in {self:#?}");
        }
        self
    }

    #[track_caller]
    fn must_show(self, rows: &[&[&str]]) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        for row in rows {
            let found = self
                .stdout
                .lines()
                .any(|line| line.split("  ").map(str::trim).filter(|part| !part.is_empty()).eq(row.iter().copied()));
            assert!(found, "{row:?} is not in {}", self.stdout);
        }
        self
    }

    #[track_caller]
    fn must_not_tell(self, secret: &str) {
        assert!(!format!("{self:?}").contains(secret), "{self:#?}");
    }
}

/// The names of all settings, as `--help` has them.
fn settings() -> Vec<String> {
    let help = Run::new("settings_of_help", &["--help"]).end().stdout;
    help.lines()
        .filter_map(|line| line.trim().strip_prefix("[env: ")?.strip_suffix(']'))
        .map(|setting| setting.split_once('=').map_or(setting, |(name, _)| name).to_owned())
        .collect()
}

const TENANT: &str = "AUTH0_DOMAIN=example.us.auth0.com\nAUTH0_CLIENT_ID=an-id\nAUTH0_CLIENT_SECRET=hush-hush\n";

#[cfg(feature = "sandbox")]
const COMMANDS: [&str; 8] = ["serve", "sandbox", "export", "tail", "schema", "doctor", "health", "config"];
#[cfg(not(feature = "sandbox"))]
const COMMANDS: [&str; 7] = ["serve", "export", "tail", "schema", "doctor", "health", "config"];

#[test]
fn help_tells_every_setting_and_command() {
    let settings = settings();
    assert_eq!(
        settings,
        [
            "AUTH0_DOMAIN",
            "AUTH0_CLIENT_ID",
            "AUTH0_CLIENT_SECRET",
            "AUTH0_CLIENT_SECRET_FILE",
            "AUTH0_CLIENT_ASSERTION_KEY_FILE",
            "AUTH0_CLIENT_ASSERTION_ALGORITHM",
            "AUTH0_AUDIENCE",
            "CACHE_TTL",
            "RATE_RESERVE",
            "TAIL_MAX_INTERVAL",
            "UPSTREAM_CALLS_PER_OPERATION",
            "HOST",
            "PORT",
            "ADMIN_ADDRESS",
            "ALLOWED_HOSTS",
            "CORS_ORIGINS",
            "CORS_HEADERS",
            "PLAYGROUND",
            "INGEST_TOKEN",
            "INGEST_TOKEN_FILE",
            "REQUEST_TIMEOUT",
            "MAX_BODY_BYTES",
            "SHUTDOWN_DELAY",
            "TLS_CERT",
            "TLS_KEY",
            "JWT_ISSUER",
            "JWT_AUDIENCE",
            "JWT_JWKS_URL",
            "API_KEYS",
            "API_KEYS_FILE",
            "ALLOW_ANONYMOUS",
            "SCOPE_MODE",
            "SELF_ACCESS",
            "MAX_CONNECTIONS",
            "MAX_CONCURRENT_REQUESTS",
            "RATE_LIMIT",
            "TRUSTED_PROXIES",
            "LIMITS",
            "MAX_COST",
            "MAX_DEPTH",
            "INTROSPECTION",
            "PERSISTED_QUERIES",
            "FEDERATION",
            "TRUSTED_DOCUMENTS",
            "TRUSTED_DOCUMENTS_MODE",
            "REDIS_URL",
            "REDIS_URL_FILE",
            "LOG",
            "LOG_FORMAT",
            "AUDIT_FILE",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        ]
    );
    let end = Run::new("help", &["--help"]).end();
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""));
    for setting in &settings {
        let flag = format!("--{}", setting.to_lowercase().replace('_', "-"));
        assert!(end.stdout.contains(&flag), "{flag}");
    }
    let commands =
        end.stdout.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What is indented deeper goes on with the line before.
    let commands = commands.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    let commands: Vec<_> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(commands, COMMANDS);
}

#[test]
fn help_never_shows_a_secret() {
    let end = Run::new("help_secret", &["--help"]).dotenv(TENANT).end();
    assert!(end.stdout.contains("example.us.auth0.com"));
    assert!(!end.stdout.contains("hush"));
}

#[test]
fn version_is_the_crate_s() {
    let end = Run::new("version", &["--version"]).end();
    assert_eq!(end.stdout, concat!("auth0-graphql ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(end.code, Some(0));
}

#[test]
fn schema_is_sdl() {
    let end = Run::new("schema", &["schema"]).end();
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""));
    assert!(end.stdout.contains("type Query"), "{}", end.stdout);
    assert!(end.stdout.ends_with("}\n"), "{:?}", end.stdout);
    let end = Run::new("subgraph", &["schema", "--federation"]).end();
    assert_eq!((end.code, end.stdout), (Some(0), auth0_graphql::graphql::subgraph_sdl()));
}

#[test]
fn wrong_usage_exits_64_as_wrong_settings_do() {
    for (case, arguments) in [
        &["--no-such-flag"][..],
        &["no-such-command"],
        &["serve", "--port"],
        &["serve", "--chaos"],
        &["sandbox", "--port", "http"],
        &["--port", "3000", "schema"],
    ]
    .into_iter()
    .enumerate()
    {
        Run::new(&format!("usage{case}"), arguments).end().must_be_usage(&["--help"]);
    }
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_text_is_wrong_usage() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let mut run = Run::new("not_text", &[]).dotenv(TENANT);
    run.command.env("PORT", OsStr::from_bytes(b"\xff"));
    run.end().must_be_usage(&["UTF-8"]);
}

#[test]
fn help_and_schema_do_without_a_good_dotenv() {
    for argument in ["--help", "--version", "schema"] {
        let end = Run::new(&format!("dotenv_idle{argument}"), &[argument]).dotenv("no such line").end();
        assert_eq!(end.code, Some(0), "{end:#?}");
    }
}
