//! The promises of the program, kept over its doors.
#![expect(clippy::unwrap_used, reason = "a test may fail by any road")]

mod cli;
mod house;
