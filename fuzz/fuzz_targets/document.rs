//! A document, and after a NUL the values of its variables: limits, parser, validation, our own rules, normal form.
#![no_main]

use auth0_graphql::graphql::testing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| {
    let (text, variables) = data.split_once('\0').unwrap_or((data, "{}"));
    testing::document(text, variables);
});
