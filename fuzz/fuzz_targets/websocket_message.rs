//! A client's message over a WebSocket.
#![no_main]

use auth0_graphql::http::testing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| testing::message(text));
