//! Check of the granted scopes: neither fewer nor more than the gateway needs. Pure.

use super::Token;
use super::report::{Check, ScopeRow, ScopeState};
use crate::auth::{Replacement, Scope, ScopeFacts, Scopes};

/// No scope of Auth0's is longer. One that came from elsewhere is not shown in full.
const LONGEST: usize = 80;

/// Most scopes that a sentence names.
const FEW: usize = 3;

/// The matrix: every scope that the schema knows, then every other that was granted. `holdable` are those that callers can hold; the
/// gateway needs no others.
pub(super) fn matrix(token: &Token, holdable: Scopes) -> Vec<ScopeRow> {
    let granted = granted(token);
    let is_granted = |name: &str| granted.is_some_and(|granted| granted.iter().any(|other| other == name));
    let known = Scope::ALL.into_iter().map(|scope| {
        let ScopeFacts { needed_for, is_required, replacement, .. } = *scope.facts();
        let is_of_use = holdable.holds(scope);
        let is_replaced = matches!(replacement, Replacement::InFull(other) if is_granted(other));
        let is_missing = is_required && is_of_use && !is_replaced;
        let state = match granted.map(|_| is_granted(scope.as_str())) {
            None => ScopeState::Unknown,
            Some(true) if is_of_use => ScopeState::Granted,
            Some(true) => ScopeState::Unused,
            Some(false) if is_missing => ScopeState::Missing,
            Some(false) => ScopeState::Optional,
        };
        ScopeRow { scope: scope.to_string(), needed_for: is_of_use.then_some(needed_for), state }
    });
    let others = granted.into_iter().flatten().filter(|name| Scope::parse(name).is_none()).map(|name| {
        let stands_for = |scope: &Scope| {
            matches!(scope.facts().replacement, Replacement::InFull(other) if other == name)
                && !is_granted(scope.as_str())
        };
        match Scope::ALL.into_iter().find(stands_for).filter(|scope| holdable.holds(*scope)) {
            Some(scope) => {
                let needed_for = Some(scope.facts().needed_for);
                ScopeRow { scope: shown(name), needed_for, state: ScopeState::Granted }
            }
            None => ScopeRow { scope: shown(name), needed_for: None, state: ScopeState::Unused },
        }
    });
    known.chain(others).collect()
}

pub(super) fn judge(token: &Token, matrix: &[ScopeRow]) -> Check {
    if !matches!(token, Some(Ok(_))) {
        return Check::skipped("scopes", "needs token");
    }
    if granted(token).is_none() {
        return Check::skipped("scopes", "Auth0 did not tell which scopes were granted");
    }
    let of = |state| matrix.iter().filter(|row| row.state == state).map(|row| row.scope.as_str()).collect::<Vec<_>>();
    let (missing, unused) = (of(ScopeState::Missing), of(ScopeState::Unused));
    let grants =
        "in Auth0's dashboard, under Applications > APIs > Auth0 Management API > Machine to Machine Applications,";
    match (missing.is_empty(), unused.is_empty()) {
        (true, true) => Check::ok("scopes", "all that are needed are granted, and no others"),
        (false, true) => {
            let remedy = format!("{grants} grant {}", few(&missing));
            Check::failed("scopes", format!("missing: {}", few(&missing)), Some(remedy))
        }
        (true, false) => {
            let remedy =
                format!("{grants} withdraw {}: whoever gets hold of the secret has no use of it then", few(&unused));
            Check::warning("scopes", format!("granted but unused: {}", few(&unused)), remedy)
        }
        (false, false) => {
            let finding = format!("missing: {}; granted but unused: {}", few(&missing), few(&unused));
            let remedy = format!("{grants} grant {} and withdraw {}", few(&missing), few(&unused));
            Check::failed("scopes", finding, Some(remedy))
        }
    }
}

fn granted(token: &Token) -> Option<&[String]> {
    token.as_ref()?.as_ref().ok()?.scopes.as_deref()
}

/// Fit for a terminal, whatever came in the answer.
fn shown(scope: &str) -> String {
    scope.chars().take(LONGEST).flat_map(char::escape_debug).collect()
}

fn few(scopes: &[&str]) -> String {
    match scopes.len().checked_sub(FEW) {
        None | Some(0) => scopes.join(", "),
        Some(more) => format!("{} and {more} more", scopes[..FEW].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::super::report::Status;
    use super::*;
    use crate::auth0::TokenStatus;

    fn token(scopes: Option<&str>) -> Token {
        let scopes = scopes.map(|scopes| scopes.split_whitespace().map(str::to_owned).collect());
        Some(Ok(TokenStatus { expires_at: DateTime::UNIX_EPOCH, scopes }))
    }

    /// The states of all scopes but those of users' lists, which the gateway can do without.
    fn states(scopes: &str, holdable: &[Scope]) -> Vec<ScopeState> {
        let is_of_lists = |row: &&ScopeRow| Scope::ALL[4..].iter().any(|scope| scope.as_str() == row.scope);
        let matrix = matrix(&token(Some(scopes)), Scopes::of(holdable));
        matrix.iter().filter(|row| !is_of_lists(row)).map(|row| row.state).collect()
    }

    #[test]
    fn the_scopes_of_users_lists_are_optional() {
        let matrix = matrix(&token(Some("read:roles")), Scopes::of(&Scope::ALL[..6]));
        let states: Vec<_> = matrix[4..].iter().map(|row| row.state).collect();
        assert_eq!(states[..2], [ScopeState::Granted, ScopeState::Optional]);
        assert!(states[2..].iter().all(|state| *state == ScopeState::Optional));
        assert!(matrix[4..6].iter().all(|row| row.needed_for.is_some()));
        assert!(matrix[6..].iter().all(|row| row.needed_for.is_none()));
    }

    #[test]
    fn what_no_caller_can_hold_is_of_no_use() {
        use ScopeState::{Granted, Missing, Optional, Unused};
        let all = "read:users read:users_app_metadata read:user_idp_tokens read:logs";
        let anonymous = &[Scope::ReadUsers, Scope::ReadUsersAppMetadata, Scope::ReadLogs];
        for (granted, holdable, expected) in [
            (all, &Scope::ALL[..], vec![Granted, Granted, Granted, Granted]),
            (all, anonymous, vec![Granted, Granted, Unused, Granted]),
            (all, &[Scope::ReadLogs], vec![Unused, Unused, Unused, Granted]),
            ("", &Scope::ALL, vec![Missing, Optional, Optional, Missing]),
            ("", &[Scope::ReadLogs], vec![Optional, Optional, Optional, Missing]),
            ("read:users read:logs_users", anonymous, vec![Granted, Optional, Optional, Optional, Granted]),
            ("read:users read:logs read:logs_users", anonymous, vec![Granted, Optional, Optional, Granted, Unused]),
            ("read:logs_users", &[Scope::ReadUsers], vec![Missing, Optional, Optional, Optional, Unused]),
            ("delete:users", &[], vec![Optional, Optional, Optional, Optional, Unused]),
        ] {
            assert_eq!(states(granted, holdable), expected, "{granted} {holdable:?}");
        }
    }

    #[test]
    fn a_long_list_is_told_in_short_and_every_name_is_fit_for_a_terminal() {
        let judged = |scopes| {
            let token = token(scopes);
            judge(&token, &matrix(&token, Scopes::of(&Scope::ALL)))
        };
        let check = judged(Some("read:users read:logs a:a b:b c:c d:d e:e"));
        assert_eq!(
            (check.status, check.finding.as_str()),
            (Status::Warning, "granted but unused: a:a, b:b, c:c and 2 more")
        );
        let check = judged(Some("read:users \u{1b}[31m"));
        assert_eq!(check.status, Status::Failed);
        assert_eq!(check.finding, "missing: read:logs; granted but unused: \\u{1b}[31m");
        assert_eq!(judged(None).status, Status::Skipped);
    }
}
