//! The session stream: messages both ways, in order.

use std::future::Future;
use std::time::Duration;

use iroh::endpoint::{Connection, RecvStream, SendStream, VarInt};
use lull_network_api::{FRAMES, NetworkMessage, NetworkTicket, WorkerMessage};
use lull_types::{Coded, Fault};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::opening::Opened;
use super::{ChallengeStream, Dialer, SessionError, ShiftStream, reading_failed};

/// Messages that wait to leave. A worker says a few a second at most; a network that lets a thousand wait does
/// not read.
const OUTGOING_MAX: usize = 1024;

/// How long closing waits for what was sent to arrive.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The application's code for closing on purpose; the only one in use.
const CLOSED_ON_PURPOSE: VarInt = VarInt::from_u32(0);

/// What happens on a link.
#[derive(Debug)]
pub enum LinkEvent {
    /// It is open.
    Opened,
    /// The network said something.
    Said(Box<NetworkMessage>),
    /// The network wants to time a device.
    Challenged(ChallengeStream),
    /// The network begins a shift.
    ShiftOpened(ShiftStream),
    /// It is over, or was never open; nothing follows.
    Lost(Fault),
}

/// A session that is being opened, is open, or is over. Dropping it closes it without waiting.
#[derive(Debug)]
pub struct Link {
    outgoing: mpsc::Sender<WorkerMessage>,
    connection: watch::Receiver<Option<Connection>>,
    close: CancellationToken,
    not_reading: CancellationToken,
    over: JoinHandle<()>,
}

impl Link {
    /// Begins to open a session. What happens is told through `tell`, in order; the last is
    /// [`LinkEvent::Lost`].
    pub fn open<F>(
        dialer: Dialer,
        ticket: NetworkTicket,
        tell: impl Fn(LinkEvent) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (outgoing, queue) = mpsc::channel(OUTGOING_MAX);
        let (connected, connection) = watch::channel(None);
        let close = CancellationToken::new();
        let not_reading = CancellationToken::new();
        let run = run(dialer, ticket, queue, connected, close.clone(), not_reading.clone(), tell);
        let over = tokio::spawn(run);
        Self { outgoing, connection, close, not_reading, over }
    }

    /// Sends a message after those sent before it. On a session that is over it goes nowhere.
    pub fn send(&self, message: WorkerMessage) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.outgoing.try_send(message) {
            self.not_reading.cancel();
        }
    }

    /// The connection while it is open, for blob streams.
    pub fn connection(&self) -> Option<Connection> {
        self.connection.borrow().clone()
    }

    /// Closes after what was sent has left, within a second.
    pub fn close(&self) {
        self.close.cancel();
    }

    /// Closes, and waits until it is over; somewhat over a second at most.
    pub async fn closed(mut self) {
        self.close();
        // A network that can no longer be told anything is left with what it has.
        let _ = tokio::time::timeout(2 * CLOSE_TIMEOUT, &mut self.over).await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close.cancel();
    }
}

async fn run<F: Future<Output = ()> + Send>(
    dialer: Dialer,
    ticket: NetworkTicket,
    queue: mpsc::Receiver<WorkerMessage>,
    connected: watch::Sender<Option<Connection>>,
    close: CancellationToken,
    not_reading: CancellationToken,
    tell: impl Fn(LinkEvent) -> F + Send + Sync + 'static,
) {
    let opened = tokio::select! {
        opened = open(&dialer, &ticket) => opened,
        () = close.cancelled() => Err(closed_on_purpose()),
    };
    let (connection, send, receive) = match opened {
        Ok(opened) => opened,
        Err(error) => return tell(LinkEvent::Lost(error.fault())).await,
    };
    connected.send_replace(Some(connection.clone()));
    tell(LinkEvent::Opened).await;
    let error = tokio::select! {
        error = read(receive, &tell) => error,
        error = write(send, queue, &close) => error,
        error = accept_streams(&connection, &tell) => error,
        () = not_reading.cancelled() => SessionError::NotReading,
    };
    connected.send_replace(None);
    connection.close(CLOSED_ON_PURPOSE, b"");
    tell(LinkEvent::Lost(error.fault())).await;
}

async fn open(
    dialer: &Dialer,
    ticket: &NetworkTicket,
) -> Result<(Connection, SendStream, RecvStream), SessionError> {
    let connection = dialer.dial(ticket).await?;
    let (send, receive) =
        connection.open_bi().await.map_err(|error| SessionError::Lost(error.to_string()))?;
    Ok((connection, send, receive))
}

/// Reads until the end. A message waits until the one before was taken, so that a network that floods is
/// slowed down instead of filling the memory.
async fn read<F: Future<Output = ()> + Send>(
    mut receive: RecvStream,
    tell: &(impl Fn(LinkEvent) -> F + Send + Sync),
) -> SessionError {
    loop {
        match FRAMES.read::<NetworkMessage>(&mut receive).await {
            Ok(message) => tell(LinkEvent::Said(Box::new(message))).await,
            Err(error) => return reading_failed(error),
        }
    }
}

async fn accept_streams<F: Future<Output = ()> + Send>(
    connection: &Connection,
    tell: &(impl Fn(LinkEvent) -> F + Send + Sync),
) -> SessionError {
    loop {
        match Opened::accept(connection).await {
            Ok(Opened::Challenge(stream)) => tell(LinkEvent::Challenged(stream)).await,
            Ok(Opened::Shift(stream)) => tell(LinkEvent::ShiftOpened(stream)).await,
            Err(error) => return error,
        }
    }
}

async fn write(
    mut send: SendStream,
    mut queue: mpsc::Receiver<WorkerMessage>,
    close: &CancellationToken,
) -> SessionError {
    loop {
        let message = tokio::select! {
            // What was sent before the closing leaves first.
            biased;
            message = queue.recv() => message,
            () = close.cancelled() => None,
        };
        let Some(message) = message else { break };
        let written = tokio::select! {
            written = FRAMES.write(&mut send, &message) => written,
            () = close_overdue(close) => return closed_on_purpose(),
        };
        if let Err(error) = written {
            return reading_failed(error);
        }
    }
    let arrived = async {
        // Either fails only when the network is gone, and then nothing is left to wait for.
        if send.finish().is_ok() {
            let _ = send.stopped().await;
        }
    };
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, arrived).await;
    closed_on_purpose()
}

async fn close_overdue(close: &CancellationToken) {
    close.cancelled().await;
    tokio::time::sleep(CLOSE_TIMEOUT).await;
}

fn closed_on_purpose() -> SessionError {
    SessionError::Lost("it was closed on purpose".to_owned())
}
