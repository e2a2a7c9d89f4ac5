//! The promises of the program, kept over its doors.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail by any road")]

mod answer;
mod cli;
mod documents;
mod gateway;
mod hosts;
mod house;
mod limits;
mod operations;
mod over_http;
mod playground;
mod requests;
mod schema;
