//! The two directions of a stream, with a bound on silence and a cap on the rate.

use std::io;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use iroh_io::AsyncStreamReader;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use crate::groups::GROUP_BYTES;
use crate::rate::RateLimit;

/// A transfer that does not move for this long is given up. Home lines stall for seconds; QUIC itself takes a silent
/// connection for lost after thirty.
pub const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How long is waited for the end of a stream of which all that was wanted has come. A sender that says nothing more
/// and does not end it costs this once.
const END_MAX: Duration = Duration::from_secs(5);

/// A line fails.
#[derive(Debug)]
pub(crate) enum LineError {
    /// The other side ended it.
    Closed,
    /// It broke.
    Broken(io::Error),
    /// Nothing, or next to nothing, moved.
    Stalled,
}

/// What comes in.
#[derive(Debug)]
pub(crate) struct Incoming<S> {
    stream: S,
    buffer: BytesMut,
    rate: RateLimit,
    silence_max: Duration,
    /// How long the sender may still take for the rest of a group's worth of bytes.
    patience: Duration,
    earned_bytes: u64,
    /// Why the last read failed.
    pub failure: Option<LineError>,
}

impl<S: AsyncRead + Unpin> Incoming<S> {
    pub fn new(stream: S, rate: RateLimit, silence_max: Duration) -> Self {
        let buffer = BytesMut::new();
        Self { stream, buffer, rate, silence_max, patience: silence_max, earned_bytes: 0, failure: None }
    }

    /// Reads on until `bytes` are in the buffer. The bound on silence holds for each group's worth of bytes, and not
    /// for each byte, so that nobody can hold a place by sending one now and then.
    async fn fill(&mut self, bytes: usize) -> Result<(), LineError> {
        while self.buffer.len() < bytes {
            self.rate.ready().await;
            let chunk_bytes = self.rate.chunk_bytes();
            self.buffer.reserve(chunk_bytes.max(bytes - self.buffer.len()));
            let asked_at = Instant::now();
            let mut room = (&mut self.buffer).limit(chunk_bytes);
            match timeout(self.patience, self.stream.read_buf(&mut room)).await {
                Err(_) => return Err(LineError::Stalled),
                Ok(Err(error)) => return Err(LineError::Broken(error)),
                Ok(Ok(0)) => return Err(LineError::Closed),
                Ok(Ok(count)) => {
                    self.rate.charge(count);
                    self.earned_bytes += count as u64;
                    if self.earned_bytes >= GROUP_BYTES {
                        self.earned_bytes %= GROUP_BYTES;
                        self.patience = self.silence_max;
                    } else {
                        self.patience = self.patience.saturating_sub(asked_at.elapsed());
                    }
                }
            }
        }
        Ok(())
    }

    async fn take(&mut self, bytes: usize) -> io::Result<Bytes> {
        match self.fill(bytes).await {
            Ok(()) => Ok(self.buffer.split_to(bytes).freeze()),
            Err(failure) => {
                self.failure = Some(failure);
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        }
    }

    pub fn silence_max(&self) -> Duration {
        self.silence_max
    }

    /// Whether the stream ends here, as far as can be said within a bounded time.
    pub async fn ends(&mut self) -> bool {
        let mut byte = [0];
        self.buffer.is_empty() && !matches!(timeout(END_MAX, self.stream.read(&mut byte)).await, Ok(Ok(1)))
    }
}

/// What bao-tree decodes from. Where it fails, [`Incoming::failure`] says why.
impl<S: AsyncRead + Unpin> AsyncStreamReader for Incoming<S> {
    async fn read_bytes(&mut self, bytes: usize) -> io::Result<Bytes> {
        self.take(bytes).await
    }

    async fn read<const BYTES: usize>(&mut self) -> io::Result<[u8; BYTES]> {
        let taken = self.take(BYTES).await?;
        <[u8; BYTES]>::try_from(&taken[..]).map_err(io::Error::other)
    }
}

/// Writes all, as fast as the cap and the other side allow. As the other side may be slow on purpose, any byte that it
/// takes is a sign of life.
pub(crate) async fn write_all<S: AsyncWrite + Unpin>(
    stream: &mut S,
    mut bytes: &[u8],
    rate: &RateLimit,
    silence_max: Duration,
) -> Result<(), LineError> {
    while !bytes.is_empty() {
        rate.ready().await;
        let chunk = &bytes[..bytes.len().min(rate.chunk_bytes())];
        match timeout(silence_max, stream.write(chunk)).await {
            Err(_) => return Err(LineError::Stalled),
            Ok(Err(error)) => return Err(LineError::Broken(error)),
            Ok(Ok(0)) => return Err(LineError::Closed),
            Ok(Ok(count)) => {
                rate.charge(count);
                bytes = &bytes[count..];
            }
        }
    }
    Ok(())
}

/// Ends this side of a stream.
pub(crate) async fn end<S: AsyncWrite + Unpin>(
    stream: &mut S,
    silence_max: Duration,
) -> Result<(), LineError> {
    match timeout(silence_max, stream.shutdown()).await {
        Err(_) => Err(LineError::Stalled),
        Ok(ended) => ended.map_err(LineError::Broken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_byte_now_and_then_is_no_sign_of_life() {
        let (stream, mut other) = tokio::io::duplex(1024);
        let drip = tokio::spawn(async move {
            while other.write_all(&[0]).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(20)).await;
            }
        });
        let start = Instant::now();
        let mut incoming = Incoming::new(stream, RateLimit::unlimited(), SILENCE_MAX);
        assert!(incoming.read_bytes(64).await.is_err());
        assert!(matches!(incoming.failure, Some(LineError::Stalled)));
        assert_eq!(start.elapsed(), SILENCE_MAX);
        drop(incoming);
        drip.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_line_is_waited_for() {
        let (stream, mut other) = tokio::io::duplex(1024);
        let slow = tokio::spawn(async move {
            for _ in 0..64 {
                other.write_all(&[0; 1024]).await.unwrap();
                tokio::time::sleep(Duration::from_millis(1_800)).await;
            }
        });
        let mut incoming = Incoming::new(stream, RateLimit::unlimited(), SILENCE_MAX);
        assert_eq!(incoming.read_bytes(64 * 1024).await.unwrap().len(), 64 * 1024);
        slow.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn our_own_cap_is_not_the_senders_silence() {
        let (stream, mut other) = tokio::io::duplex(1024);
        let sender = tokio::spawn(async move { other.write_all(&[0; 4096]).await });
        let rate = RateLimit::new(std::num::NonZeroU64::new(20));
        let mut incoming = Incoming::new(stream, rate, SILENCE_MAX);
        let start = Instant::now();
        assert_eq!(incoming.read_bytes(4096).await.unwrap().len(), 4096);
        assert!(start.elapsed() > Duration::from_secs(100));
        sender.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_takes_nothing_is_given_up() {
        let (mut stream, _other) = tokio::io::duplex(1024);
        let sent = write_all(&mut stream, &[0; 4096], &RateLimit::unlimited(), SILENCE_MAX).await;
        assert!(matches!(sent, Err(LineError::Stalled)));
    }
}
