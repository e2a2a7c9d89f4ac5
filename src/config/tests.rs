//! Promises of the settings: of each by itself, of all together, and of what is made from their rows.

use clap::Arg;
use secrecy::ExposeSecret as _;

use super::*;
use crate::auth0::ClientAuthentication;

const TENANT: [&str; 6] =
    ["--auth0-domain", "example.us.auth0.com", "--auth0-client-id", "an-id", "--auth0-client-secret", "a-secret"];

const HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The settings of flags, whatever the environment of the tests holds.
fn parsed(flags: &[&str]) -> Result<Serve, Problems> {
    let command = Cli::command().mut_args(|arg| arg.env(None::<&'static str>));
    let matches = command.try_get_matches_from([&["auth0-graphql"], flags].concat()).unwrap();
    Serve::new(&Cli::from_arg_matches(&matches).unwrap().serve, &matches)
}

/// The settings of a tenant and these flags.
fn serve(flags: &[&str]) -> Result<Serve, Problems> {
    parsed(&[&TENANT, flags].concat())
}

#[track_caller]
fn must_be_told(flags: &[&str], expected: &[&str]) {
    let problems = parsed(flags).unwrap_err();
    let told: Vec<_> = problems.iter().map(|(setting, fault)| format!("{setting} {fault}")).collect();
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for expected in expected {
        assert!(told.iter().any(|told| told.contains(expected)), "{expected:?} is not in {told:#?}");
    }
    assert!(!problems.to_string().contains("hush"), "{problems}");
}

fn real(tenant: Tenant) -> Settings {
    match tenant {
        Tenant::Auth0(settings) => settings,
        #[cfg(feature = "sandbox")]
        Tenant::Sandbox { .. } => panic!("not the tenant that was named"),
    }
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn a_setting_s_flag_and_variable_are_of_the_same_name() {
    for arg in Cli::command().get_arguments() {
        if let Some(variable) = arg.get_env() {
            let flag = arg.get_long().unwrap().replace('-', "_").to_uppercase();
            assert_eq!(variable.to_str(), Some(flag.as_str()));
        }
    }
}

/// The bounds that a setting's help tells: from this to that.
fn bounds(arg: &Arg) -> Option<[String; 2]> {
    let help = arg.get_help()?.to_string();
    let (_, bounds) = help.split_once("from ")?;
    let mut words = bounds.split([' ', ';', ':', ',']).map(|word| word.trim_end_matches('.'));
    let (min, "to", max) = (words.next()?, words.next()?, words.next()?) else { return None };
    Some([min, max].map(str::to_owned))
}

#[test]
fn the_bounds_that_help_tells_are_those_that_hold() {
    let mut count = 0;
    for arg in Cli::command().get_arguments() {
        let Some([min, max]) = bounds(arg) else { continue };
        count += 1;
        let flag = format!("--{}", arg.get_long().unwrap());
        for bound in [&min, &max] {
            assert!(serve(&[&flag, bound]).is_ok(), "{flag} {bound}");
        }
        let beyond = max.replace(|c: char| c.is_ascii_digit(), "9") + if max.ends_with('s') { "" } else { "9" };
        let problems = serve(&[&flag, &beyond]).unwrap_err().to_string();
        assert!(problems.contains(&format!("from {min} to {max}")), "{flag} {beyond}: {problems}");
    }
    assert_eq!(count, 12);
}

#[test]
fn the_template_is_what_the_rows_make_it() {
    let made = template::template(&Cli::command());
    // `auth0-graphql config --template > .env.template` makes it anew.
    assert_eq!(made, include_str!("../../.env.template"));
}

#[test]
fn what_the_template_holds_is_not_filled_in_and_what_it_comments_out_is_the_default() {
    let mut flags = Vec::new();
    let template = template::template(&Cli::command());
    for line in template.lines().filter(|line| !line.starts_with("# ") && line.contains('=')) {
        let (name, value) = line.trim_start_matches('#').split_once('=').unwrap();
        flags.push(format!("--{}={value}", name.to_lowercase().replace('_', "-")));
    }
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    must_be_told(&flags, &["AUTH0_DOMAIN is missing", "AUTH0_CLIENT_ID is missing", "AUTH0_CLIENT_SECRET is missing"]);
    let flags: Vec<_> = flags.into_iter().filter(|flag| !flag.contains("=YOUR_")).collect();
    assert_eq!(format!("{:?}", serve(&flags).unwrap()), format!("{:?}", serve(&[]).unwrap()));
}

#[test]
fn three_settings_are_enough_and_the_rest_are_the_rooms_defaults() {
    let Serve { tenant, policy, limits, documents, server, auth, permissions, redis, log, exposed_files } =
        serve(&[]).unwrap();
    assert_eq!(exposed_files, [""; 0]);
    assert!(redis.is_none());
    assert_eq!(format!("{server:?}"), format!("{:?}", Server::default()));
    assert_eq!(format!("{policy:?}"), format!("{:?}", ClientPolicy::default()));
    assert_eq!(limits, Limits::default());
    assert_eq!(format!("{documents:?}"), format!("{:?}", DocumentSettings::default()));
    assert_eq!(auth, AuthSettings::default());
    assert_eq!(format!("{permissions:?}"), format!("{:?}", Permissions::default()));
    assert_eq!(format!("{log:?}"), format!("{:?}", LogSettings::default()));
    let settings = real(tenant);
    assert_eq!(settings.audience, "https://example.us.auth0.com/api/v2/");
    let ClientAuthentication::Secret(secret) = settings.authentication else { panic!("not a secret") };
    assert_eq!(secret.expose_secret(), "a-secret");
}

#[test]
fn every_fault_is_told() {
    let faults = [
        ("--auth0-domain", "YOUR_TENANT.us.auth0.com", "AUTH0_DOMAIN is missing"),
        ("--auth0-client-id", " ", "AUTH0_CLIENT_ID is missing"),
        ("--auth0-client-secret", "hush hush", "AUTH0_CLIENT_SECRET holds"),
        ("--redis-url", "http://hush@example.com", "REDIS_URL must be a URL such as redis://HOST:6379"),
        (
            "--auth0-client-assertion-key-file",
            "no/such.pem",
            "AUTH0_CLIENT_ASSERTION_KEY_FILE cannot be used: \"no/such.pem\"",
        ),
        (
            "--auth0-client-assertion-algorithm",
            "HS256",
            "AUTH0_CLIENT_ASSERTION_ALGORITHM must be RS256 or RS384 or PS256",
        ),
        ("--auth0-audience", "nonsense", "AUTH0_AUDIENCE must"),
        ("--cache-ttl", "61s", "CACHE_TTL must"),
        ("--rate-reserve", "1", "RATE_RESERVE must"),
        ("--tail-max-interval", "1ms", "TAIL_MAX_INTERVAL must"),
        ("--upstream-calls-per-operation", "0", "UPSTREAM_CALLS_PER_OPERATION must"),
        ("--host", "example.com", "HOST must"),
        ("--port", "http", "PORT must"),
        ("--admin-address", "localhost", "ADMIN_ADDRESS must"),
        ("--allowed-hosts", "https://example.com", "ALLOWED_HOSTS must"),
        ("--cors-origins", "example.com", "CORS_ORIGINS must"),
        ("--cors-headers", "*", "CORS_HEADERS must"),
        ("--playground", "maybe", "PLAYGROUND must be on or off"),
        ("--ingest-token", "hush", "INGEST_TOKEN must have 20 characters or more"),
        ("--request-timeout", "1h", "REQUEST_TIMEOUT must"),
        ("--max-body-bytes", "1", "MAX_BODY_BYTES must"),
        ("--shutdown-delay", "1h", "SHUTDOWN_DELAY must"),
        ("--jwt-issuer", "example.us.auth0.com", "JWT_ISSUER must"),
        ("--jwt-audience", " , ", "JWT_AUDIENCE must"),
        ("--jwt-jwks-url", "http://example.com/keys", "JWT_JWKS_URL must"),
        ("--api-keys", "hush-hush", "API_KEYS holds"),
        ("--allow-anonymous", "perhaps", "ALLOW_ANONYMOUS must be yes or no"),
        ("--scope-mode", "strict", "SCOPE_MODE must be filter or reject"),
        ("--self-access", "yes", "SELF_ACCESS must"),
        ("--max-connections", "0", "MAX_CONNECTIONS must"),
        ("--max-concurrent-requests", "many", "MAX_CONCURRENT_REQUESTS must"),
        ("--rate-limit", "fast", "RATE_LIMIT must"),
        ("--trusted-proxies", "a proxy", "TRUSTED_PROXIES must"),
        ("--limits", "off", "LIMITS must be enforce or measure"),
        ("--max-cost", "99", "MAX_COST must be a number from 100"),
        ("--max-depth", "16", "MAX_DEPTH must be a number from 3 to 15"),
        ("--introspection", "yes", "INTROSPECTION must be on or off"),
        ("--persisted-queries", "no", "PERSISTED_QUERIES must be on or off"),
        ("--federation", "yes", "FEDERATION must be on or off"),
        ("--trusted-documents", "no/such.json", "TRUSTED_DOCUMENTS cannot be used: no/such.json cannot be read"),
        ("--trusted-documents-mode", "never", "TRUSTED_DOCUMENTS_MODE must be prefer or only"),
        ("--log", "chatty", "LOG cannot"),
        ("--log-format", "xml", "LOG_FORMAT must be text or json or pretty"),
        ("--audit-file", "no/such/audit.log", "AUDIT_FILE must name a file in a folder that exists"),
        ("--otel-exporter-otlp-endpoint", "collector", "OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL"),
        ("--tls-cert", "no/such.pem", "TLS_CERT cannot be used: \"no/such.pem\" cannot be read"),
        ("--tls-key", "no/such.pem", "TLS_KEY cannot be used: \"no/such.pem\" cannot be read"),
    ];
    let flags: Vec<_> = faults.iter().flat_map(|(flag, text, _)| [*flag, *text]).collect();
    let both = "AUTH0_CLIENT_ASSERTION_KEY_FILE is set beside AUTH0_CLIENT_SECRET";
    must_be_told(&flags, &[&faults.map(|(_, _, fault)| fault)[..], &[both]].concat());
    let in_files = ["AUTH0_CLIENT_SECRET_FILE", "INGEST_TOKEN_FILE", "API_KEYS_FILE", "REDIS_URL_FILE"];
    let settings = Cli::command().get_arguments().filter(|arg| arg.get_env().is_some()).count();
    assert_eq!(settings, faults.len() + in_files.len(), "a setting is not among them");
}

#[test]
fn a_certificate_and_its_key_go_together() {
    let path = file("no.pem", "hush");
    must_be_told(&[&TENANT[..], &["--tls-cert", &path]].concat(), &["TLS_KEY is missing"]);
    must_be_told(&[&TENANT[..], &["--tls-key", &path]].concat(), &["TLS_CERT is missing"]);
    let both = [&TENANT[..], &["--tls-cert", &path, "--tls-key", &path]].concat();
    must_be_told(&both, &["TLS_CERT holds no certificate in PEM"]);
}

/// A file of a test's own.
fn file(name: &str, content: impl AsRef<[u8]>) -> String {
    let folder = std::env::temp_dir().join(format!("auth0-graphql-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn every_secret_may_be_in_a_file() {
    let command = Cli::command();
    for secret in command.get_arguments().filter(|arg| arg.is_hide_env_values_set()) {
        let file = format!("{}-file", secret.get_long().unwrap());
        assert!(command.get_arguments().any(|arg| arg.get_long() == Some(&file)), "{file}");
    }

    for (name, text) in [("lf", "a-secret\n"), ("crlf", "a-secret\r\n"), ("bare", "a-secret")] {
        let path = file(name, text);
        let settings = real(parsed(&[&TENANT[..4], &["--auth0-client-secret-file", &path]].concat()).unwrap().tenant);
        let ClientAuthentication::Secret(secret) = settings.authentication else { panic!("not a secret") };
        assert_eq!(secret.expose_secret(), "a-secret");
    }
    let keys = file("keys", format!("reports:{HASH}:read:logs,\nother:{}:read:users\n", "f".repeat(64)));
    assert!(serve(&["--api-keys-file", &keys]).unwrap().auth.takes_credentials());
}

#[test]
fn a_secret_in_the_place_of_its_file_is_not_shown() {
    let secret = "hush-".repeat(12);
    let fault = parsed(&[&TENANT[..4], &["--auth0-client-secret-file", &secret]].concat()).err().unwrap().to_string();
    assert!(fault.contains("AUTH0_CLIENT_SECRET_FILE cannot be used: a text that names no file"), "{fault}");
    assert!(!fault.contains("hush"), "{fault}");
}

#[test]
fn a_file_that_holds_no_secret_is_told_without_what_it_holds() {
    let large = "hush".repeat(17_000);
    for (name, text, fault) in [
        ("two-lines", &b"hush\nhush\n"[..], "holds a space"),
        ("empty", b"\n", "is empty"),
        ("large", large.as_bytes(), "is larger than 64 KiB"),
        ("binary", b"hush\xff", "is not text"),
    ] {
        let path = file(name, text);
        let flags = [&TENANT[..4], &["--auth0-client-secret-file", &path]].concat();
        let problems = parsed(&flags).unwrap_err().to_string();
        assert!(problems.contains("AUTH0_CLIENT_SECRET_FILE ") && problems.contains(fault), "{problems}");
        assert!(problems.starts_with("One setting") && !problems.contains("hush"), "{problems}");
    }
    let path = file("beside", "hush");
    let both = [&TENANT[..], &["--auth0-client-secret-file", &path]].concat();
    must_be_told(&both, &["AUTH0_CLIENT_SECRET_FILE is set beside AUTH0_CLIENT_SECRET: set one of the two"]);
}

#[cfg(unix)]
#[test]
fn a_secret_that_every_user_of_the_machine_can_read_is_warned_of() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    let path = file("exposed", "a-secret");
    let warnings = || parsed(&[&TENANT[..4], &["--auth0-client-secret-file", &path]].concat()).unwrap().warnings();
    for (mode, count) in [(0o600, 0), (0o640, 0), (0o644, 1)] {
        set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert_eq!(warnings().len(), count, "{mode:o}");
    }
    assert!(warnings()[0].starts_with("AUTH0_CLIENT_SECRET_FILE names a file that every user"), "{:?}", warnings());
}

#[test]
fn an_address_that_others_reach_must_be_meant() {
    let open = ["--host", "0.0.0.0"];
    must_be_told(&[&TENANT[..], &open].concat(), &["ALLOW_ANONYMOUS=yes"]);
    must_be_told(&[&TENANT[..], &open, &["--allow-anonymous", "no"]].concat(), &["JWT_ISSUER"]);
    let serve = serve(&[&open[..], &["--allow-anonymous", "yes"]].concat()).unwrap();
    assert_eq!(serve.server.address, SocketAddr::from(([0, 0, 0, 0], 3000)));
    assert!(!serve.server.http.playground, "strangers get no playground unasked");
    assert!(!serve.documents.introspection, "nor the schema");
}

#[test]
fn an_address_that_others_reach_is_fine_where_credentials_are_needed() {
    let keys = format!("reports:{HASH}:read:logs");
    assert!(!serve(&["--host", "0.0.0.0", "--api-keys", &keys]).unwrap().auth.admits_anonymous());
    must_be_told(&[&TENANT[..], &["--host", "0.0.0.0", "--api-keys", ","]].concat(), &["HOST cannot be 0.0.0.0"]);
}

#[test]
fn an_audience_of_its_own_goes_with_a_custom_domain() {
    let audience = "https://example.us.auth0.com/api/v2/";
    let serve = serve(&["--auth0-audience", audience]).unwrap();
    assert_eq!(real(serve.tenant).audience, audience);
}

#[cfg(feature = "sandbox")]
#[test]
fn the_sandbox_needs_no_tenant_and_says_what_it_ignores() {
    let Serve { tenant, .. } = parsed(&["--sandbox", "--auth0-client-id", "YOUR_CLIENT_ID"]).unwrap();
    assert!(matches!(tenant, Tenant::Sandbox { ignored, .. } if ignored.is_empty()));
    let Serve { tenant, .. } = serve(&["--sandbox"]).unwrap();
    let Tenant::Sandbox { ignored, .. } = tenant else { panic!("not the sandbox") };
    assert_eq!(ignored, ["AUTH0_DOMAIN", "AUTH0_CLIENT_ID", "AUTH0_CLIENT_SECRET"]);
    // By the names that they were given under.
    let by_file =
        ["--sandbox", "--auth0-client-secret-file", "/dev/null", "--auth0-client-assertion-algorithm", "RS384"];
    let Serve { tenant, .. } = parsed(&by_file).unwrap();
    let Tenant::Sandbox { ignored, .. } = tenant else { panic!("not the sandbox") };
    assert_eq!(ignored, ["AUTH0_CLIENT_SECRET_FILE", "AUTH0_CLIENT_ASSERTION_ALGORITHM"]);
}

#[test]
fn an_issuer_and_an_audience_go_together() {
    let issuer = "https://example.us.auth0.com/";
    for (issuer, audience, keys, fault) in [
        ("", "", "", None),
        (issuer, "https://gateway.example.com", "", None),
        (issuer, "a, b", "https://example.com/keys", None),
        (issuer, "", "", Some("JWT_AUDIENCE is missing")),
        ("", "a", "", Some("JWT_ISSUER is missing")),
        ("", "", "https://example.com/keys", Some("JWT_ISSUER is missing")),
        ("https://example.us.auth0.com", "a", "", Some("JWT_ISSUER must end with a slash")),
        ("http://example.com/", "a", "", Some("JWT_ISSUER must begin with https://")),
        (issuer, "a", "example.com/keys", Some("JWT_JWKS_URL must be a URL")),
        (issuer, "a b", "", Some("JWT_AUDIENCE must")),
    ] {
        let flags = ["--jwt-issuer", issuer, "--jwt-audience", audience, "--jwt-jwks-url", keys];
        match fault {
            None => assert_eq!(serve(&flags).unwrap().auth.takes_credentials(), !issuer.is_empty()),
            Some(fault) => must_be_told(&[&TENANT[..], &flags].concat(), &[fault]),
        }
    }
}

#[test]
fn credentials_are_needed_once_they_are_set_up_unless_anonymous_callers_are_meant() {
    let tokens = ["--jwt-issuer", "https://example.us.auth0.com/", "--jwt-audience", "a,b"];
    let auth = serve(&tokens).unwrap().auth;
    assert!(!auth.admits_anonymous());
    assert_eq!(auth.tokens.unwrap().audiences, ["a", "b"]);
    assert!(serve(&[&tokens[..], &["--allow-anonymous", "yes"]].concat()).unwrap().auth.admits_anonymous());
    assert!(serve(&[]).unwrap().auth.admits_anonymous());
}

#[test]
fn self_access_needs_tokens_to_tell_who_somebody_is() {
    let tokens = ["--jwt-issuer", "https://example.us.auth0.com/", "--jwt-audience", "a"];
    assert!(serve(&[&tokens[..], &["--self-access", "on"]].concat()).unwrap().permissions.self_access);
    must_be_told(&[&TENANT[..], &["--self-access", "on"]].concat(), &["SELF_ACCESS is on, but"]);
    #[cfg(feature = "sandbox")]
    assert!(parsed(&["--sandbox", "--self-access", "on"]).unwrap().permissions.self_access);
}

#[test]
fn trust_in_nothing_is_refused() {
    let flags = [&TENANT[..], &["--trusted-documents-mode", "only"]].concat();
    must_be_told(&flags, &["TRUSTED_DOCUMENTS is missing"]);
}

#[test]
fn what_is_hardly_meant_is_warned_of() {
    let warnings = |issuer: &str, audience: &str, self_access: &str| {
        let tokens = ["--jwt-issuer", issuer, "--jwt-audience", audience, "--self-access", self_access];
        serve(&tokens).unwrap().warnings()
    };
    let (own, other) = ("https://example.us.auth0.com/", "https://other.example.com/");
    assert!(warnings(own, "https://gateway.example.com", "on").is_empty());
    assert!(warnings(other, "https://gateway.example.com", "off").is_empty());
    let [self_access] = &warnings(other, "a", "on")[..] else { panic!("not one") };
    assert!(self_access.contains("SELF_ACCESS is on, and JWT_ISSUER (https://other.example.com/)"), "{self_access}");
    let [id_tokens] = &warnings(own, "https://gateway.example.com,an-id", "on")[..] else { panic!("not one") };
    assert!(id_tokens.contains("JWT_AUDIENCE is AUTH0_CLIENT_ID"), "{id_tokens}");
}
