//! The promises of the program, kept over its doors.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail by any road")]

mod answer;
mod arguments;
mod audit;
mod authentication;
mod browsers;
mod canary;
mod cli;
mod compression;
mod doctor;
mod documents;
mod faults;
mod garbage;
mod gateway;
mod hostile;
mod hosts;
mod house;
mod joins;
mod limits;
mod logs;
mod mock;
mod operations;
mod over_http;
mod pacing;
mod playground;
mod recordings;
mod requests;
mod schema;
mod scopes;
mod serving;
mod sharing;
mod time;
mod tokens;
mod users;
mod websocket;
mod written;
