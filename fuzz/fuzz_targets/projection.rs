//! A byte that chooses what is asked for, and the body of what Auth0 answers.
#![no_main]

use auth0_graphql::graphql::testing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some((choice, json)) = data.split_first() {
        testing::projection(*choice, json);
    }
});
