//! Auth0's answer: a `Link` header, a line break, a body.
#![no_main]

use auth0_graphql::auth0::testing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (link, body) = match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (&b""[..], data),
    };
    testing::envelope(link, body);
});
