//! Bodies that came packed.

use std::io::{self, Read as _};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

/// Why a body cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unpackable {
    /// It unpacks to more than the limit. How much more is not looked at: it may be a thousand times as much.
    #[error("it unpacks to more than it may")]
    TooLarge,
    #[error(transparent)]
    Broken(#[from] io::Error),
}

/// Unpacks a whole body, as long as it comes to no more than `limit` bytes.
pub(super) fn unpack(packed: &[u8], limit: usize) -> Result<Bytes, Unpackable> {
    // A member's last four bytes say how long it is unpacked. It is a hint that costs nothing if it is a lie, for it is bounded by
    // what gzip can make of so many bytes: a thousandth.
    let told = packed.last_chunk().map_or(0, |told| u32::from_le_bytes(*told) as usize);
    let mut body = Vec::with_capacity(told.min(limit).min(packed.len().saturating_mul(1_032)));
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(packed).take(most).read_to_end(&mut body)?;
    if body.len() > limit { Err(Unpackable::TooLarge) } else { Ok(body.into()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn pack(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_was_packed_comes_back() {
        for body in [&b""[..], b"[]", &[7; 100_000]] {
            assert_eq!(unpack(&pack(body), 100_000).unwrap(), body);
        }
        // A server may pack a body in parts.
        let parts = [pack(b"[1,"), pack(b"2]")].concat();
        assert_eq!(unpack(&parts, 5).unwrap(), &b"[1,2]"[..]);
    }

    #[test]
    fn a_bomb_is_not_unpacked_to_its_end() {
        let bomb = pack(&vec![b' '; 10_000_000]);
        assert!(bomb.len() < 20_000, "{}", bomb.len());
        assert!(matches!(unpack(&bomb, 9_999_999), Err(Unpackable::TooLarge)));
        assert!(unpack(&bomb, 10_000_000).is_ok());
        // One that says it is small.
        let mut liar = bomb;
        liar.truncate(liar.len() - 4);
        liar.extend([1, 0, 0, 0]);
        assert!(matches!(unpack(&liar, 1_000), Err(Unpackable::TooLarge)));
    }

    #[test]
    fn what_is_not_whole_is_broken() {
        let whole = pack(b"[1,2,3]");
        for broken in [b"[]", &b""[..], &whole[..4], &whole[..whole.len() - 1], &[&whole[..], b"x"].concat()] {
            assert!(matches!(unpack(broken, 1_000), Err(Unpackable::Broken(_))), "{broken:?}");
        }
    }
}
