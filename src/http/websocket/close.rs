//! Close codes and reasons of a WebSocket.

use axum::extract::ws::{CloseFrame, Message};

/// Longest reason that a close frame holds, in bytes (RFC 6455, 5.5).
pub(crate) const MAX_REASON: usize = 123;

/// A reason for the gateway to close a WebSocket, with the protocol's code where it has one. The texts are for people to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The gateway stops.
    GoingAway,
    /// A frame or a text is not what RFC 6455 says, or it is larger than is read at all.
    Unreadable,
    /// A message is larger than this many bytes.
    TooLarge(usize),
    /// More pings and pongs than any client needs.
    TooManyPings,
    /// The gateway's own fault.
    Internal,
    /// It is not known now whether the credentials are good.
    TryAgain(String),
    /// A message is none of the protocol's.
    BadMessage(String),
    /// An operation came before the connection was acknowledged.
    Unauthorized,
    /// No credentials came, or they are not good, or not any more.
    Forbidden(String),
    /// `connection_init` did not come in time.
    InitTimeout,
    /// An operation has the id of one that is under way.
    SubscriberExists(String),
    /// `connection_init` came twice.
    TooManyInits,
}

impl CloseReason {
    fn code(&self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::Unreadable => 1002,
            Self::TooManyPings => 1008,
            Self::TooLarge(_) => 1009,
            Self::Internal => 1011,
            // "Try Again Later" in IANA's registry of close codes.
            Self::TryAgain(_) => 1013,
            Self::BadMessage(_) => 4400,
            Self::Unauthorized => 4401,
            Self::Forbidden(_) => 4403,
            Self::InitTimeout => 4408,
            Self::SubscriberExists(_) => 4409,
            Self::TooManyInits => 4429,
        }
    }

    fn text(self) -> String {
        match self {
            Self::GoingAway => "The gateway stops.".to_owned(),
            Self::Unreadable => "This is no WebSocket frame, not UTF-8, or far too large.".to_owned(),
            Self::TooLarge(most) => format!("The message is larger than {most} bytes: ask for less at once."),
            Self::TooManyPings => "Too many pings: send at most 10 a second.".to_owned(),
            Self::Internal => "Internal error.".to_owned(),
            Self::TryAgain(reason) | Self::BadMessage(reason) | Self::Forbidden(reason) => reason,
            Self::Unauthorized => "Unauthorized: send connection_init, and wait for connection_ack.".to_owned(),
            Self::InitTimeout => "Connection initialisation timeout".to_owned(),
            Self::SubscriberExists(id) => format!("Subscriber for {id} already exists"),
            Self::TooManyInits => "Too many initialisation requests".to_owned(),
        }
    }

    /// The close frame.
    pub(crate) fn into_message(self) -> Message {
        let code = self.code();
        let mut reason = self.text();
        let end = (0..=MAX_REASON).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or_default();
        if end < reason.len() {
            reason.truncate(end);
        }
        Message::Close(Some(CloseFrame { code, reason: reason.into() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_into_its_frame() {
        for (reason, length) in [("short", 5), (&"x".repeat(123), 123), (&"x".repeat(124), 123), (&"é".repeat(99), 122)]
        {
            let Message::Close(Some(frame)) = CloseReason::Forbidden(reason.to_owned()).into_message() else {
                panic!()
            };
            assert_eq!((frame.code, frame.reason.len()), (4403, length), "{reason}");
        }
    }
}
