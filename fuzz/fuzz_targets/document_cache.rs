//! Documents, a NUL between them, that are asked for by text and by hash, one after the other.
#![no_main]

use auth0_graphql::graphql::testing;
use libfuzzer_sys::fuzz_target;

/// The most documents of a case: each is asked for along with each other.
const MOST: usize = 4;

fuzz_target!(|data: &str| {
    let texts: Vec<_> = data.split('\0').take(MOST).collect();
    testing::document_cache(&texts);
});
