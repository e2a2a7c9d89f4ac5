//! An id, an e-mail address, a checkpoint and a `q`, on their way into a call to Auth0.
#![no_main]

use auth0_graphql::auth0::testing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| testing::arguments(data));
