//! HTTP/1.1, as much as both ends of a measurement need: whole messages with a `Content-Length`.

use anyhow::{Context, Result, ensure};
use memchr::memmem;

/// The first message in `buffer`: the length of its head, blank line included, and of the whole. `None` while it is not
/// all there.
///
/// # Errors
///
/// When its length is not told by `Content-Length`.
pub(crate) fn message(buffer: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = memmem::find(buffer, b"\r\n\r\n") else { return Ok(None) };
    let head = end + 4;
    let whole = head + content_length(&buffer[..end])?;
    Ok((whole <= buffer.len()).then_some((head, whole)))
}

fn content_length(head: &[u8]) -> Result<usize> {
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if name.eq_ignore_ascii_case(b"content-length") {
            return std::str::from_utf8(value)?.trim().parse().context("a Content-Length is not a number");
        }
        ensure!(!name.eq_ignore_ascii_case(b"transfer-encoding"), "an answer has no Content-Length");
    }
    Ok(0)
}
