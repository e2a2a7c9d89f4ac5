//! Permission to see fields: the scopes that a caller holds, those that Auth0 granted to the gateway itself, and the one way to Auth0.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;

use super::Settings;
use super::error::{ErrorCode, GraphqlError, report};
use super::limits::Limiter;
use crate::auth::{Caller, Identity, Replacement, Scope, Scopes};
use crate::auth0::endpoints::Record;
use crate::auth0::{
    ApiRequest, BreakerStatus, BucketStatus, CallContext, Error, Fields, FleetStatus, ManagementApi,
    MisconfigurationError, PushError, RefusedFields, TokenStatus, UserId,
};
use crate::shared_state::SharedState;

/// The effect of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Permissions {
    /// The treatment of an operation that needs more than its caller holds.
    pub scope_mode: ScopeMode,
    /// True if `me` needs no `read:users`. It trusts that the issuer of the callers' tokens is the tenant that is read, so that a token's `sub` names
    /// the same user in both.
    pub self_access: bool,
}

/// The treatment of an operation that needs more scopes than its caller holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ScopeMode {
    /// A field that the caller may not see is null, with an error beside the answers of the others.
    #[default]
    Filter,
    /// Nothing of the operation runs.
    Reject,
}

/// The scopes by which fields are shown: those that the caller holds and, for what Auth0 guards itself, those that the gateway was granted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(crate) caller: Scopes,
    gateway: Scopes,
}

/// The want of a scope, by the caller or by the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MissingScopeError {
    pub(crate) scope: Scope,
    lacking: Party,
}

/// A party that holds scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Party {
    Caller,
    Gateway,
}

impl Authority {
    pub(crate) fn check(self, scope: Scope) -> Result<(), MissingScopeError> {
        if !self.caller.holds(scope) {
            Err(MissingScopeError { scope, lacking: Party::Caller })
        } else if !self.gateway.holds(scope) {
            Err(MissingScopeError { scope, lacking: Party::Gateway })
        } else {
            Ok(())
        }
    }
}

/// The authority of a caller where it is not known what the gateway was granted. Auth0 will say.
impl From<Scopes> for Authority {
    fn from(caller: Scopes) -> Self {
        Self { caller, gateway: ALL }
    }
}

const ALL: Scopes = Scopes::of(&Scope::ALL);

/// The scopes whose fields the gateway can read, of those that it was granted.
fn covered(granted: &[String]) -> Scopes {
    let is_granted = |name| granted.iter().any(|scope| scope == name);
    let covers = |scope: &Scope| match scope.facts().replacement {
        Replacement::Unasked => true,
        Replacement::Nothing => is_granted(scope.as_str()),
        Replacement::InPart(other) | Replacement::InFull(other) => is_granted(scope.as_str()) || is_granted(other),
    };
    Scope::ALL.into_iter().filter(covers).collect()
}

impl MissingScopeError {
    /// The error of a field that is denied. A scope that the gateway lacks is logged, as when Auth0 itself says so, which is how it is
    /// found out by the first call of all.
    pub(crate) fn report(self) -> GraphqlError {
        let Self { scope, lacking } = self;
        match lacking {
            Party::Caller => {
                let message = format!("This field needs the scope `{scope}`, which you do not hold.");
                GraphqlError::new(ErrorCode::Forbidden, message).with("scope", scope.as_str())
            }
            Party::Gateway => {
                let what = MisconfigurationError::MissingScope { needs_all: true };
                let missing_scopes = vec![scope.as_str().to_owned()];
                report(Error::Misconfigured { what, missing_scopes })
            }
        }
    }
}

/// The upstream, with the settings that it is read by. Its client is handed out by [`authorize`], [`authorize_all`], [`authorize_strictly`] and
/// [`authorize_self`] alone: without permission there is nothing to call.
pub(crate) struct Upstream {
    api: ManagementApi,
    settings: Settings,
    limiter: Limiter,
    /// Scopes that the token in use covers, kept since each operation asks several times, and they change with the token, once a day.
    covered: ArcSwapOption<CoveredScopes>,
}

/// The scopes that a grant covers.
struct CoveredScopes {
    granted: Arc<[String]>,
    covered: Scopes,
}

impl Upstream {
    pub(crate) fn new(api: ManagementApi, settings: Settings, limiter: Limiter) -> Self {
        Self { api, settings, limiter, covered: ArcSwapOption::empty() }
    }

    /// The scopes whose fields the gateway can read; all while that is not known.
    fn covered(&self) -> Scopes {
        let Some(granted) = self.api.token_status().and_then(|token| token.scopes) else { return ALL };
        if let Some(known) = &*self.covered.load()
            && Arc::ptr_eq(&known.granted, &granted)
        {
            return known.covered;
        }
        let covered = covered(&granted);
        self.covered.store(Some(Arc::new(CoveredScopes { granted, covered })));
        covered
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// State of the circuit breaker.
    pub(crate) fn breaker(&self) -> BreakerStatus {
        self.api.breaker()
    }

    /// Status of the access token in use; `None` before the first call.
    pub(crate) fn token_status(&self) -> Option<TokenStatus> {
        self.api.token_status()
    }

    /// The tenant's rate limits, as far as they are known.
    pub(crate) fn rate_limits(&self) -> Vec<BucketStatus> {
        self.api.rate_limits()
    }

    /// The replicas that those are shared with, if they are.
    pub(crate) fn fleet(&self) -> Option<FleetStatus> {
        self.api.fleet()
    }

    /// The state that replicas share, if they do.
    pub(crate) fn shared_state(&self) -> Option<&SharedState> {
        self.api.shared_state()
    }

    /// True while this replica reads logs for all that share.
    pub(crate) fn leads_tail(&self) -> bool {
        self.api.leads_tail()
    }

    /// Takes in logs that Auth0 has pushed. Nothing of them is handed out but by subscriptions.
    pub(crate) async fn push_logs(&self, body: &[u8]) -> Result<(), PushError> {
        self.api.push_logs(body).await
    }

    /// The names in `fields` that Auth0 turned out not to take.
    pub(crate) fn refused_fields(&self) -> Vec<RefusedFields> {
        self.api.refused_fields()
    }
}

/// The authority of a caller.
pub(crate) fn authority(upstream: &Upstream, caller: &Caller) -> Authority {
    Authority { caller: caller.authority(), gateway: upstream.covered() }
}

/// The way to Auth0, for callers who hold `scope`.
///
/// The gateway's own scopes come with its token, and that with the first call: it is not fetched ahead of that call only to learn them,
/// for Auth0's own refusal says the same at the price of one call in the life of a process.
pub(crate) fn authorize<'a>(
    upstream: &'a Upstream,
    caller: &Caller,
    scope: Scope,
) -> Result<&'a ManagementApi, GraphqlError> {
    authority(upstream, caller).check(scope).map_err(MissingScopeError::report)?;
    Ok(&upstream.api)
}

/// The same for callers who hold every one of `scopes`.
pub(crate) fn authorize_all<'a>(
    upstream: &'a Upstream,
    caller: &Caller,
    scopes: &[Scope],
) -> Result<&'a ManagementApi, GraphqlError> {
    scopes.iter().try_for_each(|scope| authorize(upstream, caller, *scope).map(|_| ()))?;
    Ok(&upstream.api)
}

/// The same where Auth0 takes the scope and nothing in its place, as it does for looking users up by their address:
/// <https://auth0.com/docs/api/management/v2/users-by-email/get-users-by-email>.
pub(crate) fn authorize_strictly<'a>(
    upstream: &'a Upstream,
    caller: &Caller,
    scope: Scope,
) -> Result<&'a ManagementApi, GraphqlError> {
    let api = authorize(upstream, caller, scope)?;
    let granted = api.token_status().and_then(|token| token.scopes);
    match granted {
        Some(granted) if !granted.iter().any(|granted| granted == scope.as_str()) => {
            Err(MissingScopeError { scope, lacking: Party::Gateway }.report())
        }
        _ => Ok(api),
    }
}

/// The way to the caller's own user, and to nothing else.
pub(crate) struct OwnUser<'a> {
    api: &'a ManagementApi,
    id: UserId,
}

impl OwnUser<'_> {
    /// Reads the user from `endpoint`.
    pub(crate) async fn read(
        &self,
        endpoint: &'static Record<UserId>,
        fields: &Fields,
        context: &CallContext,
    ) -> Result<Option<Bytes>, Error> {
        self.api.read(&ApiRequest::record(endpoint, &self.id, fields), context).await
    }
}

/// The way to the user whom the caller's token is for.
pub(crate) fn authorize_self<'a>(upstream: &'a Upstream, caller: &Caller) -> Result<OwnUser<'a>, GraphqlError> {
    let Upstream { api, settings, .. } = upstream;
    let id = match caller.identity() {
        Identity::Token { subject, .. } => own_id(subject),
        Identity::ApiKey { .. } => Err("`me` is the user whom an access token is for, and an API key is for none."),
        Identity::Anonymous => {
            Err("`me` is the user whom an access token is for: send one in `Authorization: Bearer …`.")
        }
    };
    let id = id.map_err(|message| GraphqlError::new(ErrorCode::Forbidden, message))?;
    match authority(upstream, caller).check(Scope::ReadUsers) {
        Err(MissingScopeError { lacking: Party::Caller, .. }) if settings.permissions.self_access => {}
        outcome => outcome.map_err(MissingScopeError::report)?,
    }
    Ok(OwnUser { api, id })
}

/// The user's id that a `sub` is. That of a client, which got its token for itself, is none: <https://auth0.com/docs/secure/tokens/json-web-tokens/json-web-token-claims>.
fn own_id(subject: &str) -> Result<UserId, &'static str> {
    let id = UserId::parse(subject).ok().filter(|id| id.as_str().contains('|'));
    id.ok_or("`me` is the user whom an access token is for, and yours is for a client.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_gateway_was_granted_covers_what_auth0_takes_it_for() {
        for (granted, expected) in [
            (
                &["read:users", "read:logs"][..],
                &[Scope::ReadUsers, Scope::ReadUsersAppMetadata, Scope::ReadLogs, Scope::ReadOrganizations][..],
            ),
            (&["read:roles", "read:sessions"], &[Scope::ReadUsersAppMetadata, Scope::ReadRoles, Scope::ReadSessions]),
            (&["read:user_idp_tokens"], &[Scope::ReadUsers, Scope::ReadUsersAppMetadata, Scope::ReadUserIdpTokens]),
            (&["read:logs_users", "update:users"], &[Scope::ReadUsersAppMetadata, Scope::ReadLogs]),
            (&[], &[Scope::ReadUsersAppMetadata]),
        ] {
            let granted: Vec<_> = granted.iter().map(|scope| (*scope).to_owned()).collect();
            assert_eq!(covered(&granted), Scopes::of(expected), "{granted:?}");
        }
    }

    #[test]
    fn who_lacks_a_scope_is_told_apart() {
        let users = Scopes::of(&[Scope::ReadUsers]);
        let check = |caller, gateway| Authority { caller, gateway }.check(Scope::ReadUsers);
        assert_eq!(check(users, users), Ok(()));
        assert_eq!(
            check(Scopes::default(), Scopes::default()),
            Err(MissingScopeError { scope: Scope::ReadUsers, lacking: Party::Caller })
        );
        assert_eq!(
            check(users, Scopes::default()),
            Err(MissingScopeError { scope: Scope::ReadUsers, lacking: Party::Gateway })
        );
        assert_eq!(Authority::from(users).check(Scope::ReadUsers), Ok(()));
    }

    #[test]
    fn only_a_user_has_an_id_of_their_own() {
        for subject in ["auth0|1", "samlp|corp|a/b==", "oidc|c|https://idp.example/1"] {
            assert_eq!(own_id(subject).map(|id| id.as_str().to_owned()), Ok(subject.to_owned()));
        }
        for subject in ["", "an-id@clients", "|\u{0}"] {
            assert!(own_id(subject).is_err(), "{subject}");
        }
    }
}
