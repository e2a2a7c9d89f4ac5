//! A client's message over a WebSocket.
#![no_main]

use auth0_graphql::http::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| fuzzing::message(text));
