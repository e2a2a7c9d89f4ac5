//! The types of logs that happen in the tenant, and how often.

/// A type of log.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Auth0's code, the `type` of the log.
    pub(crate) code: &'static str,
    /// The `description`, unless [`Shape`] has a better one. Auth0 leaves many empty.
    pub(crate) description: &'static str,
    pub(crate) shape: Shape,
    /// The number of logs of this type among [`total_weight`].
    weight: u32,
}

/// The shape of a log besides the keys that every log has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Somebody logs in, or out, or tries to.
    Login,
    FailedLogin,
    Signup,
    /// A code or a refresh token is exchanged by somebody's application.
    Exchange,
    /// A machine gets a token.
    Machine,
    /// Somebody calls the Management API.
    Api,
    /// The second factor.
    Factor,
    /// A message goes to somebody.
    Message,
    /// Nobody in particular: the tenant itself.
    Tenant,
}

const fn kind(weight: u32, code: &'static str, shape: Shape, description: &'static str) -> Kind {
    Kind { code, description, shape, weight }
}

/// The types, in no order that matters.
pub(crate) static KINDS: [Kind; 58] = [
    kind(230, "s", Shape::Login, ""),
    kind(170, "seacft", Shape::Exchange, ""),
    kind(80, "seccft", Shape::Machine, ""),
    kind(70, "ssa", Shape::Login, ""),
    kind(60, "slo", Shape::Login, "User successfully logged out"),
    kind(60, "fp", Shape::FailedLogin, "Wrong email or password."),
    kind(50, "sapi", Shape::Api, ""),
    kind(40, "sertft", Shape::Exchange, ""),
    kind(35, "f", Shape::FailedLogin, "Access denied."),
    kind(30, "fsa", Shape::FailedLogin, "Login required"),
    kind(30, "ss", Shape::Signup, ""),
    kind(25, "fu", Shape::FailedLogin, "Invalid username."),
    kind(20, "gd_start_auth", Shape::Factor, "Second factor authentication started"),
    kind(18, "gd_auth_succeed", Shape::Factor, "Second factor authentication succeeded"),
    kind(15, "mgmt_api_read", Shape::Api, ""),
    kind(15, "sv", Shape::Message, "Your email was verified. You can continue using the application."),
    kind(15, "cls", Shape::Message, ""),
    kind(14, "srrt", Shape::Exchange, ""),
    kind(12, "svr", Shape::Message, ""),
    kind(12, "cs", Shape::Message, ""),
    kind(12, "feacft", Shape::Exchange, "Invalid authorization code"),
    kind(12, "mfar", Shape::Factor, "MFA required"),
    kind(10, "w", Shape::Login, "A grant type is used that is not recommended"),
    kind(10, "scpr", Shape::Message, "Change password request"),
    kind(10, "gd_send_pn", Shape::Factor, "Push notification sent"),
    kind(10, "gd_send_sms", Shape::Factor, "SMS sent"),
    kind(10, "fertft", Shape::Exchange, "Unknown or invalid refresh token."),
    kind(8, "scp", Shape::Message, ""),
    kind(8, "fs", Shape::Signup, "The user already exists."),
    kind(8, "gd_auth_failed", Shape::Factor, "The code is not right"),
    kind(8, "gd_enrollment_complete", Shape::Factor, "Enrollment complete"),
    kind(8, "feccft", Shape::Machine, "Unauthorized"),
    kind(8, "pla", Shape::Login, ""),
    kind(6, "limit_wc", Shape::FailedLogin, "Account blocked after too many attempts"),
    kind(6, "limit_mu", Shape::FailedLogin, "Too many attempts from one address"),
    kind(6, "fn", Shape::Message, ""),
    kind(6, "ublkdu", Shape::Login, "User login block released"),
    kind(6, "api_limit", Shape::Tenant, "Global limit has been reached"),
    kind(6, "api_limit_warning", Shape::Tenant, "More than 80% of the global limit is used"),
    kind(5, "sens", Shape::Login, ""),
    kind(5, "gd_auth_rejected", Shape::Factor, "Push notification rejected"),
    kind(5, "gd_recovery_succeed", Shape::Factor, "Recovery code used"),
    kind(5, "organization_member_added", Shape::Tenant, "Organization member added"),
    kind(5, "sscim", Shape::Api, ""),
    kind(5, "fcp", Shape::Message, "The password is too weak"),
    kind(4, "pwd_leak", Shape::FailedLogin, "A leaked password was used"),
    kind(4, "limit_sul", Shape::FailedLogin, "Too many logins in a short time"),
    kind(4, "gd_otp_rate_limit_exceed", Shape::Factor, "Too many failed codes"),
    kind(4, "sce", Shape::Message, ""),
    kind(4, "signup_pwd_leak", Shape::Signup, "A leaked password was used to sign up"),
    kind(4, "si", Shape::Signup, ""),
    kind(4, "sdu", Shape::Api, "User deleted"),
    kind(3, "depnote", Shape::Tenant, "A deprecated feature is used"),
    kind(3, "actions_execution_failed", Shape::Tenant, ""),
    kind(3, "flows_execution_completed", Shape::Tenant, ""),
    kind(3, "fui", Shape::Tenant, "Failed users import"),
    kind(3, "gd_unenroll", Shape::Factor, "Device unenrolled"),
    kind(2, "kms_key_state_changed", Shape::Tenant, ""),
];

/// A type that no documentation lists: the set is open.
pub(crate) static UNKNOWN: Kind = kind(0, "sx_lighthouse_lit", Shape::Tenant, "");

const fn total_weight() -> u32 {
    let (mut sum, mut position) = (0, 0);
    while position < KINDS.len() {
        sum += KINDS[position].weight;
        position += 1;
    }
    sum
}

const fn by_weight() -> [u8; total_weight() as usize] {
    let mut table = [0; total_weight() as usize];
    let (mut filled, mut position) = (0, 0);
    while position < KINDS.len() {
        let end = filled + KINDS[position].weight as usize;
        while filled < end {
            table[filled] = position as u8;
            filled += 1;
        }
        position += 1;
    }
    table
}

/// A position in [`KINDS`] for every unit of weight, so that picking is one look-up: a search
/// through the logs makes twenty thousand of them.
static BY_WEIGHT: [u8; total_weight() as usize] = by_weight();

/// The type that a random number falls on.
pub(crate) fn pick(rng: &mut fastrand::Rng) -> &'static Kind {
    &KINDS[usize::from(BY_WEIGHT[rng.usize(..BY_WEIGHT.len())])]
}

/// The type with this code.
pub(crate) fn named(code: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.code == code).unwrap_or(&UNKNOWN)
}
