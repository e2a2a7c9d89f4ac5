//! The tables of what belongs to a user: roles, permissions, sessions and the like.
//!
//! Fields and forms: the Management API's OpenAPI description, and what was seen on the wire.

use super::object::{Field, FromString, Guard, Kind, Object, PageField, PageKind, PageType};

const NODES: PageField = PageField { name: "nodes", kind: PageKind::Nodes, description: "The records." };

/// The fields of a list that comes whole.
const WHOLE: &[PageField] = &[NODES];

/// The fields of a list that is asked for by page.
const PAGED: &[PageField] = &[
    NODES,
    PageField { name: "page", kind: PageKind::Page, description: "The page's number, counted from 0." },
    PageField { name: "perPage", kind: PageKind::PerPage, description: "How many records a page holds at the most." },
    PageField {
        name: "hasNextPage",
        kind: PageKind::HasNextPage,
        description: "Whether this page is full, so that another may follow; it can promise one empty page.",
    },
];

/// The fields of a list that is read on from a checkpoint.
const CHECKPOINTED: &[PageField] = &[
    NODES,
    PageField {
        name: "next",
        kind: PageKind::Checkpoint,
        description: "Pass it as `from` to read on; null behind the last record. Auth0 takes it for a day.",
    },
];

const fn page(
    name: &'static str,
    description: &'static str,
    object: &'static Object,
    fields: &'static [PageField],
) -> PageType {
    PageType { name, description, object, fields, cursor: &[] }
}

pub(crate) static ROLES: PageType = page("RolePage", "Some of a user's roles.", &ROLE, PAGED);
pub(crate) static PERMISSIONS: PageType = page("PermissionPage", "Some of a user's permissions.", &PERMISSION, PAGED);
pub(crate) static ORGANIZATIONS: PageType =
    page("OrganizationPage", "Some of a user's organizations.", &ORGANIZATION, PAGED);
pub(crate) static AUTHENTICATION_METHODS: PageType =
    page("AuthenticationMethodPage", "Some of the ways in which a user can log in.", &AUTHENTICATION_METHOD, PAGED);
pub(crate) static ENROLLMENTS: PageType =
    page("EnrollmentList", "A user's enrollments in multi-factor authentication.", &ENROLLMENT, WHOLE);
pub(crate) static SESSIONS: PageType = page("SessionBatch", "Some of a user's sessions.", &SESSION, CHECKPOINTED);
pub(crate) static REFRESH_TOKENS: PageType =
    page("RefreshTokenBatch", "Some of a user's refresh tokens.", &REFRESH_TOKEN, CHECKPOINTED);
pub(crate) static BLOCKS: PageType = page("UserBlockList", "The blocks on a user.", &USER_BLOCK, WHOLE);

static ROLE: Object = Object {
    name: "Role",
    description: "A role that users can have.",
    fields: &[
        Field::new("id", &["id"], Kind::Id, "The role's id."),
        Field::new("name", &["name"], Kind::String, "The role's name."),
        Field::new("description", &["description"], Kind::String, "What the role is for."),
        Field::attributes(),
    ],
};

static PERMISSION: Object = Object {
    name: "Permission",
    description: "Something that a user may do with an API.",
    fields: &[
        Field::new("name", &["permission_name"], Kind::String, "The permission's name, which is a scope of its API."),
        Field::new("description", &["description"], Kind::String, "What it allows."),
        Field::new("resourceServerName", &["resource_server_name"], Kind::String, "The name of the API."),
        Field::new(
            "resourceServerIdentifier",
            &["resource_server_identifier"],
            Kind::String,
            "The identifier of the API, which is the audience of its tokens.",
        ),
        Field::new(
            "sources",
            &["sources"],
            Kind::Objects(&PERMISSION_SOURCE),
            "Where the user has it from; null where Auth0 does not tell.",
        ),
        Field::attributes(),
    ],
};

static PERMISSION_SOURCE: Object = Object {
    name: "PermissionSource",
    description: "The reason why a user has a permission.",
    fields: &[
        Field::new("id", &["source_id"], Kind::Id, "The id of the role; empty for a direct grant."),
        Field::new("name", &["source_name"], Kind::String, "The name of the role; empty for a direct grant."),
        Field::new("type", &["source_type"], Kind::String, "`DIRECT` or `ROLE`. The set is open."),
        Field::attributes(),
    ],
};

static ORGANIZATION: Object = Object {
    name: "Organization",
    description: "An organization that users can be members of.",
    fields: &[
        Field::new("id", &["id"], Kind::Id, "The organization's id."),
        Field::new("name", &["name"], Kind::String, "The organization's name, as logins have it."),
        Field::new("displayName", &["display_name"], Kind::String, "The name that people are shown."),
        Field::new("branding", &["branding"], Kind::Json, "Colors and the logo of its login pages."),
        Field::new("metadata", &["metadata"], Kind::Json, "Metadata of the organization."),
        Field::attributes(),
    ],
};

/// The guard of records in which secrets could come one day, though none is known to: nobody sees what is unknown of them.
static SECRETS: Guard = Guard { scope: None, open: &[] };

/// The `attributes` of such a record.
const fn attributes_without_secrets() -> Field {
    Field::attributes_under(
        &SECRETS,
        "Each value that its field could not give out, or not in full, under the name that Auth0 has for it: null for an object or a list \
         with others in it. What Auth0 sent beyond the fields of this type is not here. Either could be a secret.",
    )
}

static AUTHENTICATION_METHOD: Object = Object {
    name: "AuthenticationMethod",
    description: "A way in which a user can log in. Numbers and addresses come masked.",
    fields: &[
        Field::new("id", &["id"], Kind::Id, "The id of the method."),
        Field::new(
            "type",
            &["type"],
            Kind::String,
            "Such as `password`, `totp`, `phone` or `passkey`. The set is open.",
        ),
        Field::new("name", &["name"], Kind::String, "The name that the user or Auth0 gave it."),
        Field::new("confirmed", &["confirmed"], Kind::Boolean, "Whether its enrollment has been completed."),
        Field::new("createdAt", &["created_at"], Kind::DateTime, "When it was created."),
        Field::new("enrolledAt", &["enrolled_at"], Kind::DateTime, "When it was enrolled."),
        Field::new("lastAuthAt", &["last_auth_at"], Kind::DateTime, "When it was last used."),
        Field::new("phoneNumber", &["phone_number"], Kind::String, "The phone number, masked."),
        Field::new("email", &["email"], Kind::String, "The e-mail address, masked."),
        Field::new(
            "preferredAuthenticationMethod",
            &["preferred_authentication_method"],
            Kind::String,
            "The way of a telephone that is preferred: `sms` or `voice`.",
        ),
        attributes_without_secrets(),
    ],
};

static ENROLLMENT: Object = Object {
    name: "Enrollment",
    description: "An enrollment in multi-factor authentication.",
    fields: &[
        Field::new("id", &["id"], Kind::Id, "The id of the enrollment."),
        Field::new("status", &["status"], Kind::String, "`pending` or `confirmed`. The set is open."),
        Field::new("type", &["type"], Kind::String, "The kind of authenticator."),
        Field::new("name", &["name"], Kind::String, "The name of the device."),
        Field::new("identifier", &["identifier"], Kind::String, "The identifier of the device."),
        Field::new("phoneNumber", &["phone_number"], Kind::String, "The phone number."),
        Field::new("authMethod", &["auth_method"], Kind::String, "Such as `authenticator`, `guardian` or `sms`."),
        Field::new("enrolledAt", &["enrolled_at"], Kind::DateTime, "When it was enrolled."),
        Field::new("lastAuth", &["last_auth"], Kind::DateTime, "When it was last used."),
        Field::attributes(),
    ],
};

static SESSION: Object = Object {
    name: "Session",
    description: "A session of a user with Auth0.",
    fields: &[
        Field::new("id", &["id"], Kind::Id, "The session's id."),
        Field::new("userId", &["user_id"], Kind::Id, "The id of the user."),
        Field::new("createdAt", &["created_at"], Kind::DateTime, "When it was created."),
        Field::new("updatedAt", &["updated_at"], Kind::DateTime, "When it last changed."),
        Field::new("authenticatedAt", &["authenticated_at"], Kind::DateTime, "When the user last logged in in it."),
        Field::new("idleExpiresAt", &["idle_expires_at"], Kind::DateTime, "When it ends if nobody uses it."),
        Field::new("expiresAt", &["expires_at"], Kind::DateTime, "When it ends."),
        Field::new("lastInteractedAt", &["last_interacted_at"], Kind::DateTime, "When it was last used."),
        Field::new("device", &["device"], Kind::Object(&DEVICE), "The device that it was opened on."),
        Field::new("clients", &["clients"], Kind::Objects(&SESSION_CLIENT), "The applications that share it."),
        Field::new(
            "authentication",
            &["authentication"],
            Kind::Object(&SESSION_AUTHENTICATION),
            "The ways in which the user logged in.",
        ),
        Field::new("metadata", &["session_metadata"], Kind::Json, "Metadata of the session."),
        Field::attributes(),
    ],
};

static DEVICE: Object = Object {
    name: "Device",
    description: "A device, as it was seen first and last.",
    fields: &[
        Field::new("initialUserAgent", &["initial_user_agent"], Kind::String, "The first user agent."),
        Field::new("initialIp", &["initial_ip"], Kind::String, "The first IP address."),
        Field::new("initialAsn", &["initial_asn"], Kind::String, "The first autonomous system."),
        Field::new("lastUserAgent", &["last_user_agent"], Kind::String, "The last user agent."),
        Field::new("lastIp", &["last_ip"], Kind::String, "The last IP address."),
        Field::new("lastAsn", &["last_asn"], Kind::String, "The last autonomous system."),
        Field::attributes(),
    ],
};

static SESSION_CLIENT: Object = Object {
    name: "SessionClient",
    description: "An application that takes part in a session.",
    fields: &[Field::new("clientId", &["client_id"], Kind::String, "The id of the application."), Field::attributes()],
};

static SESSION_AUTHENTICATION: Object = Object {
    name: "SessionAuthentication",
    description: "How a user logged in.",
    fields: &[
        Field::new("methods", &["methods"], Kind::Objects(&SESSION_METHOD), "One for each factor."),
        Field::attributes(),
    ],
};

static SESSION_METHOD: Object = Object {
    name: "SessionAuthenticationMethod",
    description: "A factor that a user logged in with.",
    fields: &[
        Field::new("name", &["name"], Kind::String, "Such as `pwd`, `federated` or `mfa`. The set is open."),
        Field::new("timestamp", &["timestamp"], Kind::DateTime, "When it was used."),
        Field::new("type", &["type"], Kind::String, "The kind of second factor."),
        Field::attributes(),
    ],
};

static REFRESH_TOKEN: Object = Object {
    name: "RefreshToken",
    description: "What is known about a refresh token. The token itself is never shown.",
    fields: &[
        Field::new("id", &["id"], Kind::Id, "The id of the token, with which nothing can be opened."),
        Field::new("userId", &["user_id"], Kind::Id, "The id of the user."),
        Field::new("clientId", &["client_id"], Kind::String, "The id of the application that holds it."),
        Field::new("sessionId", &["session_id"], Kind::Id, "The id of the session that it belongs to."),
        Field::new("rotating", &["rotating"], Kind::Boolean, "Whether each use puts another in its place."),
        Field::new("createdAt", &["created_at"], Kind::DateTime, "When it was issued."),
        Field::new("idleExpiresAt", &["idle_expires_at"], Kind::DateTime, "When it expires if nobody uses it."),
        Field::new("expiresAt", &["expires_at"], Kind::DateTime, "When it expires."),
        Field::new("lastExchangedAt", &["last_exchanged_at"], Kind::DateTime, "When it was last used."),
        Field::new("device", &["device"], Kind::Object(&DEVICE), "The device that it was issued to."),
        Field::new(
            "resourceServers",
            &["resource_servers"],
            Kind::Objects(&RESOURCE_SERVER),
            "The APIs that it gets access tokens for.",
        ),
        attributes_without_secrets(),
    ],
};

static RESOURCE_SERVER: Object = Object {
    name: "RefreshTokenResourceServer",
    description: "An API that a refresh token gets access tokens for.",
    fields: &[
        Field::new("audience", &["audience"], Kind::String, "The identifier of the API."),
        Field::new("scopes", &["scopes"], Kind::Strings(FromString::Words), "The scopes of those tokens."),
        attributes_without_secrets(),
    ],
};

static USER_BLOCK: Object = Object {
    name: "UserBlock",
    description: "A block that too many failed logins have put on a user.",
    fields: &[
        Field::new("identifier", &["identifier"], Kind::String, "The name that the user tried to log in with."),
        Field::new(
            "ip",
            &["ip"],
            Kind::String,
            "The IP address that is blocked; null where the user is, from anywhere.",
        ),
        Field::new("connection", &["connection"], Kind::String, "The connection that it holds for."),
        Field::attributes(),
    ],
};
