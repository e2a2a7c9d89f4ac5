//! The keys of an issuer.
#![no_main]

use auth0_graphql::auth::testing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| testing::key_set(data));
