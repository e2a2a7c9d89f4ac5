//! HTTP/2, frame by frame: client libraries do nothing wrong.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;

const END_STREAM_AND_HEADERS: u8 = 0x5;
const END_OF_HEADERS: u8 = 0x4;

/// RFC 9113, section 7.
pub(crate) const ENHANCE_YOUR_CALM: u32 = 0xb;

/// RFC 9113, section 6.5.2.
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 0x4;
pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 0x3;
pub(crate) const MAX_HEADER_LIST_SIZE: u16 = 0x6;

/// A frame that came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) payload: Vec<u8>,
}

/// A connection.
pub(crate) struct Http2(TcpStream);

impl Http2 {
    /// Connects, and says with which settings.
    pub(crate) async fn connect(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut connection = Self(TcpStream::connect(address).await.unwrap());
        let payload: Vec<_> = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        let opening = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, &payload)[..]].concat();
        connection.write(&opening).await;
        connection
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The same to a connection that may be closed.
    pub(crate) async fn write_if_open(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// The next frame; none when the connection is closed.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Frame { kind: head[3], flags: head[4], payload })
    }

    /// Every frame that comes before the connection is closed.
    pub(crate) async fn rest(mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.frame().await {
            frames.push(frame);
        }
        frames
    }
}

/// A GET of `/livez`, whole.
pub(crate) fn get_livez(stream: u32) -> Vec<u8> {
    get(stream, "/livez")
}

/// A GET of a target of 127 to 254 bytes, or of fewer, whole.
pub(crate) fn get(stream: u32, target: &str) -> Vec<u8> {
    // Two entries of HPACK's static table, and two names of it with values as they are.
    let length = u8::try_from(target.len()).unwrap();
    let length = if length < 127 { vec![length] } else { vec![127, length - 127] };
    let fields = [&b"\x82\x86\x04"[..], &length, target.as_bytes(), b"\x01\x09localhost"].concat();
    frame(HEADERS, END_STREAM_AND_HEADERS, stream, &fields)
}

/// A POST of GraphQL whose body does not come.
pub(crate) fn post_without_body(stream: u32) -> Vec<u8> {
    let fields = b"\x83\x86\x04\x08/graphql\x01\x09localhost\x0f\x10\x10application/json";
    frame(HEADERS, END_OF_HEADERS, stream, fields)
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}
