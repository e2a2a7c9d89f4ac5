//! The table of a user.
//!
//! Fields and forms: <https://auth0.com/docs/manage-users/user-accounts/user-profiles/user-profile-structure> and the
//! Management API's OpenAPI description, with what was seen on the wire beside them.

use super::object::{Field, FromString, Guard, Kind, Object, PageField, PageKind, PageType};
use crate::auth::Scope;

pub(crate) static USER_PAGE: PageType = PageType {
    name: "UserPage",
    description: "One page of users. Auth0 finds users through a search index that lags some seconds behind; `user` and \
                  `usersByEmail` do not.",
    object: &USER,
    cursor: &[],
    fields: &[
        PageField { name: "nodes", kind: PageKind::Nodes, description: "The users of this page." },
        PageField {
            name: "total",
            kind: PageKind::Total,
            description: "How many users match in all; Auth0 counts no further than 1,000. Asked of Auth0 only when it is selected.",
        },
        PageField { name: "page", kind: PageKind::Page, description: "The page's number, counted from 0." },
        PageField { name: "perPage", kind: PageKind::PerPage, description: "How many users a page holds at the most." },
        PageField {
            name: "hasNextPage",
            kind: PageKind::HasNextPage,
            description: "Whether there is a page after this one. Exact when `total` is selected as well; else it tells \
                          whether this page is full, and may promise one empty page. Always false where Auth0's limit of \
                          1,000 users ends the paging.",
        },
    ],
};

pub(crate) static USER: Object = Object {
    name: "User",
    description: "A user of the tenant.",
    fields: &[
        Field::new(
            "id",
            &["user_id"],
            Kind::Id,
            "The user's id, the same as `userId`: client caches look for it under this name.",
        )
        .non_null(),
        Field::new(
            "userId",
            &["user_id"],
            Kind::Id,
            "The user's id: the identity provider, a `|`, and the id that the user has there.",
        ),
        Field::new("email", &["email"], Kind::String, "The e-mail address."),
        Field::new(
            "emailVerified",
            &["email_verified"],
            Kind::Boolean,
            "Whether the user has shown that the address is theirs. Some enterprise connections send other things than \
             true and false here; those are null.",
        ),
        Field::new("username", &["username"], Kind::String, "The user name, on database connections that have them."),
        Field::new("phoneNumber", &["phone_number"], Kind::String, "The phone number, in E.164 form."),
        Field::new("phoneVerified", &["phone_verified"], Kind::Boolean, "Whether the phone number has been verified."),
        Field::new("name", &["name"], Kind::String, "The full name."),
        Field::new("nickname", &["nickname"], Kind::String, "The nickname."),
        Field::new("givenName", &["given_name"], Kind::String, "The given name."),
        Field::new("familyName", &["family_name"], Kind::String, "The family name."),
        Field::new("picture", &["picture"], Kind::String, "The address of a picture."),
        Field::new(
            "blocked",
            &["blocked"],
            Kind::Boolean,
            "Whether an administrator has blocked the user. Null means that nobody ever has. Blocks after too many failed \
             logins are not told here.",
        ),
        Field::new("createdAt", &["created_at"], Kind::DateTime, "When the user was created."),
        Field::new("updatedAt", &["updated_at"], Kind::DateTime, "When the profile last changed, logins included."),
        Field::new("lastLogin", &["last_login"], Kind::DateTime, "When the user last logged in; null if never."),
        Field::new("lastIp", &["last_ip"], Kind::String, "The address that the last login came from, IPv4 or IPv6."),
        Field::new("loginsCount", &["logins_count"], Kind::Int, "How often the user has logged in; null if never."),
        Field::new(
            "lastPasswordReset",
            &["last_password_reset"],
            Kind::DateTime,
            "When the password was last changed, on database connections.",
        ),
        Field::new(
            "multifactor",
            &["multifactor"],
            Kind::Strings(FromString::Whole),
            "The multi-factor providers in which the user is enrolled.",
        ),
        Field::new(
            "multifactorLastModified",
            &["multifactor_last_modified"],
            Kind::DateTime,
            "When the multi-factor enrollments last changed.",
        ),
        Field::new(
            "appMetadata",
            &["app_metadata"],
            Kind::Json,
            "What applications have stored about the user and the user cannot change, such as a plan or roles.",
        )
        .needs(Scope::ReadUsersAppMetadata),
        Field::new(
            "userMetadata",
            &["user_metadata"],
            Kind::Json,
            "What applications have stored about the user and the user may change, such as preferences.",
        ),
        Field::new(
            "identities",
            &["identities"],
            Kind::Objects(&IDENTITY),
            "The accounts that make up this user: the primary one, then those linked to it.",
        ),
        Field::new(
            "blockedFor",
            &["blocked_for"],
            Kind::Json,
            "Where brute-force protection has blocked the user. Auth0 documents it for this object but seldom sends it.",
        ),
        Field::new(
            "guardianAuthenticators",
            &["guardian_authenticators"],
            Kind::Json,
            "The authenticators enrolled with Guardian. Auth0 documents it for this object but seldom sends it.",
        ),
        Field::new("tenant", &["tenant"], Kind::String, "The tenant that the user belongs to, where Auth0 tells it."),
        Field::attributes(),
    ],
};

static IDENTITY: Object = Object {
    name: "Identity",
    description: "An account of a user with an identity provider.",
    fields: &[
        Field::new("connection", &["connection"], Kind::String, "The connection that the account came through."),
        Field::new(
            "provider",
            &["provider"],
            Kind::String,
            "The kind of identity provider, such as `auth0` or `samlp`.",
        ),
        Field::new("userId", &["user_id"], Kind::Id, "The id with that provider. Some providers have numbers here."),
        Field::new("isSocial", &["isSocial"], Kind::Boolean, "Whether the connection is a social one."),
        Field::new(
            "profileData",
            &["profileData"],
            Kind::Guarded(&PROFILE),
            "The profile that the provider gave. Present on linked accounts only; the primary account's is the user itself. \
             Providers can put credentials in it: without the scope `read:user_idp_tokens` it holds the usual claims alone, \
             such as `email`, `name` and `locale`.",
        ),
        Field::new("accessToken", &["access_token"], Kind::String, "An access token for the provider's own API.")
            .needs(Scope::ReadUserIdpTokens),
        Field::new(
            "accessTokenSecret",
            &["access_token_secret"],
            Kind::String,
            "The secret that belongs to the access token, with providers that still speak OAuth 1.",
        )
        .needs(Scope::ReadUserIdpTokens),
        Field::new("refreshToken", &["refresh_token"], Kind::String, "A refresh token for the provider.")
            .needs(Scope::ReadUserIdpTokens),
        Field::attributes_under(
            &UNKNOWN,
            "What Auth0 sent beyond the fields of this type, under the names that it has there, as one JSON object. It can hold \
             credentials: without the scope `read:user_idp_tokens`, what is unknown is left out. A value that its field could \
             not give out, or not in full, is kept here too; without the scope, one that is an object or a list with others in it is null.",
        ),
    ],
};

/// Providers have more secrets than the table knows: `id_token`, `oauth_token_secret`, and whatever comes next year.
static UNKNOWN: Guard = Guard { scope: Some(Scope::ReadUserIdpTokens), open: &["expires_in"] };

/// Open are the claims of OpenID Connect (<https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims>) and Auth0's own
/// names for them.
static PROFILE: Guard = Guard {
    scope: Some(Scope::ReadUserIdpTokens),
    open: &[
        "birthdate",
        "created_at",
        "email",
        "email_verified",
        "family_name",
        "gender",
        "given_name",
        "locale",
        "middle_name",
        "name",
        "nickname",
        "phone_number",
        "phone_number_verified",
        "phone_verified",
        "picture",
        "preferred_username",
        "profile",
        "sub",
        "updated_at",
        "username",
        "website",
        "zoneinfo",
    ],
};
