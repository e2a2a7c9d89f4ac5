//! The door: read the settings, start the runtime, do what was asked, tell how it went.

mod banner;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use auth0_graphql::app::{App, Settings};
use auth0_graphql::auth;
use auth0_graphql::auth0;
use auth0_graphql::config::{self, ConfigError, Invocation, Serve, Server, Tenant};
use auth0_graphql::doctor::{self, Patient, Report, Status};
use auth0_graphql::graphql::{self, GatewayMode};
#[cfg(feature = "sandbox")]
use auth0_graphql::sandbox;
use auth0_graphql::telemetry;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::banner::{Banner, Callers};

// Measured: about a third of an operation's time against the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `EX_USAGE` of sysexits.h: the command or its settings are wrong.
const USAGE: u8 = 64;
/// `EX_UNAVAILABLE` of sysexits.h: the address cannot be listened on, or nothing listens where something should.
const UNAVAILABLE: u8 = 69;

/// For how long the playground's token is good, in seconds: longer than a sandbox is tried out at a stretch.
#[cfg(feature = "sandbox")]
const PLAYGROUND_TOKEN_LIFETIME: i64 = 30 * 86_400;

/// An error, with the code that the program exits with.
struct Failure {
    code: u8,
    error: anyhow::Error,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { code: 1, error: error.into() }
    }
}

// Not `#[tokio::main]`: reading the settings puts .env into the environment, which must happen before there are threads.
fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(Failure { code, error }) => {
            complain(&format!("auth0-graphql: {error:#}"));
            ExitCode::from(code)
        }
    }
}

fn run() -> Result<ExitCode, Failure> {
    let invocation = match config::read() {
        Ok(invocation) => invocation,
        Err(ConfigError::Usage(message)) => {
            // A reader who left (`--help | head`) is no failure.
            let _ = message.print();
            return Ok(if message.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS });
        }
        Err(error) => {
            return Err(Failure { code: USAGE, error: error.into() });
        }
    };
    match invocation {
        Invocation::Schema => print(&graphql::sdl())?,
        Invocation::Template(template) => print(&template)?,
        Invocation::Doctor { serve, json, strict } => {
            let report = match serve {
                Ok(serve) => block_on(examine(*serve))?,
                Err(problems) => Report::of_problems(&problems),
            };
            print(&if json { report.json()? } else { report.to_string() })?;
            return Ok(ExitCode::from(match report.status() {
                _ if report.is_of_settings() => USAGE,
                Status::Failed => 1,
                Status::Warning => u8::from(strict),
                Status::Ok | Status::Skipped => 0,
            }));
        }
        Invocation::Config { report, problems } => {
            print(&report)?;
            if let Some(problems) = problems {
                complain("");
                return Err(Failure { code: USAGE, error: problems.into() });
            }
        }
        Invocation::Serve(serve) => {
            telemetry::init(&serve.log)?;
            block_on(serve_graphql(*serve))?;
        }
        #[cfg(feature = "sandbox")]
        Invocation::SandboxToken { request, url } => block_on(print_token(request, url))?,
        #[cfg(feature = "sandbox")]
        Invocation::Sandbox(sandbox) => {
            telemetry::init(&sandbox.log)?;
            block_on(serve_sandbox(sandbox))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// On a single core threads would do nothing but hand work to each other, for an eighth of what an operation costs.
fn runtime() -> io::Result<Runtime> {
    let has_one_core = std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
    let mut builder = if has_one_core { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.enable_all().build()
}

fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = runtime().context("cannot start the async runtime")?;
    let outcome = runtime.block_on(future);
    // Dropping the runtime would wait for name look-ups that nobody waits for any more.
    runtime.shutdown_background();
    outcome
}

async fn serve_graphql(serve: Serve) -> Result<(), Failure> {
    // First, so that a signal that comes while starting is not lost.
    let shutdown = shutdown_signal()?;
    for warning in serve.warnings() {
        tracing::warn!("{warning}");
    }
    let tenant = open(serve.tenant).await?;
    let Server { address, mut http } = serve.server;
    let (playground, is_reachable) = (http.playground, !http.allowed_hosts.is_empty());
    let is_meant = serve.auth.allow_anonymous;
    let (auth, sandbox) = match tenant.tokens {
        // So that callers and their scopes can be tried out with nothing else to set up.
        Some(tokens) if serve.auth.tokens.is_none() => {
            let sandbox = tokens.issuer.to_string();
            http.playground_token = tenant.playground_token;
            (serve.auth.or_tokens(tokens), Some(sandbox))
        }
        _ => (serve.auth, None),
    };
    let callers = Callers::new(&auth, sandbox);
    let is_open = auth.admits_anonymous();
    let Serve { policy, limits, permissions, documents, .. } = serve;
    let settings =
        Settings { tenant: tenant.settings, mode: tenant.mode, policy, limits, auth, permissions, documents, http };
    let app = App::build(settings).context("cannot build the gateway")?;
    let listener = listen(address).await?;
    let address = listener.local_addr()?;
    let is_exposed = !address.ip().to_canonical().is_loopback();
    if is_open && is_meant {
        tracing::warn!(%address, "ALLOW_ANONYMOUS is yes: whoever reaches this address can read the tenant without credentials");
    }
    if is_open && is_exposed && !is_reachable {
        tracing::warn!(
            %address,
            "ALLOWED_HOSTS is empty: requests that name this machine otherwise than localhost are answered 421"
        );
    }
    tracing::info!(%address, "listening");
    let program = std::env::args().next().unwrap_or_else(|| "auth0-graphql".to_owned());
    let banner =
        Banner { program: &program, address, playground, tenant: &tenant.name, callers, people: tenant.people };
    print(&banner.text())?;
    app.serve(listener, shutdown).await;
    tracing::info!("stopped");
    Ok(())
}

async fn examine(serve: Serve) -> Result<Report, Failure> {
    let tenant = open(serve.tenant).await?;
    let auth = match tenant.tokens {
        Some(tokens) => serve.auth.or_tokens(tokens),
        None => serve.auth,
    };
    let Server { address, http } = serve.server;
    let patient =
        Patient { tenant: tenant.settings, policy: serve.policy, auth, address, patience: http.request_timeout };
    Ok(doctor::examine(patient).await.context("cannot examine the tenant")?)
}

/// A tenant that can be asked.
struct OpenTenant {
    settings: auth0::Settings,
    mode: GatewayMode,
    /// What it is, in a few words.
    name: String,
    /// Its people, as the banner shows them; empty for a real tenant.
    people: String,
    /// The access tokens that it issues for the gateway, if it is a sandbox.
    tokens: Option<auth::TokenSettings>,
    /// One of them, for somebody who may read everything.
    playground_token: Option<SecretString>,
    /// A sandbox stops when it is dropped.
    #[cfg(feature = "sandbox")]
    _sandbox: Option<sandbox::Sandbox>,
}

impl OpenTenant {
    fn real(settings: auth0::Settings) -> Self {
        Self {
            name: settings.domain.to_string(),
            people: String::new(),
            tokens: None,
            playground_token: None,
            settings,
            mode: GatewayMode::Tenant,
            #[cfg(feature = "sandbox")]
            _sandbox: None,
        }
    }
}

#[cfg(feature = "sandbox")]
async fn open(tenant: Tenant) -> Result<OpenTenant, Failure> {
    use std::net::Ipv4Addr;

    use auth0_graphql::sandbox::{GATEWAY_AUDIENCE, Sandbox, TokenRequest};

    let (options, ignored) = match tenant {
        Tenant::Auth0(settings) => return Ok(OpenTenant::real(settings)),
        Tenant::Sandbox { options, ignored } => (options, ignored),
    };
    for setting in ignored {
        tracing::warn!(setting, "ignored: the sandbox is served");
    }
    let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let sandbox = Sandbox::start(options, listener).await.context("cannot start the sandbox")?;
    let client = sandbox.client();
    let settings = auth0::Settings {
        domain: auth0::Domain::parse(&sandbox.url())?,
        audience: sandbox.audience(),
        client_id: client.id,
        client_secret: client.secret,
    };
    let tokens = auth::TokenSettings {
        issuer: auth::Issuer::parse(&sandbox.issuer())?,
        audiences: vec![GATEWAY_AUDIENCE.to_owned()],
        keys: None,
    };
    let scope = auth::Scope::ALL.map(auth::Scope::as_str).join(" ");
    let request = TokenRequest { scope, expires_in: PLAYGROUND_TOKEN_LIFETIME, ..TokenRequest::default() };
    let playground_token = request.send(&sandbox.url()).await.context("the sandbox issues no tokens")?;
    Ok(OpenTenant {
        settings,
        mode: GatewayMode::Sandbox,
        name: "sandbox, made up and in memory".to_owned(),
        people: banner::people(&sandbox.people()),
        tokens: Some(tokens),
        playground_token: Some(playground_token.into()),
        _sandbox: Some(sandbox),
    })
}

#[cfg(not(feature = "sandbox"))]
#[expect(clippy::unused_async, reason = "as the one with the sandbox")]
async fn open(tenant: Tenant) -> Result<OpenTenant, Failure> {
    let Tenant::Auth0(settings) = tenant;
    Ok(OpenTenant::real(settings))
}

#[cfg(feature = "sandbox")]
async fn serve_sandbox(serve: config::ServeSandbox) -> Result<(), Failure> {
    use auth0_graphql::sandbox::Sandbox;

    let shutdown = shutdown_signal()?;
    let listener = listen(serve.address).await?;
    let sandbox = Sandbox::start(serve.options, listener).await.context("cannot start the sandbox")?;
    print(&banner::sandbox_settings(&sandbox))?;
    shutdown.await;
    Ok(())
}

#[cfg(feature = "sandbox")]
async fn print_token(request: sandbox::TokenRequest, url: String) -> Result<(), Failure> {
    let token = request.send(&url).await.map_err(|error| Failure { code: UNAVAILABLE, error: error.into() })?;
    print(&format!("{token}\n"))?;
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| Failure {
        code: UNAVAILABLE,
        error: anyhow::anyhow!("cannot listen on {address}: {error}. --port takes another port"),
    })
}

/// Resolves when the program is asked to stop, by Ctrl-C or SIGTERM.
///
/// The handlers are set when this is called, not when the future is first polled.
#[cfg(unix)]
fn shutdown_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Resolves when the program is asked to stop, by Ctrl-C.
#[cfg(not(unix))]
fn shutdown_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// Writes to standard output. A reader who left (`schema | head`) is no failure; `print!` would panic.
fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// Writes a line to standard error. There is nowhere to report that it is closed.
fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
