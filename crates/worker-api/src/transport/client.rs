//! The side of the app and the command line.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use interprocess::local_socket::GenericFilePath;
use interprocess::local_socket::tokio::Stream;
use interprocess::local_socket::tokio::prelude::*;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

use super::{
    CLIENT_FRAME_BYTES_MAX, CODE_VERSION_MISMATCH, Endpoint, SERVER_FRAME_BYTES_MAX, TransportError, codec,
};
use crate::{Command, CommandEnvelope, PROTOCOL_VERSION, Reply, ReplyEnvelope, ServerMessage, Snapshot};

/// How long a reply may take. The longest command recomputes every receipt; a hundred thousand of them take
/// about ten seconds on a slow machine.
const REPLY_MAX: Duration = Duration::from_secs(60);

/// How long connecting may take. A local endpoint answers at once or is frozen.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// A connection to the worker. Clones share it; it ends with the last of them and of its [`Snapshots`].
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    sender: tokio::sync::Mutex<FramedWrite<WriteHalf<Stream>, LengthDelimitedCodec>>,
    next_id: AtomicU64,
    inbox: Arc<Inbox>,
    reader: AbortHandle,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// What the reader fills and callers wait for.
#[derive(Debug)]
struct Inbox {
    pending: Mutex<Pending>,
    snapshots: watch::Sender<Option<Arc<Snapshot>>>,
}

#[derive(Debug)]
enum Pending {
    Open(HashMap<u64, oneshot::Sender<Reply>>),
    Closed(Ending),
}

/// Why the connection ended.
#[derive(Clone, Debug)]
enum Ending {
    Lost,
    Malformed(String),
}

impl From<Ending> for TransportError {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Lost => Self::Lost,
            Ending::Malformed(what) => Self::Malformed(what),
        }
    }
}

impl Inbox {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        // Nothing panics while the lock is held, and the map is whole between any two statements.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ending(&self) -> TransportError {
        match &*self.pending() {
            Pending::Closed(ending) => ending.clone().into(),
            Pending::Open(_) => TransportError::Lost,
        }
    }
}

impl Client {
    /// Connects to the worker at `endpoint`.
    ///
    /// # Errors
    /// [`TransportError::NotRunning`] when nobody answers there.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self, TransportError> {
        let name =
            endpoint.path().to_fs_name::<GenericFilePath>().map_err(|error| endpoint.unusable(error))?;
        let stream = match timeout(CONNECT_MAX, Stream::connect(name)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                return Err(match error.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                        TransportError::NotRunning(error)
                    }
                    _ => endpoint.unusable(error),
                });
            }
            Err(_) => return Err(TransportError::NotAnswering { seconds: CONNECT_MAX.as_secs() }),
        };
        let (receive, send) = tokio::io::split(stream);
        let inbox = Arc::new(Inbox {
            pending: Mutex::new(Pending::Open(HashMap::new())),
            snapshots: watch::Sender::new(None),
        });
        let reader = tokio::spawn(read(receive, Arc::clone(&inbox))).abort_handle();
        let sender = tokio::sync::Mutex::new(FramedWrite::new(send, codec(CLIENT_FRAME_BYTES_MAX)));
        Ok(Self { shared: Arc::new(Shared { sender, next_id: AtomicU64::new(1), inbox, reader }) })
    }

    /// Asks the worker and waits for its reply. Several may be asked at once. A refusal is
    /// [`Reply::Refused`], except that of another protocol version.
    ///
    /// # Errors
    /// When the connection ends or nothing comes within a minute. The command may have been carried out.
    pub async fn command(&self, command: Command) -> Result<Reply, TransportError> {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let envelope = CommandEnvelope { protocol: PROTOCOL_VERSION, id, command };
        let bytes =
            serde_json::to_vec(&envelope).map_err(|error| TransportError::Malformed(error.to_string()))?;
        if bytes.len() > CLIENT_FRAME_BYTES_MAX {
            return Err(TransportError::Malformed("the command is too large".to_owned()));
        }
        let (answer, answered) = oneshot::channel();
        match &mut *self.shared.inbox.pending() {
            Pending::Open(pending) => drop(pending.insert(id, answer)),
            Pending::Closed(ending) => return Err(ending.clone().into()),
        }
        // Whatever happens next, the entry must not stay behind.
        let _forget = Forget { inbox: &self.shared.inbox, id };
        let exchange = async {
            // A task of its own would finish a frame whose caller gives up; here a caller that does leaves the
            // frame in the codec's buffer, and the next command sends the rest of it first.
            let sent = self.shared.sender.lock().await.send(bytes.as_slice()).await;
            sent.map_err(|_| self.shared.inbox.ending())?;
            answered.await.map_err(|_| self.shared.inbox.ending())
        };
        match timeout(REPLY_MAX, exchange).await {
            Ok(Ok(Reply::Refused(fault))) if fault.code == CODE_VERSION_MISMATCH => {
                Err(TransportError::VersionMismatch { worker: 0, client: PROTOCOL_VERSION })
            }
            Ok(outcome) => outcome,
            Err(_) => Err(TransportError::NotAnswering { seconds: REPLY_MAX.as_secs() }),
        }
    }

    /// A snapshot now and after every change.
    pub async fn subscribe(&self) -> Result<Snapshots, TransportError> {
        let receiver = self.shared.inbox.snapshots.subscribe();
        match self.command(Command::Subscribe).await? {
            Reply::Refused(fault) => Err(TransportError::Malformed(fault.to_string())),
            _ => Ok(Snapshots { receiver, client: self.clone() }),
        }
    }
}

struct Forget<'a> {
    inbox: &'a Inbox,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        if let Pending::Open(pending) = &mut *self.inbox.pending() {
            pending.remove(&self.id);
        }
    }
}

/// The worker's snapshots, the latest each time.
#[derive(Debug)]
pub struct Snapshots {
    receiver: watch::Receiver<Option<Arc<Snapshot>>>,
    client: Client,
}

impl Snapshots {
    /// Waits for a snapshot that was not returned yet. When several have come, the latest is returned and the
    /// others are dropped. Cancel safe.
    ///
    /// # Errors
    /// When the connection has ended, or the worker is of another version.
    pub async fn next(&mut self) -> Result<Arc<Snapshot>, TransportError> {
        loop {
            // The sender is dropped never: the inbox lives as long as the client. The reader signals its end by
            // a change to `None`.
            if self.receiver.changed().await.is_err() {
                return Err(self.client.shared.inbox.ending());
            }
            let latest = self.receiver.borrow_and_update().clone();
            match latest {
                Some(snapshot) if snapshot.protocol == PROTOCOL_VERSION => return Ok(snapshot),
                Some(snapshot) => {
                    return Err(TransportError::VersionMismatch {
                        worker: snapshot.protocol,
                        client: PROTOCOL_VERSION,
                    });
                }
                None if matches!(&*self.client.shared.inbox.pending(), Pending::Closed(_)) => {
                    self.receiver.mark_changed();
                    return Err(self.client.shared.inbox.ending());
                }
                None => {}
            }
        }
    }
}

async fn read(receive: ReadHalf<Stream>, inbox: Arc<Inbox>) {
    let mut incoming = FramedRead::new(receive, codec(SERVER_FRAME_BYTES_MAX));
    let ending = loop {
        let frame = match incoming.next().await {
            None => break Ending::Lost,
            Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                break Ending::Malformed(error.to_string());
            }
            Some(Err(_)) => break Ending::Lost,
            Some(Ok(frame)) => frame,
        };
        match serde_json::from_slice(&frame) {
            Ok(ServerMessage::Reply(ReplyEnvelope { id, reply })) => {
                if let Pending::Open(pending) = &mut *inbox.pending()
                    && let Some(answer) = pending.remove(&id)
                {
                    // The caller may have stopped waiting.
                    let _ = answer.send(reply);
                }
            }
            Ok(ServerMessage::Changed(snapshot)) => {
                inbox.snapshots.send_replace(Some(Arc::from(snapshot)));
            }
            Err(error) => break Ending::Malformed(error.to_string()),
        }
    };
    // Dropping the map tells every caller that waits; the last snapshot must not pass for the present.
    *inbox.pending() = Pending::Closed(ending);
    inbox.snapshots.send_replace(None);
}
