//! Any text, read by the scanner and by `serde_json`.
#![no_main]

use auth0_graphql::graphql::testing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| testing::json(text));
