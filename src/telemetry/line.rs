//! What a line of the log looks like where it goes to a file or to a program.
//!
//! It is what tracing-subscriber would write, and tests hold it to that. The library puts every piece of a line through `fmt`
//! or a serializer, some several times: the audit's line took it 15,000 instructions, and 35,000 as JSON, which was a fourteenth
//! and a sixth of a small operation.

mod clock;
mod json;
mod text;

use tracing::{Event, Metadata};
use tracing_log::NormalizeEvent as _;

pub(crate) use self::json::Json;
pub(crate) use self::text::Text;

/// How many bytes a line has, if it is long.
const LONG: usize = 512;

/// Tells what is known of an event beforehand. Events of libraries that use the crate `log` carry it among their fields.
fn with_metadata(event: &Event<'_>, write: impl FnOnce(&Metadata<'_>)) {
    match event.normalized_metadata() {
        Some(metadata) => write(&metadata),
        None => write(event.metadata()),
    }
}

/// Whether this is true of each byte of a text. Unlike that of iterators it does not stop at one of which it is not, so that
/// many are judged at once.
fn all(text: &str, is_true: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |all, byte| all & is_true(byte))
}

#[cfg(test)]
mod tests;
