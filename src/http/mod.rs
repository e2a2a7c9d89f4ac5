//! The HTTP room.

pub(crate) mod playground;
