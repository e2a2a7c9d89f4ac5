//! Settings: from flags, the environment and `.env`; missing and wrong ones.

use std::fs;

use auth0_graphql::http::{self, Connections};

use super::{Run, TENANT, settings};

#[test]
fn missing_settings_are_listed_all_at_once() {
    for arguments in [&[][..], &["serve"], &["config"]] {
        Run::new(&format!("missing{}", arguments.concat()), arguments).end().must_be_usage(&[
            "3 settings",
            "AUTH0_DOMAIN is missing",
            "AUTH0_CLIENT_ID is missing",
            "AUTH0_CLIENT_SECRET is missing",
        ]);
    }
}

#[test]
fn the_template_as_it_is_counts_as_missing() {
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/.env.template");
    Run::new("template", &[]).dotenv(fs::read_to_string(template).unwrap()).end().must_be_usage(&[
        "3 settings",
        "AUTH0_DOMAIN is missing",
        "AUTH0_CLIENT_ID is missing",
        "AUTH0_CLIENT_SECRET is missing",
    ]);
}

#[test]
fn the_template_is_printed_with_nothing_set_up() {
    let end =
        Run::new("template_printed", &["config", "--template"]).env("PORT", "nonsense").dotenv("no such line").end();
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""));
    assert_eq!(end.stdout, include_str!("../../../.env.template"));
}

#[test]
fn wrong_and_missing_settings_are_listed_together() {
    Run::new("wrong", &["--port", "http", "--playground", "maybe"])
        .env("AUTH0_CLIENT_ID", "an-id")
        .env("REQUEST_TIMEOUT", "forever")
        .dotenv("AUTH0_CLIENT_SECRET=hush-hush\nLOG=chatty\n")
        .end()
        .must_be_usage(&[
            "5 settings",
            "AUTH0_DOMAIN is missing",
            "PORT must",
            "PLAYGROUND must",
            "REQUEST_TIMEOUT must",
            "LOG cannot",
        ]);
}

#[test]
fn a_domain_that_is_no_plain_host_is_refused() {
    for (case, domain) in [
        "http://example.us.auth0.com",
        "https://example.us.auth0.com/api/v2/",
        "example.us.auth0.com/login",
        "someone@example.us.auth0.com",
        "example.us.auth0.com:8443",
        "example.us.auth0.com?a=b",
        "exa mple.com",
    ]
    .into_iter()
    .enumerate()
    {
        Run::new(&format!("domain{case}"), &[])
            .dotenv(TENANT)
            .env("AUTH0_DOMAIN", domain)
            .end()
            .must_be_usage(&["One setting", "\n  AUTH0_DOMAIN "]);
    }
}

#[test]
fn a_stand_in_for_auth0_on_loopback_is_accepted() {
    for (case, domain) in
        ["http://127.0.0.1:4000", "http://localhost:4000", "http://[::1]:4000"].into_iter().enumerate()
    {
        let audience = format!("{domain}/api/v2/");
        Run::new(&format!("loopback{case}"), &["config", "--auth0-domain", domain])
            .dotenv(TENANT)
            .end()
            .must_show(&[&["AUTH0_DOMAIN", domain, "flag"], &["AUTH0_AUDIENCE", &audience, "default"]]);
    }
}

#[cfg(not(feature = "sandbox"))]
#[test]
fn a_build_without_the_sandbox_says_so() {
    for (case, arguments) in [&["--sandbox"][..], &["sandbox"]].into_iter().enumerate() {
        Run::new(&format!("no_sandbox{case}"), arguments)
            .end()
            .must_be_usage(&["One setting", "sandbox is not part of this build"]);
    }
}

#[cfg(feature = "sandbox")]
#[test]
fn an_address_that_others_reach_is_refused_unless_it_is_meant() {
    for (case, host) in ["0.0.0.0", "::", "192.0.2.1"].into_iter().enumerate() {
        for tenant in ["", "--sandbox"] {
            let folder = format!("host{case}{tenant}");
            let arguments = ["serve", "--host", host, tenant];
            let arguments = arguments.split(|argument| argument.is_empty()).next().unwrap();
            Run::new(&folder, arguments).dotenv(TENANT).end().must_be_usage(&[
                "One setting",
                "\n  HOST cannot be",
                "ALLOW_ANONYMOUS=yes",
            ]);
        }
    }
    Run::new("host_meant", &["config", "--host", "0.0.0.0", "--allow-anonymous", "yes"])
        .dotenv(TENANT)
        .end()
        .must_show(&[
            &["HOST", "0.0.0.0", "flag"],
            &["PLAYGROUND", "off", "default"],
            &["INTROSPECTION", "off", "default"],
        ]);
}

#[test]
fn a_manifest_that_cannot_be_used_is_told_with_its_fault() {
    let run = Run::new("manifest", &["--trusted-documents", "manifest.json"]).dotenv(TENANT);
    fs::write(run.folder.join("manifest.json"), r#"{"a": 1}"#).unwrap();
    run.end().must_be_usage(&["One setting", "\n  TRUSTED_DOCUMENTS cannot be used: manifest.json is no manifest"]);
    Run::new("manifest_missing", &["config"])
        .env("TRUSTED_DOCUMENTS", "none.json")
        .env("TRUSTED_DOCUMENTS_MODE", "only")
        .dotenv(TENANT)
        .end()
        .must_be_usage(&["One setting", "TRUSTED_DOCUMENTS cannot be used: none.json cannot be read"]);
}

#[test]
fn config_tells_where_each_setting_comes_from_and_no_secret() {
    // They follow the machine.
    let http::Settings {
        connections: Connections { most: connections, .. }, max_concurrent_requests: requests, ..
    } = http::Settings::default();
    let end = Run::new("config", &["config", "--port", "4001"])
        .env("AUTH0_CLIENT_ID", "from-outside")
        .env("PORT", "4002")
        .env("LOG_FORMAT", "json")
        .dotenv(format!("{TENANT}PORT=4003\nHOST=::1\n"))
        .end()
        .must_show(&[
            &["AUTH0_DOMAIN", "example.us.auth0.com", ".env"],
            &["AUTH0_CLIENT_ID", "from-outside", "environment"],
            &["AUTH0_CLIENT_SECRET", "(set, not shown)", ".env"],
            &["AUTH0_AUDIENCE", "https://example.us.auth0.com/api/v2/", "default"],
            &["HOST", "::1", ".env"],
            &["PORT", "4001", "flag"],
            &["ADMIN_ADDRESS", "-", "not set"],
            &["JWT_ISSUER", "-", "not set"],
            &["API_KEYS", "-", "not set"],
            &["ALLOW_ANONYMOUS", "no", "default"],
            &["ALLOWED_HOSTS", "-", "not set"],
            &["CORS_ORIGINS", "-", "not set"],
            &["CORS_HEADERS", "-", "not set"],
            &["PLAYGROUND", "on", "default"],
            &["REQUEST_TIMEOUT", "10s", "default"],
            &["MAX_BODY_BYTES", "100000", "default"],
            &["SHUTDOWN_DELAY", "0s", "default"],
            &["MAX_CONNECTIONS", &connections.to_string(), "default"],
            &["MAX_CONCURRENT_REQUESTS", &requests.to_string(), "default"],
            &["RATE_LIMIT", "-", "not set"],
            &["TRUSTED_PROXIES", "-", "not set"],
            &["LIMITS", "enforce", "default"],
            &["INTROSPECTION", "on", "default"],
            &["TRUSTED_DOCUMENTS", "-", "not set"],
            &["LOG", "info", "default"],
            &["LOG_FORMAT", "json", "environment"],
        ]);
    assert!(!format!("{end:?}").contains("hush"));
    assert_eq!(end.stdout.lines().count(), settings().len());
}

#[test]
fn an_address_that_others_reach_is_fine_where_callers_show_credentials() {
    let hash = "0123456789abcdef".repeat(4);
    let callers = [
        (
            "JWT_ISSUER=https://example.us.auth0.com/\nJWT_AUDIENCE=https://gateway.example.com\n".to_owned(),
            "JWT_ISSUER",
        ),
        (format!("API_KEYS='reports:{hash}:read:logs read:users'\n"), "API_KEYS"),
    ];
    for (case, (settings, name)) in callers.into_iter().enumerate() {
        let end = Run::new(&format!("callers{case}"), &["config", "--host", "0.0.0.0"])
            .dotenv(format!("{TENANT}{settings}"))
            .end();
        let end = end.must_show(&[&["HOST", "0.0.0.0", "flag"], &["ALLOW_ANONYMOUS", "no", "default"]]);
        let row = end.stdout.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(row.ends_with(".env"), "{row}");
        end.must_not_tell(&hash);
    }
}

#[test]
fn a_secret_in_a_file_is_told_by_the_file_s_name_alone() {
    let run = Run::new("secret_file", &["config"])
        .dotenv(TENANT.replace("AUTH0_CLIENT_SECRET=hush-hush", "AUTH0_CLIENT_SECRET_FILE=secret"));
    fs::write(run.folder.join("secret"), "hush-hush\n").unwrap();
    run.end()
        .must_show(&[
            &["AUTH0_CLIENT_SECRET", "-", "not set"],
            &["AUTH0_CLIENT_SECRET_FILE", "secret", ".env"],
            &["AUTH0_CLIENT_ASSERTION_KEY_FILE", "-", "not set"],
        ])
        .must_not_tell("hush");

    let run = Run::new("secret_twice", &["--api-keys-file", "keys"])
        .env("API_KEYS", "hush")
        .dotenv(format!("{TENANT}AUTH0_CLIENT_ASSERTION_KEY_FILE=key.pem\n"));
    fs::write(run.folder.join("keys"), "hush").unwrap();
    fs::write(run.folder.join("key.pem"), "hush").unwrap();
    run.end()
        .must_be_usage(&[
            "3 settings",
            "AUTH0_CLIENT_ASSERTION_KEY_FILE is no RSA private key",
            "AUTH0_CLIENT_ASSERTION_KEY_FILE is set beside AUTH0_CLIENT_SECRET",
            "API_KEYS_FILE is set beside API_KEYS",
        ])
        .must_not_tell("hush");
}

#[test]
fn a_check_reads_everything_and_serves_nothing() {
    let end = Run::new("check", &["serve", "--check"]).dotenv(TENANT).end();
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{end:#?}");
    assert_eq!(end.stdout, "The settings are sound.\n");

    let run = Run::new("check_warned", &["serve", "--check"])
        .env("JWT_ISSUER", "https://login.example.com/")
        .env("JWT_AUDIENCE", "an-id")
        .dotenv(TENANT);
    let end = run.end();
    assert!(end.stdout.contains("\nWarning: JWT_AUDIENCE is AUTH0_CLIENT_ID"), "{end:#?}");

    let run = Run::new("check_wrong", &["serve", "--check", "--trusted-documents", "none.json"]);
    run.env("PORT", "http").dotenv(TENANT).end().must_be_usage(&[
        "2 settings",
        "PORT must",
        "none.json cannot be read",
    ]);
}

#[test]
fn an_issuer_without_an_audience_is_refused() {
    Run::new("no_audience", &["--jwt-issuer", "https://example.us.auth0.com/"])
        .dotenv(TENANT)
        .end()
        .must_be_usage(&["One setting", "\n  JWT_AUDIENCE is missing"]);
    let hash = "0123456789abcdef".repeat(4);
    Run::new("bad_api_keys", &[])
        .dotenv(format!("{TENANT}API_KEYS='reports:{hash}:update:users'\n"))
        .end()
        .must_be_usage(&["One setting", "\n  API_KEYS grants reports a scope"])
        .must_not_tell(&hash);
}

#[test]
fn config_shows_what_was_given_when_something_is_wrong() {
    let end = Run::new("config_wrong", &["config", "--port", "http"])
        .dotenv("AUTH0_CLIENT_SECRET='hush hush'\n")
        .end()
        .must_be_usage(&["4 settings", "AUTH0_CLIENT_SECRET holds", "PORT must"]);
    assert!(end.stdout.contains("http") && end.stdout.contains("(set, not shown)"), "{}", end.stdout);
    assert!(!format!("{end:?}").contains("hush"), "{end:#?}");
}

#[test]
fn a_password_in_a_url_is_not_told() {
    for (name, value) in [
        ("AUTH0_DOMAIN", "https://somebody:hush-hush@example.us.auth0.com"),
        ("AUTH0_DOMAIN", "somebody:hush@hush@example.us.auth0.com"),
        ("AUTH0_DOMAIN", "example.us.auth0.com/?password=hush-hush"),
        ("AUTH0_DOMAIN", "example.us.auth0.com:hush-hush"),
        ("AUTH0_DOMAIN", "example.us.auth0.com#hush-hush"),
        ("AUTH0_DOMAIN", "somebody:hush-hush\u{ff20}example.us.auth0.com"),
        ("AUTH0_AUDIENCE", "https://somebody:hush-hush@example.us.auth0.com/api/v2/"),
        ("JWT_ISSUER", "https://somebody:hush-hush@example.us.auth0.com/"),
        ("JWT_JWKS_URL", "https://somebody:hush-hush@example.us.auth0.com/keys"),
        ("CORS_ORIGINS", "https://somebody:hush-hush@example.com"),
    ] {
        for (case, arguments) in [&["config"][..], &["doctor"], &[]].into_iter().enumerate() {
            let folder = format!("password_{name}_{}_{case}", value.len());
            let end =
                Run::new(&folder, arguments).dotenv(TENANT.replace("hush-hush", "a-secret")).env(name, value).end();
            if name != "AUTH0_AUDIENCE" {
                assert_eq!(end.code, Some(64), "{end:#?}");
            }
            end.must_not_tell("hush");
        }
    }
}

#[test]
fn help_tells_no_value_of_the_environment() {
    let values = settings().into_iter().map(|name| (name, "https://somebody:hush-hush@example.com"));
    let values: Vec<_> = values.collect();
    for command in ["serve", "export", "tail", "doctor", "config", "health", ""] {
        for help in ["--help", "-h"] {
            let arguments: Vec<_> = [command, help].into_iter().filter(|word| !word.is_empty()).collect();
            let run = Run::new(&format!("help_{command}_{help}"), &arguments);
            let run = values.iter().fold(run, |run, (name, value)| run.env(name, value));
            let end = run.dotenv("AUTH0_DOMAIN=https://somebody:hush-hush@example.us.auth0.com\n").end();
            assert_eq!(end.code, Some(0), "{end:#?}");
            end.must_not_tell("hush");
        }
    }
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    Run::new("empty", &["config"]).env("PORT", "").dotenv(TENANT).end().must_show(&[&["PORT", "3000", "default"]]);
}

#[cfg(feature = "sandbox")]
#[test]
fn the_sandbox_needs_no_tenant() {
    Run::new("config_sandbox", &["config", "--sandbox", "--sandbox-plan", "free"]).dotenv(TENANT).end().must_show(&[
        &["AUTH0_DOMAIN", "example.us.auth0.com", "ignored with the sandbox"],
        &["AUTH0_CLIENT_SECRET", "(set, not shown)", "ignored with the sandbox"],
    ]);
}

#[test]
fn a_dotenv_that_cannot_be_read_is_told_without_its_text() {
    Run::new("dotenv_bad_line", &[])
        .dotenv("PORT=3000\nAUTH0_CLIENT_SECRET=hush hush\n")
        .end()
        .must_be_usage(&[".env line 2 "])
        .must_not_tell("hush");
    Run::new("dotenv_not_text", &[])
        .dotenv(b"AUTH0_CLIENT_SECRET=hush\xff\n")
        .end()
        .must_be_usage(&[".env cannot be read"])
        .must_not_tell("hush");
}

#[test]
fn a_dotenv_from_an_editor_with_a_byte_order_mark_is_read() {
    Run::new("dotenv_mark", &["config"])
        .dotenv(format!("\u{feff}{TENANT}").replace('\n', "\r\n"))
        .end()
        .must_show(&[&["AUTH0_DOMAIN", "example.us.auth0.com", ".env"]]);
}

#[cfg(unix)]
#[test]
fn a_secret_may_come_from_a_pipe_and_one_that_nobody_writes_to_is_told() {
    use std::process::Command;

    let run = |folder| {
        let run = Run::new(folder, &["serve", "--check"])
            .env("AUTH0_DOMAIN", "tenant.eu.auth0.com")
            .env("AUTH0_CLIENT_ID", "gateway")
            .env("AUTH0_CLIENT_SECRET_FILE", "secret");
        assert!(Command::new("mkfifo").arg(run.folder.join("secret")).status().unwrap().success());
        run
    };
    let silent = run("pipe-silent").end();
    silent.must_be_usage(&["AUTH0_CLIENT_SECRET_FILE", "is no file, and nothing came from it in 2 s"]);
    let written = run("pipe-written");
    let pipe = written.folder.join("secret");
    let writer = std::thread::spawn(|| fs::write(pipe, "a-secret-of-some-length\n"));
    let end = written.end();
    writer.join().unwrap().unwrap();
    assert_eq!(end.code, Some(0), "{}", end.stderr);
}
