//! The keys of an issuer.
#![no_main]

use auth0_graphql::auth::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| fuzzing::key_set(data));
