//! An access token: as a whole, or, where there is a NUL, its header and its claims before they are encoded.
#![no_main]

use auth0_graphql::auth::testing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match data.iter().position(|byte| *byte == 0) {
        Some(at) => testing::header_and_claims(&data[..at], &data[at + 1..]),
        None => testing::token(&String::from_utf8_lossy(data)),
    }
});
