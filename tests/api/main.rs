//! The promises of the program, kept over its doors.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail by any road")]

mod authentication;
mod cli;
mod gateway;
mod house;
mod operations;
mod schema;
