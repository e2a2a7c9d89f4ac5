//! Tables of connections, as Relay has them: <https://relay.dev/graphql/connections.htm>.
//!
//! A connection is a record that the gateway makes of what it has read, and is projected like any of Auth0's.

use super::log::LOG;
use super::object::{ConnectionType, Field, Kind, Object};
use super::user::USER;

pub(crate) static USER_CONNECTION: ConnectionType = ConnectionType {
    object: &Object {
        name: "UserConnection",
        description: "Some of the users that a search finds, and the way to all others.",
        fields: &[
            Field::new("edges", &["edges"], Kind::Objects(&USER_EDGE), "The users, each with its cursor.").non_null(),
            Field::new("nodes", &["nodes"], Kind::Objects(&USER), "The users.").non_null(),
            Field::new("pageInfo", &["pageInfo"], Kind::Object(&PAGE_INFO), "What is before and behind them.")
                .non_null(),
            Field::new(
                "totalCount",
                &["totalCount"],
                Kind::Int,
                "How many users the search finds in all; null where there are 1,000 or more, for Auth0 counts no further. Asked of Auth0 only when it \
                 is selected: behind the first page, that is one more call.",
            ),
        ],
    },
    node: &USER,
    order: &["user_id", "created_at"],
};

pub(crate) static LOG_CONNECTION: ConnectionType = ConnectionType {
    object: &Object {
        name: "LogConnection",
        description: "Some of the logs that a search finds, and the way to all older ones.",
        fields: &[
            Field::new("edges", &["edges"], Kind::Objects(&LOG_EDGE), "The logs, each with its cursor.").non_null(),
            Field::new("nodes", &["nodes"], Kind::Objects(&LOG), "The logs.").non_null(),
            Field::new("pageInfo", &["pageInfo"], Kind::Object(&PAGE_INFO), "What is before and behind them.")
                .non_null(),
        ],
    },
    node: &LOG,
    order: &["log_id"],
};

static USER_EDGE: Object = Object {
    name: "UserEdge",
    description: "A user, and the place behind.",
    fields: &[
        Field::new("cursor", &["cursor"], Kind::String, CURSOR).non_null(),
        Field::new("node", &["node"], Kind::Object(&USER), "The user.").non_null(),
    ],
};

static LOG_EDGE: Object = Object {
    name: "LogEdge",
    description: "A log, and the place behind.",
    fields: &[
        Field::new("cursor", &["cursor"], Kind::String, CURSOR).non_null(),
        Field::new("node", &["node"], Kind::Object(&LOG), "The log.").non_null(),
    ],
};

const CURSOR: &str = "The place behind it, for `after`. It is good for days.";

static PAGE_INFO: Object = Object {
    name: "PageInfo",
    description: "What is before and behind a page.",
    fields: &[
        Field::new(
            "hasNextPage",
            &["hasNextPage"],
            Kind::Boolean,
            "Whether there is more. A full page may promise one more that turns out to be empty.",
        )
        .non_null(),
        Field::new(
            "hasPreviousPage",
            &["hasPreviousPage"],
            Kind::Boolean,
            "Whether something is before: true behind `after`. There is no way back but to keep the cursors.",
        )
        .non_null(),
        Field::new("startCursor", &["startCursor"], Kind::String, "The cursor of the first; null if there is none."),
        Field::new(
            "endCursor",
            &["endCursor"],
            Kind::String,
            "The cursor to go on from. That of the last page goes on later, with what has come since.",
        ),
    ],
};
