//! The settings that say who may call, and how they fit together. Pure.

use super::Problems;
use super::args::CallerArgs;
use super::check::{exposed, optional};
use super::parse::{self, given};
use crate::auth::{ApiKeys, Issuer, SecureUrl, Settings, TokenSettings};
use crate::graphql::{Permissions, ScopeMode};

pub(super) fn check(args: &CallerArgs, problems: &mut Problems) -> Settings {
    let api_keys = optional(problems, "API_KEYS", exposed(args.api_keys.as_ref()), |text| {
        ApiKeys::parse(text).map_err(|error| error.to_string())
    });
    let allow_anonymous =
        optional(problems, "ALLOW_ANONYMOUS", args.allow_anonymous.as_deref(), |text| parse::switch(text, "yes", "no"));
    Settings {
        tokens: tokens(args, problems),
        api_keys: api_keys.unwrap_or_default(),
        allow_anonymous: allow_anonymous.unwrap_or(false),
    }
}

pub(super) fn permissions(args: &CallerArgs, sandbox: bool, problems: &mut Problems) -> Permissions {
    let rejects =
        optional(problems, "SCOPE_MODE", args.scope_mode.as_deref(), |text| parse::switch(text, "reject", "filter"));
    let self_access =
        optional(problems, "SELF_ACCESS", args.self_access.as_deref(), |text| parse::switch(text, "on", "off"));
    // With a sandbox, its tokens are taken.
    if self_access == Some(true) && !sandbox && given(args.jwt_issuer.as_deref()).is_none() {
        problems.add(
            "SELF_ACCESS",
            "is on, but no access tokens are taken that could say who a caller is: set JWT_ISSUER and JWT_AUDIENCE",
        );
    }
    Permissions {
        scope_mode: if rejects == Some(true) { ScopeMode::Reject } else { ScopeMode::Filter },
        self_access: self_access.unwrap_or(false),
    }
}

fn tokens(args: &CallerArgs, problems: &mut Problems) -> Option<TokenSettings> {
    let issuer = optional(problems, "JWT_ISSUER", args.jwt_issuer.as_deref(), |text| {
        Issuer::parse(text).map_err(|error| format!("{error}, not {}", parse::quoted(text)))
    });
    let audiences = optional(problems, "JWT_AUDIENCE", args.jwt_audience.as_deref(), parse::audiences);
    let keys = optional(problems, "JWT_JWKS_URL", args.jwt_jwks_url.as_deref(), |text| {
        SecureUrl::parse(text).map_err(|error| format!("{error}, not {}", parse::quoted(text)))
    });
    let is_given = |text: &Option<String>| given(text.as_deref()).is_some();
    if is_given(&args.jwt_issuer) && !is_given(&args.jwt_audience) {
        problems.add(
            "JWT_AUDIENCE",
            "is missing: the identifier of the API that tokens have to be for. Without it, any token of JWT_ISSUER would do",
        );
    }
    if !is_given(&args.jwt_issuer) && (is_given(&args.jwt_audience) || is_given(&args.jwt_jwks_url)) {
        problems.add(
            "JWT_ISSUER",
            "is missing: the issuer whose tokens JWT_AUDIENCE and JWT_JWKS_URL are about, such as https://example.us.auth0.com/",
        );
    }
    Some(TokenSettings { issuer: issuer?, audiences: audiences?, keys })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(issuer: &str, audience: &str, keys: &str) -> CallerArgs {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        CallerArgs {
            jwt_issuer: some(issuer),
            jwt_audience: some(audience),
            jwt_jwks_url: some(keys),
            ..CallerArgs::default()
        }
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
            let mut problems = Problems::default();
            let settings = check(&args(issuer, audience, keys), &mut problems);
            match fault {
                None => {
                    assert_eq!(problems, Problems::default(), "{issuer} {audience} {keys}");
                    assert_eq!(settings.takes_credentials(), !issuer.is_empty());
                }
                Some(fault) => {
                    let problems = problems.to_string();
                    assert!(problems.contains(&format!("\n  {fault}")), "{fault}: {problems}");
                    assert!(problems.starts_with("One setting"), "{problems}");
                }
            }
        }
    }

    #[test]
    fn credentials_are_needed_once_they_are_set_up_unless_anonymous_callers_are_meant() {
        let mut args = args("https://example.us.auth0.com/", "a,b", "");
        let settings = |args: &CallerArgs| check(args, &mut Problems::default());
        assert!(!settings(&args).admits_anonymous());
        assert_eq!(settings(&args).tokens.unwrap().audiences, ["a", "b"]);
        args.allow_anonymous = Some("yes".to_owned());
        assert!(settings(&args).admits_anonymous());
        assert!(settings(&CallerArgs::default()).admits_anonymous());
    }

    #[test]
    fn self_access_needs_tokens_to_tell_who_somebody_is() {
        let permissions = |issuer: &str, sandbox| {
            let mut problems = Problems::default();
            let args = CallerArgs { self_access: Some("on".to_owned()), ..args(issuer, issuer, "") };
            let Permissions { self_access, .. } = permissions(&args, sandbox, &mut problems);
            assert!(self_access);
            problems.is_empty()
        };
        assert!(permissions("https://example.us.auth0.com/", false));
        assert!(permissions("", true));
        assert!(!permissions("", false));
    }
}
