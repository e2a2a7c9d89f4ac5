//! The table of a tenant log.
//!
//! Fields and forms: the Management API's OpenAPI description, Auth0's log event schemas, and what was seen on the wire,
//! where most of these fields can be null or missing whatever the descriptions say.

use super::object::{Field, FromString, Kind, Object, PageField, PageKind, PageType};

pub(crate) static LOG_BATCH: PageType = PageType {
    name: "LogBatch",
    description: "Some logs, and where to read on.",
    object: &LOG,
    cursor: &["log_id", "_id"],
    fields: &[
        PageField {
            name: "nodes",
            kind: PageKind::Nodes,
            description: "The logs: newest first without `from`, oldest first with it. Auth0 orders them by log id, which is \
                          when it took them in; `date` can differ by some seconds.",
        },
        PageField {
            name: "next",
            kind: PageKind::Next,
            description: "Pass it as `from` to read the logs that come after all of these. When there are none yet, it is \
                          the `from` that was asked with: keep it and ask again later. Null only for a tenant without logs.",
        },
    ],
};

pub(crate) static LOG_PAGE: PageType = PageType {
    name: "LogPage",
    description: "One page of logs. There is no total: Auth0 counts only the page itself.",
    object: &LOG,
    cursor: &[],
    fields: &[
        PageField { name: "nodes", kind: PageKind::Nodes, description: "The logs of this page." },
        PageField { name: "page", kind: PageKind::Page, description: "The page's number, counted from 0." },
        PageField { name: "perPage", kind: PageKind::PerPage, description: "How many logs a page holds at the most." },
        PageField {
            name: "hasNextPage",
            kind: PageKind::HasNextPage,
            description: "Whether this page is full, so that another may follow; it can promise one empty page. Always false \
                          where Auth0's limit of 1,000 logs ends the paging.",
        },
    ],
};

pub(crate) static LOG: Object = Object {
    name: "Log",
    description: "Something that happened in the tenant.",
    fields: &[
        Field::new(
            "id",
            &["log_id", "_id"],
            Kind::Id,
            "The log's id, the same as `logId`: client caches look for it under this name.",
        )
        .non_null(),
        Field::new(
            "logId",
            &["log_id", "_id"],
            Kind::Id,
            "The log's id. It sorts, as text, in the order in which Auth0 took the logs in.",
        ),
        Field::new("date", &["date"], Kind::DateTime, "When it happened."),
        Field::new("type", &["type"], Kind::String, "Auth0's code for what happened. The set is open."),
        Field::new(
            "typeDescription",
            &["type"],
            Kind::LogTypeDescription,
            "What Auth0 calls the type in words; null for a type that the gateway does not know.",
        ),
        Field::new("outcome", &["type"], Kind::LogOutcome, "What the type says of the outcome."),
        Field::new("description", &["description"], Kind::String, "What happened, or why it failed, in words."),
        Field::new("connection", &["connection"], Kind::String, "The name of the connection that was used."),
        Field::new("connectionId", &["connection_id"], Kind::Id, "The id of the connection that was used."),
        Field::new(
            "clientId",
            &["client_id"],
            Kind::String,
            "The id of the application. After a failure it may be whatever the request said.",
        ),
        Field::new("clientName", &["client_name"], Kind::String, "The name of the application, often empty."),
        Field::new("ip", &["ip"], Kind::String, "The address that the request came from, IPv4 or IPv6."),
        Field::new(
            "clientIp",
            &["client_ip"],
            Kind::String,
            "The address of the connecting peer, forwarding headers ignored.",
        ),
        Field::new("hostname", &["hostname"], Kind::String, "The host name that the request was sent to."),
        Field::new(
            "userId",
            &["user_id"],
            Kind::Id,
            "The id of the user. After a failure it may be whatever the request said.",
        ),
        Field::new(
            "userName",
            &["user_name"],
            Kind::String,
            "The name that the user logged in with, often an e-mail address. After a failure it may be whatever the request said.",
        ),
        Field::new("audience", &["audience"], Kind::String, "The API that a token was asked for."),
        Field::new("scope", &["scope"], Kind::Strings(FromString::Words), "The scopes that were asked for."),
        Field::new(
            "strategy",
            &["strategy"],
            Kind::String,
            "The kind of connection, such as `auth0` or `google-oauth2`.",
        ),
        Field::new(
            "strategyType",
            &["strategy_type"],
            Kind::String,
            "The family of the connection, such as `database` or `social`.",
        ),
        Field::new(
            "isMobile",
            &["isMobile", "is_mobile"],
            Kind::Boolean,
            "Whether the request came from a mobile device.",
        ),
        Field::new("userAgent", &["user_agent"], Kind::String, "The user agent, as Auth0 parsed it."),
        Field::new(
            "locationInfo",
            &["location_info"],
            Kind::Object(&LOCATION_INFO),
            "Where the address is thought to be.",
        ),
        Field::new(
            "details",
            &["details"],
            Kind::Json,
            "More about what happened. Its form depends on the type, and it can repeat what requests said: treat it as sensitive.",
        ),
        Field::new(
            "auth0Client",
            &["auth0_client"],
            Kind::Json,
            "The SDK that made the request, where it said so: in most cases a name, a version and an `env`.",
        ),
        Field::new(
            "organizationId",
            &["organization_id"],
            Kind::Id,
            "The id of the organization that the user logged in to.",
        ),
        Field::new("organizationName", &["organization_name"], Kind::String, "The name of that organization."),
        Field::new(
            "securityContext",
            &["security_context"],
            Kind::Object(&SECURITY_CONTEXT),
            "Fingerprints of the client's TLS.",
        ),
        Field::new("references", &["references"], Kind::Object(&REFERENCES), "Ids that tie this log to others."),
        Field::new("trackingId", &["tracking_id"], Kind::String, "An id for Auth0's support, on warnings."),
        Field::new("tenantName", &["tenant_name"], Kind::String, "The tenant's name, where Auth0 tells it."),
        Field::new(
            "environmentName",
            &["environment_name"],
            Kind::String,
            "The name of the tenant's environment, where Auth0 tells it.",
        ),
        Field::new(
            "eventSchema",
            &["$event_schema"],
            Kind::Object(&EVENT_SCHEMA),
            "The schema that this event was written by.",
        ),
        Field::new("identityUserId", &["identity_user_id"], Kind::Id, "The user's id with the identity provider."),
        Field::new("agentId", &["agent_id"], Kind::Id, "The id of the agent that acted."),
        Field::new("externalAgentId", &["external_agent_id"], Kind::Id, "The id that the agent has elsewhere."),
        Field::new("sessionConnection", &["session_connection"], Kind::String, "The connection of the session."),
        Field::new(
            "transactionLinkingId",
            &["transaction_linking_id"],
            Kind::Id,
            "An id that the logs of one transaction share.",
        ),
        Field::new(
            "mtlsThumbprintSha256",
            &["mtls_thumbprint_sha256"],
            Kind::String,
            "The SHA-256 thumbprint of the client's certificate.",
        ),
        Field::new("email", &["email"], Kind::String, "An e-mail address that the event is about, on a few types."),
        Field::new("title", &["title"], Kind::String, "A title, on a few types."),
        Field::new("body", &["body"], Kind::Json, "A body, on a few types."),
        Field::new("query", &["query"], Kind::Json, "A query, on a few types."),
        Field::attributes(),
    ],
};

static LOCATION_INFO: Object = Object {
    name: "LocationInfo",
    description: "Where an IP address is thought to be.",
    fields: &[
        Field::new("countryCode", &["country_code"], Kind::String, "The country's code of two letters."),
        Field::new("countryCode3", &["country_code3"], Kind::String, "The country's code of three letters."),
        Field::new("countryName", &["country_name"], Kind::String, "The country's name."),
        Field::new("cityName", &["city_name"], Kind::String, "The city's name."),
        Field::new("latitude", &["latitude"], Kind::Float, "Degrees north of the equator."),
        Field::new("longitude", &["longitude"], Kind::Float, "Degrees east of Greenwich."),
        Field::new("timeZone", &["time_zone"], Kind::String, "The time zone, by its name in the IANA database."),
        Field::new(
            "subdivisionCode",
            &["subdivision_code"],
            Kind::String,
            "The code of the state or province, as ISO 3166-2 has it behind the hyphen.",
        ),
        Field::new("subdivisionName", &["subdivision_name"], Kind::String, "The name of the state or province."),
        Field::new("continentCode", &["continent_code"], Kind::String, "The continent's code of two letters."),
        Field::attributes(),
    ],
};

static SECURITY_CONTEXT: Object = Object {
    name: "SecurityContext",
    description: "Fingerprints of how a client speaks TLS.",
    fields: &[
        Field::new("ja3", &["ja3"], Kind::String, "The JA3 fingerprint."),
        Field::new("ja4", &["ja4"], Kind::String, "The JA4 fingerprint."),
        Field::attributes(),
    ],
};

static REFERENCES: Object = Object {
    name: "LogReferences",
    description: "Ids that tie a log to others.",
    fields: &[
        Field::new(
            "correlationId",
            &["correlation_id"],
            Kind::Id,
            "An id that the caller of the Management API chose.",
        ),
        Field::new("traceId", &["trace_id"], Kind::Id, "The id of the trace."),
        Field::attributes(),
    ],
};

static EVENT_SCHEMA: Object = Object {
    name: "LogEventSchema",
    description: "The schema that an event was written by.",
    fields: &[Field::new("version", &["version"], Kind::String, "Its version."), Field::attributes()],
};
