//! The promises of the program, kept over its doors.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail by any road")]

mod arguments;
mod cli;
mod faults;
mod gateway;
mod house;
mod logs;
mod operations;
mod recordings;
mod schema;
mod time;
mod tokens;
mod users;
