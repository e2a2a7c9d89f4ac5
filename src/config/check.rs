//! Checks that span several settings. Pure.

use super::args::ServeArgs;
use super::server::is_loopback;
use super::setting::GivenSetting as _;
use super::{Problems, Serve, Tenant};
use crate::auth::ApiKeys;
use crate::graphql::TrustedMode;

#[cfg(not(feature = "sandbox"))]
pub(super) const NO_SANDBOX: &str =
    "is not part of this build: build with the cargo feature `sandbox`, or name a tenant of your own";

/// Notes what is missing, and what does not go together.
pub(super) fn note_problems(args: &ServeArgs, problems: &mut Problems) {
    if args.sandbox.sandbox {
        #[cfg(not(feature = "sandbox"))]
        problems.add("--sandbox", NO_SANDBOX);
    } else {
        note_missing_tenant(args, problems);
    }
    note_exposed_host(args, problems);
    note_incomplete_tokens(args, problems);
    let (documents, callers) = (&args.documents, &args.callers);
    // With a sandbox, its tokens are taken.
    if callers.self_access.value() == Some(true) && !args.sandbox.sandbox && !callers.jwt_issuer.is_given() {
        problems.add(
            "SELF_ACCESS",
            "is on, but no access tokens are taken that could say who a caller is: set JWT_ISSUER and JWT_AUDIENCE",
        );
    }
    if documents.trusted_documents_mode.value() == Some(TrustedMode::Only) && !documents.trusted_documents.is_given() {
        problems
            .add("TRUSTED_DOCUMENTS", "is missing: with TRUSTED_DOCUMENTS_MODE=only nothing could be run without it");
    }
}

fn note_missing_tenant(args: &ServeArgs, problems: &mut Problems) {
    if !args.auth0.auth0_domain.is_given() {
        problems.add(
            "AUTH0_DOMAIN",
            "is missing: the tenant's domain, such as example.us.auth0.com (Auth0's dashboard > Applications > your \
             machine-to-machine application > Settings)",
        );
    }
    if !args.auth0.auth0_client_id.is_given() {
        problems.add(
            "AUTH0_CLIENT_ID",
            "is missing: the Client ID of a machine-to-machine application that is authorized for the Auth0 Management API",
        );
    }
    if !args.auth0.auth0_client_secret.is_given() && !args.auth0.auth0_client_assertion_key_file.is_given() {
        problems.add(
            "AUTH0_CLIENT_SECRET",
            "is missing: the Client Secret of the same application, or AUTH0_CLIENT_ASSERTION_KEY_FILE where it has a key",
        );
    }
}

fn note_exposed_host(args: &ServeArgs, problems: &mut Problems) {
    let callers = &args.callers;
    let takes_api_keys = callers.api_keys.value().is_some_and(|keys: ApiKeys| !keys.is_empty());
    let takes_credentials = callers.jwt_issuer.is_given() || callers.api_keys.problem().is_some() || takes_api_keys;
    let is_open = !takes_credentials && callers.allow_anonymous.value() != Some(true);
    let Some(host) = args.server.host.value().filter(|host| is_open && !is_loopback(*host)) else { return };
    problems.add(
        "HOST",
        format!(
            "cannot be {host}, which other machines can reach, while everyone who reaches the port can read the tenant: set JWT_ISSUER \
             and JWT_AUDIENCE, or API_KEYS, so that callers have to show credentials. Or leave it at 127.0.0.1, or set \
             ALLOW_ANONYMOUS=yes if something in front of the gateway keeps strangers out"
        ),
    );
}

fn note_incomplete_tokens(args: &ServeArgs, problems: &mut Problems) {
    let callers = &args.callers;
    let (issuer, audience) = (callers.jwt_issuer.is_given(), callers.jwt_audience.is_given());
    if issuer && !audience {
        problems.add(
            "JWT_AUDIENCE",
            "is missing: the identifier of the API that tokens have to be for. Without it, any token of JWT_ISSUER would do",
        );
    }
    if !issuer && (audience || callers.jwt_jwks_url.is_given()) {
        problems.add(
            "JWT_ISSUER",
            "is missing: the issuer whose tokens JWT_AUDIENCE and JWT_JWKS_URL are about, such as https://example.us.auth0.com/",
        );
    }
}

/// Sentences about settings that are allowed, and hardly meant.
pub(super) fn warnings(serve: &Serve) -> Vec<String> {
    let exposed = serve.exposed_files.iter().map(|setting| {
        format!("{setting} names a file that every user of this machine can read: take that right away (chmod o-r)")
    });
    exposed.chain(token_warnings(serve)).collect()
}

fn token_warnings(serve: &Serve) -> Vec<String> {
    let Some(tokens) = &serve.auth.tokens else { return Vec::new() };
    let (domain, client_id) = match &serve.tenant {
        Tenant::Auth0(settings) => (settings.domain.to_string(), Some(&settings.client_id)),
        #[cfg(feature = "sandbox")]
        Tenant::Sandbox { .. } => ("the sandbox".to_owned(), None),
    };
    let issuer = tokens.issuer.to_string();
    let is_of_another_tenant = issuer.trim_start_matches("https://").trim_end_matches('/') != domain;
    let self_access = (serve.permissions.self_access && is_of_another_tenant).then(|| {
        format!(
            "SELF_ACCESS is on, and JWT_ISSUER ({issuer}) is another domain than AUTH0_DOMAIN ({domain}): make sure that both are the same tenant"
        )
    });
    let id_tokens = client_id.is_some_and(|id| tokens.audiences.contains(id)).then(|| ID_TOKENS.to_owned());
    [self_access, id_tokens].into_iter().flatten().collect()
}

/// `aud` of an ID token is the client that it is for; of an access token, the API.
const ID_TOKENS: &str = "JWT_AUDIENCE is AUTH0_CLIENT_ID, a client's and no API's: with it ID tokens are taken, which are not meant for \
                         APIs and tell no scopes. Name the identifier of an API (Auth0's dashboard > Applications > APIs)";
