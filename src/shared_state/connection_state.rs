//! The state of the connection to Redis: there for those who wait, late, or none.

use redis::aio::MultiplexedConnection;

use super::availability::Availability;

/// The state of the connection to Redis.
pub(super) enum ConnectionState {
    /// No answer yet.
    Connecting {
        /// True once it has been waited for in vain.
        is_overdue: bool,
    },
    Up(Connection),
    /// Answers come late. It is for work in the background, until another is there.
    Late(Connection),
    Down,
}

#[derive(Clone)]
pub(super) struct Connection {
    pub(super) connection: MultiplexedConnection,
    /// Counts connections, so that a failure on an old one does not end its successor.
    pub(super) generation: u64,
}

impl ConnectionState {
    pub(super) fn availability(&self) -> Availability {
        match self {
            Self::Connecting { is_overdue: false } => Availability::Unknown,
            Self::Up(_) => Availability::Up,
            Self::Late(_) => Availability::Late,
            Self::Connecting { is_overdue: true } | Self::Down => Availability::Down,
        }
    }

    pub(super) fn is_down(&self) -> bool {
        matches!(self, Self::Late(_) | Self::Down)
    }

    /// The connection for those who wait.
    pub(super) fn connection(&self) -> Option<Connection> {
        match self {
            Self::Up(connection) => Some(connection.clone()),
            Self::Connecting { .. } | Self::Late(_) | Self::Down => None,
        }
    }

    /// The connection for work in the background.
    pub(super) fn background_connection(&self) -> Option<Connection> {
        match self {
            Self::Up(connection) | Self::Late(connection) => Some(connection.clone()),
            Self::Connecting { .. } | Self::Down => None,
        }
    }
}
