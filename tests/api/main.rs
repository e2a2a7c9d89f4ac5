//! The promises of the program, kept over its doors.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail by any road")]

mod answer;
mod arguments;
mod authentication;
mod cli;
mod documents;
mod faults;
mod gateway;
mod hosts;
mod house;
mod joins;
mod limits;
mod logs;
mod mock;
mod operations;
mod over_http;
mod playground;
mod recordings;
mod requests;
mod schema;
mod sharing;
mod time;
mod tokens;
mod users;
mod websocket;
