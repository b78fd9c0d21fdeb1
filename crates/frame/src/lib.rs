//! Length-delimited messages over any stream, capped in size.
//!
//! A frame is a `u32` length of the body, little-endian, then the body: one message in postcard. Either side may
//! be hostile to the other: a length over the cap is refused before anything is allocated for it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Read, Write};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A frame cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other side closed the stream; what it had begun to say is incomplete.
    #[error("the other side closed the connection")]
    Closed,
    /// Announced or given length is over the cap.
    #[error("a message of {bytes} bytes is over the limit of {bytes_max}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The cap.
        bytes_max: usize,
    },
    /// The body is no message of this protocol.
    #[error("a message cannot be understood: {0}")]
    Malformed(#[from] postcard::Error),
    /// Reading or writing failed.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
}

impl lull_types::Coded for FrameError {
    fn code(&self) -> &'static str {
        match self {
            Self::Closed => "connection_closed",
            Self::TooLarge { .. } => "frame_too_large",
            Self::Malformed(_) => "frame_malformed",
            Self::Io(_) => "connection_broken",
        }
    }
}

/// Frames of one protocol.
#[derive(Clone, Copy, Debug)]
pub struct Frames {
    /// The cap on a body. At most `u32::MAX`.
    pub bytes_max: usize,
}

impl Frames {
    /// A message as the bytes of its frame.
    pub fn encode<T: Serialize>(self, message: &T) -> Result<Vec<u8>, FrameError> {
        let mut frame = postcard::to_extend(message, vec![0; 4])?;
        let length = self.checked(frame.len() - 4)?;
        frame[..4].copy_from_slice(&length.to_le_bytes());
        Ok(frame)
    }

    /// A message from the body of a frame. Bytes after the message are refused.
    pub fn decode<T: DeserializeOwned>(self, body: &[u8]) -> Result<T, FrameError> {
        let (message, rest) = postcard::take_from_bytes(body)?;
        if rest.is_empty() { Ok(message) } else { Err(postcard::Error::DeserializeBadEncoding.into()) }
    }

    /// Reads one message. Cancelling it in the middle loses the place in the stream.
    pub async fn read<T: DeserializeOwned>(
        self,
        source: &mut (impl AsyncRead + Unpin),
    ) -> Result<T, FrameError> {
        let mut header = [0; 4];
        closed_at_end(source.read_exact(&mut header).await.map(|_| ()))?;
        let length = self.checked(u32::from_le_bytes(header) as usize)?;
        // Grows with what arrives, so that a false length costs its sender the bytes.
        let mut body = Vec::new();
        source.take(length.into()).read_to_end(&mut body).await?;
        self.decode_whole(&body, length)
    }

    /// Writes one message and flushes.
    pub async fn write<T: Serialize>(
        self,
        target: &mut (impl AsyncWrite + Unpin),
        message: &T,
    ) -> Result<(), FrameError> {
        target.write_all(&self.encode(message)?).await?;
        Ok(target.flush().await?)
    }

    /// Reads one message, blocking.
    pub fn read_blocking<T: DeserializeOwned>(self, source: &mut impl Read) -> Result<T, FrameError> {
        let mut header = [0; 4];
        closed_at_end(source.read_exact(&mut header))?;
        let length = self.checked(u32::from_le_bytes(header) as usize)?;
        let mut body = Vec::new();
        source.take(length.into()).read_to_end(&mut body)?;
        self.decode_whole(&body, length)
    }

    /// Writes one message and flushes, blocking.
    pub fn write_blocking<T: Serialize>(
        self,
        target: &mut impl Write,
        message: &T,
    ) -> Result<(), FrameError> {
        target.write_all(&self.encode(message)?)?;
        Ok(target.flush()?)
    }

    fn checked(self, bytes: usize) -> Result<u32, FrameError> {
        match u32::try_from(bytes) {
            Ok(length) if bytes <= self.bytes_max => Ok(length),
            _ => Err(FrameError::TooLarge { bytes, bytes_max: self.bytes_max }),
        }
    }

    fn decode_whole<T: DeserializeOwned>(self, body: &[u8], length: u32) -> Result<T, FrameError> {
        if body.len() < length as usize { Err(FrameError::Closed) } else { self.decode(body) }
    }
}

fn closed_at_end(result: io::Result<()>) -> Result<(), FrameError> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => FrameError::Closed,
        _ => FrameError::Io(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAMES: Frames = Frames { bytes_max: 64 };

    #[test]
    fn a_message_survives_its_frame() {
        let frame = FRAMES.encode(&(7u32, "text".to_owned())).unwrap();
        let back: (u32, String) = FRAMES.read_blocking(&mut &frame[..]).unwrap();
        assert_eq!(back, (7, "text".to_owned()));
    }

    #[test]
    fn bad_frames_are_told_apart() {
        let read = |bytes: &[u8]| FRAMES.read_blocking::<String>(&mut &bytes[..]).unwrap_err();
        assert!(matches!(read(&[]), FrameError::Closed));
        assert!(matches!(read(&[5, 0, 0, 0, 1]), FrameError::Closed));
        assert!(matches!(read(&[0xff; 8]), FrameError::TooLarge { .. }));
        assert!(matches!(read(&[1, 0, 0, 0, 0x7f]), FrameError::Malformed(_)));
        assert!(matches!(read(&[2, 0, 0, 0, 0, 0]), FrameError::Malformed(_)), "trailing bytes");
        assert!(matches!(FRAMES.encode(&"x".repeat(65)), Err(FrameError::TooLarge { .. })));
    }
}
