//! Auth0's log types: what each one is called, and what it says of the outcome.

use super::outcome::LogOutcome::{self, Failure, Other, Success, Warning};

/// Auth0's name of `code`. The set is open: an unknown code has no description.
pub(crate) fn description(code: &str) -> Option<&'static str> {
    find(code).map(|&(_, _, description)| description)
}

/// The outcome that `code` stands for. Never guessed from its letters: `signup_pwd_leak` starts with an `s` and is a failure.
pub(crate) fn outcome(code: &str) -> LogOutcome {
    find(code).map_or(Other, |&(_, outcome, _)| outcome)
}

/// The known codes, and what each says of the outcome.
pub(crate) fn codes() -> impl Iterator<Item = (&'static str, LogOutcome)> {
    LOG_TYPES.iter().map(|&(code, outcome, _)| (code, outcome))
}

fn find(code: &str) -> Option<&'static (&'static str, LogOutcome, &'static str)> {
    let at = LOG_TYPES.binary_search_by_key(&code, |&(code, ..)| code).ok()?;
    LOG_TYPES.get(at)
}

/// Sorted by code. Codes and descriptions: <https://auth0.com/docs/deploy-monitor/logs/log-event-type-codes>. Outcomes: the
/// grouping of the dashboard's filters (<https://auth0.com/docs/deploy-monitor/logs/log-event-filters>); for types that are
/// not in it, the category under which Auth0 documents the event; for those without one, the event's own name.
#[rustfmt::skip]
static LOG_TYPES: &[(&str, LogOutcome, &str)] = &[
    ("acls_summary", Other, "Network ACLs Summary"),
    ("actions_execution_failed", Failure, "Actions Execution Failed"),
    ("acul_sdk_notice", Other, "ACUL SDK Notice"),
    ("admin_update_launch", Success, "Auth0 Update Launched"),
    ("api_limit", Failure, "Rate Limit on the Authentication or Management APIs"),
    ("api_limit_warning", Warning, "Rate Limit Warning on the Authentication or Management APIs"),
    ("appi", Other, "Notice for API Peak Performance initiated"),
    ("ciba_exchange_failed", Failure, "Failed CIBA Exchange"),
    ("ciba_exchange_succeeded", Success, "Successful CIBA Exchange"),
    ("ciba_start_failed", Failure, "Failed CIBA Start"),
    ("ciba_start_succeeded", Success, "Successful CIBA Start"),
    ("cls", Success, "Code/Link Sent"),
    ("coff", Failure, "AD/LDAP Connector Offline"),
    ("con", Success, "AD/LDAP Connector Online"),
    ("connected_accounts_connection_failed", Failure, "Failed Connected Account Connection"),
    ("connected_accounts_connection_succeeded", Success, "Successful Connected Account Connection"),
    ("connected_accounts_delete_failed", Failure, "Failed Connected Account Delete"),
    ("connected_accounts_delete_succeeded", Success, "Successful Connected Account Delete"),
    ("cs", Success, "Code Sent"),
    ("custom_domain_verification_failed", Failure, "Custom Domain Verification Failed"),
    ("depnote", Warning, "Deprecation Notice"),
    ("directory_sync_completed", Success, "Inbound Directory Sync Completed"),
    ("directory_sync_failed", Failure, "Inbound Directory Sync Failed"),
    ("directory_sync_started", Other, "Inbound Directory Sync Started"),
    ("du", Success, "Deleted User"),
    ("f", Failure, "Failed Login"),
    ("failed_on_behalf_of_token_exchange", Failure, "Failed Exchange via On-Behalf-Of Token Exchange"),
    ("fapi", Failure, "Failed API Operation"),
    ("fc", Failure, "Failed by Connector"),
    ("fce", Failure, "Failed Change Email"),
    ("fco", Failure, "Failed by CORS"),
    ("fcoa", Failure, "Failed cross-origin authentication"),
    ("fcp", Failure, "Failed Change Password"),
    ("fcph", Failure, "Failed Post Change Password Hook"),
    ("fcpn", Failure, "Failed Change Phone Number"),
    ("fcpr", Failure, "Failed Change Password Request"),
    ("fcpro", Failure, "Failed Connector Provisioning"),
    ("fcu", Failure, "Failed Change Username"),
    ("fd", Failure, "Failed Delegation"),
    ("fdeac", Failure, "Failed Device Activation"),
    ("fdeaz", Failure, "Failed Device Authorization Request"),
    ("fdecc", Failure, "User Canceled Device Confirmation"),
    ("fdeleacft", Failure, "Failed to Exchange Delegated Authorization Code for Access Token"),
    ("fdelsa", Failure, "Failed Delegated Silent Authentication"),
    ("fdu", Failure, "Failed User Deletion"),
    ("feacft", Failure, "Failed to exchange authorization code for Access Token"),
    ("feccft", Failure, "Failed exchange of Access Token for a Client Credentials Grant"),
    ("fecte", Failure, "Failed Exchange via Custom Token Exchange"),
    ("fede", Failure, "Failed to exchange Device Code for Access Token"),
    ("federated_logout_failed", Failure, "Failed Federated Logout"),
    ("fens", Failure, "Failed exchange for Native Social Login"),
    ("feoobft", Failure, "Failed exchange of Password and OOB Challenge for Access Token"),
    ("feotpft", Failure, "Failed exchange of Password and OTP Challenge for Access Token"),
    ("fepft", Failure, "Failed exchange of Password for Access Token"),
    ("fepotpft", Failure, "Failed exchange of Passwordless OTP for Access Token"),
    ("fercft", Failure, "Failed Exchange of Password and MFA Recovery code for Access Token"),
    ("ferrt", Failure, "Failed Exchange of Rotating Refresh Token"),
    ("fertft", Failure, "Failed Exchange of Refresh Token for Access Token"),
    ("feta", Failure, "Failed token exchange at Token Vault"),
    ("fi", Failure, "Failed invite accept"),
    ("flo", Failure, "Failed Logout"),
    ("flows_execution_completed", Success, "Flows Execution Completed"),
    ("flows_execution_failed", Failure, "Flows Execution Failed"),
    ("fn", Failure, "Failed Sending Notification"),
    ("forms_submission_failed", Failure, "Forms Submission Failed"),
    ("forms_submission_succeeded", Success, "Forms Submission Succeeded"),
    ("fp", Failure, "Failed Login (Incorrect Password)"),
    ("fpar", Failure, "Failed Pushed Authorization Request"),
    ("fpurh", Failure, "Failed Post User Registration Hook"),
    ("fs", Failure, "Failed Signup"),
    ("fsa", Failure, "Failed Silent Auth"),
    ("fscim", Failure, "Failed SCIM Operation"),
    ("fu", Failure, "Failed Login (Invalid Email/Username)"),
    ("fui", Warning, "Failed users import"),
    ("fv", Failure, "Failed Verification Email"),
    ("fvr", Failure, "Failed Verification Email Request"),
    ("gd_auth_email_verification", Success, "Email Verification Confirmed"),
    ("gd_auth_fail_email_verification", Failure, "Email Verification Failed"),
    ("gd_auth_failed", Failure, "MFA Auth failed"),
    ("gd_auth_rejected", Failure, "MFA Auth rejected"),
    ("gd_auth_succeed", Success, "MFA Auth success"),
    ("gd_enrollment_complete", Success, "MFA enrollment complete"),
    ("gd_module_switch", Other, "Module switch"),
    ("gd_otp_rate_limit_exceed", Warning, "Too many MFA failures"),
    ("gd_recovery_failed", Failure, "Recovery failed"),
    ("gd_recovery_rate_limit_exceed", Other, "Multi-factor recovery code has failed too many times"),
    ("gd_recovery_succeed", Success, "MFA recovery success"),
    ("gd_send_email", Success, "MFA Email Sent"),
    ("gd_send_email_verification", Success, "Email Verification Sent"),
    ("gd_send_email_verification_failure", Failure, "Email Verification Failed"),
    ("gd_send_pn", Success, "Push notification sent"),
    ("gd_send_pn_failure", Failure, "Error Sending MFA Push Notification"),
    ("gd_send_sms", Success, "MFA SMS Sent"),
    ("gd_send_sms_failure", Failure, "Error Sending MFA SMS"),
    ("gd_send_voice", Success, "MFA voice call success"),
    ("gd_send_voice_failure", Failure, "MFA voice call failed"),
    ("gd_start_auth", Success, "Second factor started"),
    ("gd_start_enroll", Success, "MFA Enroll started"),
    ("gd_start_enroll_failed", Failure, "MFA Enrollment Failed"),
    ("gd_tenant_update", Success, "Guardian tenant update"),
    ("gd_unenroll", Success, "Unenroll device account"),
    ("gd_update_device_account", Success, "Update device account"),
    ("gd_user_delete", Other, "User delete"),
    ("gd_webauthn_challenge_failed", Failure, "WebAuthn browser error"),
    ("gd_webauthn_enrollment_failed", Failure, "WebAuthn browser error"),
    ("idjag_exchange_failed", Failure, "Failed Exchange of Identity Assertion Authorization Grant JWT for Access Token"),
    ("idjag_exchange_succeeded", Success, "Successful Exchange of Identity Assertion Authorization Grant JWT for Access Token"),
    ("jwt_bearer_exchange_failed", Failure, "Failed Exchange of JWT Bearer Assertion for Access Token"),
    ("kms_key_management_failure", Failure, "Failed KMS API Operation"),
    ("kms_key_management_success", Success, "Success KMS API Operation"),
    ("kms_key_state_changed", Other, "KMS Key State Change"),
    ("limit_delegation", Failure, "Too Many Calls to /delegation"),
    ("limit_mu", Failure, "Blocked IP Address"),
    ("limit_phone", Failure, "A user is temporarily prevented from sending more SMS messages or voice calls"),
    ("limit_sul", Failure, "Blocked Account"),
    ("limit_ui", Failure, "Too Many Calls to /userinfo"),
    ("limit_wc", Failure, "Blocked Account"),
    ("mfar", Other, "MFA Required"),
    ("mgmt_api_read", Success, "Management API read Operation"),
    ("my_account_authentication_method_failed", Failure, "Failed authentication method operation in My Account API"),
    ("my_account_authentication_method_succeeded", Success, "Successful authentication method operation in My Account API"),
    ("oidc_backchannel_logout_failed", Failure, "Failed OIDC Back-Channel Logout request"),
    ("oidc_backchannel_logout_succeeded", Success, "Successful OIDC Back-Channel Logout request"),
    ("organization_member_added", Success, "Organization Member Added"),
    ("passkey_challenge_failed", Failure, "Passkey Challenge Failed"),
    ("passkey_challenge_started", Other, "Passkey Challenge Started"),
    ("pla", Other, "Pre-login assessment"),
    ("pwd_leak", Failure, "Breached password"),
    ("reset_pwd_leak", Failure, "Breached Password on Reset"),
    ("resource_cleanup", Other, "Success Resource Cleanup"),
    ("rich_consents_access_error", Failure, "Rich Consents Access Error"),
    ("s", Success, "Successful login event"),
    ("sapi", Success, "Success API Operation"),
    ("sce", Success, "Success Change Email"),
    ("scoa", Success, "Success cross-origin authentication"),
    ("scp", Success, "Success Change Password"),
    ("scph", Success, "Success Post Change Password Hook"),
    ("scpn", Success, "Success Change Phone Number"),
    ("scpr", Success, "Success Change Password Request"),
    ("scu", Success, "Success Change Username"),
    ("scv", Success, "Success Credential Validation"),
    ("sd", Success, "Success Delegation"),
    ("sdel", Success, "Successful Delegated Login"),
    ("sdeleacft", Success, "Successful Exchange of Delegated Authorization Code for Access Token"),
    ("sdelsa", Success, "Successful Delegated Silent Authentication"),
    ("sdu", Success, "Success User Deletion"),
    ("seacft", Success, "Successful exchange of authorization code for Access Token"),
    ("seccft", Success, "Successful exchange of Access Token for a Client Credentials Grant"),
    ("secte", Success, "Successful Exchange via Custom Token Exchange"),
    ("sede", Success, "Successful exchange of device code for Access Token"),
    ("sens", Success, "Native Social Login"),
    ("seoobft", Success, "Successful exchange of Password and OOB Challenge for Access Token"),
    ("seotpft", Success, "Successful exchange of Password and OTP Challenge for Access Token"),
    ("sepft", Success, "Successful exchange of Password for Access Token"),
    ("sepkoobft", Success, "Successful exchange of Passkey and OOB Challenge for Access Token"),
    ("sepkotpft", Success, "Successful exchange of Passkey and OTP Challenge for Access Token"),
    ("sepkrcft", Success, "Successful exchange of Passkey and MFA Recovery Code for Access Token"),
    ("sercft", Success, "Successful exchange of Password and MFA Recovery code for Access Token"),
    ("sertft", Success, "Successful exchange of Refresh Token for Access Token"),
    ("seta", Success, "Successful token exchange at Token Vault"),
    ("si", Success, "Successfully accepted a user invite"),
    ("signup_pwd_leak", Failure, "Breached Password on Signup"),
    ("slo", Success, "Success Logout"),
    ("srrt", Success, "Successfully revoked a refresh token"),
    ("ss", Success, "Success Signup"),
    ("ss_sso_failure", Failure, "Failed SS-SSO Operation"),
    ("ss_sso_info", Other, "Information from an SS-SSO Operation"),
    ("ss_sso_success", Success, "Success SS-SSO Operation"),
    ("ssa", Success, "Success Silent Auth"),
    ("sscim", Success, "Successful SCIM Operation"),
    ("success_on_behalf_of_token_exchange", Success, "Successful Exchange via On-Behalf-Of Token Exchange"),
    ("sui", Success, "Successfully imported users"),
    ("sv", Success, "Success Verification Email"),
    ("svr", Success, "Success Verification Email Request"),
    ("sys_os_update_end", Success, "Auth0 OS Update Ended"),
    ("sys_os_update_start", Success, "Auth0 OS Update Started"),
    ("sys_update_end", Success, "Auth0 Update Ended"),
    ("sys_update_start", Success, "Auth0 Update Started"),
    ("token_quota_consumption_warning", Warning, "Token Quota Consumption Warning"),
    ("too_many_records", Other, "Max Amount of Authenticators"),
    ("ublkdu", Success, "User login block released"),
    ("universal_logout_failed", Failure, "Failed Universal Logout request"),
    ("universal_logout_succeeded", Success, "Successful Universal Logout request"),
    ("w", Warning, "Warning During Login"),
    ("wn", Warning, "Warning Sending Notification"),
    ("wum", Warning, "Warning User Management"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_unique() {
        assert!(LOG_TYPES.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn outcomes_are_not_read_off_the_letters() {
        for (code, expected) in [
            ("s", Success),
            ("fp", Failure),
            ("signup_pwd_leak", Failure),
            ("ss_sso_failure", Failure),
            ("flows_execution_completed", Success),
            ("fui", Warning),
            ("feta", Failure),
            ("limit_phone", Failure),
            ("fc", Failure),
            ("con", Success),
            ("coff", Failure),
            ("token_quota_consumption_warning", Warning),
            ("gd_user_delete", Other),
            ("actions_execution_failed", Failure),
            ("pla", Other),
            ("not_a_type_yet", Other),
            ("", Other),
        ] {
            assert_eq!(outcome(code), expected, "{code}");
        }
    }

    #[test]
    fn descriptions_are_auth0s() {
        assert_eq!(description("fp"), Some("Failed Login (Incorrect Password)"));
        assert_eq!(description("sdel"), Some("Successful Delegated Login"));
        assert_eq!(description("not_a_type_yet"), None);
    }
}
