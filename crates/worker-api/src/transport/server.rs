//! The worker's side.

use std::fs::File;
#[cfg(unix)]
use std::fs::TryLockError;
use std::future::Future;
use std::io;
#[cfg(unix)]
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use interprocess::local_socket::tokio::prelude::*;
use interprocess::local_socket::tokio::{Listener as SocketListener, Stream};
use interprocess::local_socket::{GenericFilePath, ListenerOptions};
use lull_types::Fault;
use serde::Deserialize;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};
use tokio_util::sync::CancellationToken;

use super::{
    CLIENT_FRAME_BYTES_MAX, CODE_VERSION_MISMATCH, Endpoint, SERVER_FRAME_BYTES_MAX, TransportError, codec,
};
use crate::{Command, PROTOCOL_VERSION, Reply, ReplyEnvelope, ServerMessage, Snapshot};

/// Clients served at once. The app and a few terminals are ten; the rest is room, and a bound on what one
/// program that opens connections without end can make the worker hold.
const CLIENTS_MAX: usize = 64;

/// Commands of one client that are under way at once; more wait in the socket. A window asks for about six
/// things when it opens.
const COMMANDS_UNDER_WAY_MAX: usize = 16;

/// How long a client may leave the socket full before it is taken for frozen and let go. A window that is being
/// dragged on a loaded machine can stall for seconds.
const WRITE_STALL_MAX: Duration = Duration::from_secs(30);

/// How long commands under way may take to be answered once the worker ends. A reply to `Shutdown` takes
/// microseconds; nobody wants to wait for the rest.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// How long to wait after `accept` failed, for example because no file descriptor is free, before trying again:
/// long enough not to spin, short enough not to be noticed.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Answers commands.
pub trait Handler: Send + Sync + 'static {
    /// Lives as long as somebody looks at the devices' figures.
    type Look: Send;

    /// Answers one command. Several may be under way at once, from one client or more. The protocol version,
    /// [`Command::Subscribe`] and [`Command::Look`] are dealt with before.
    fn handle(&self, command: Command) -> impl Future<Output = Reply> + Send;

    /// A client looks at the devices' figures until what this gives is dropped.
    fn look(&self) -> Self::Look;
}

/// The endpoint, held: while this lives no other worker can have it. Dropping it removes the socket.
#[derive(Debug)]
pub struct Listener {
    // Dropped in this order: the socket file is removed while the lock still keeps others away.
    socket: SocketListener,
    _lock: Option<File>,
}

impl Listener {
    /// Takes the endpoint, with its folder if that is missing. Must be called within a tokio runtime.
    ///
    /// A socket file that a killed worker left behind is removed, but only when nobody answers on it.
    ///
    /// # Errors
    /// [`TransportError::AlreadyRunning`] when another worker has it; [`TransportError::Endpoint`] when the
    /// system refuses.
    pub async fn bind(endpoint: &Endpoint) -> Result<Self, TransportError> {
        let lock = prepare(endpoint)?;
        let name =
            || endpoint.path().to_fs_name::<GenericFilePath>().map_err(|error| endpoint.unusable(error));
        if Stream::connect(name()?).await.is_ok() {
            return Err(TransportError::AlreadyRunning);
        }
        remove_stale(endpoint)?;
        let options = ListenerOptions::new().name(name()?);
        #[cfg(target_os = "linux")]
        let options = interprocess::os::unix::local_socket::ListenerOptionsExt::mode(options, 0o600);
        #[cfg(windows)]
        let options = interprocess::os::windows::local_socket::ListenerOptionsExt::security_descriptor(
            options,
            super::windows::only_this_user().map_err(|error| endpoint.unusable(error))?,
        );
        let socket = options.create_tokio().map_err(|error| match error.kind() {
            // Windows answers so when the first instance of the pipe exists already.
            io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied if cfg!(windows) => {
                TransportError::AlreadyRunning
            }
            _ => endpoint.unusable(error),
        })?;
        // Elsewhere than on Linux the mode cannot be set before the socket is there; until it is, the folder's
        // mode keeps others out.
        #[cfg(unix)]
        set_mode(endpoint.path(), 0o600).map_err(|error| endpoint.unusable(error))?;
        Ok(Self { socket, _lock: lock })
    }
}

/// Makes the folder private and takes the lock beside the socket. The lock decides which of two workers that
/// start at once may look whether the socket is stale; the system releases it with the process.
#[cfg(unix)]
fn prepare(endpoint: &Endpoint) -> Result<Option<File>, TransportError> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

    let unusable = |error| endpoint.unusable(error);
    let folder = endpoint.path().parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unusable)?;
    // The folder may have been there before. This fails when it is another person's, as it should.
    set_mode(folder, 0o700).map_err(unusable)?;
    let mut lock_path = endpoint.path().as_os_str().to_owned();
    lock_path.push(".lock");
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(PathBuf::from(lock_path))
        .map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Err(TransportError::AlreadyRunning),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// A pipe needs no folder, and the system refuses its second first instance by itself.
#[cfg(windows)]
fn prepare(_endpoint: &Endpoint) -> Result<Option<File>, TransportError> {
    Ok(None)
}

#[cfg(unix)]
fn remove_stale(endpoint: &Endpoint) -> Result<(), TransportError> {
    use std::os::unix::fs::FileTypeExt;

    match std::fs::symlink_metadata(endpoint.path()) {
        Ok(found) if found.file_type().is_socket() => {
            std::fs::remove_file(endpoint.path()).map_err(|error| endpoint.unusable(error))
        }
        // Something that is no socket is nothing that a worker left behind: binding will say so.
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(endpoint.unusable(error)),
    }
}

/// A pipe goes with its process.
#[cfg(windows)]
fn remove_stale(_endpoint: &Endpoint) -> Result<(), TransportError> {
    Ok(())
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// Serves clients until `stop` is ready; then commands under way are answered, within a second, and the
/// endpoint is given back.
///
/// A subscriber always gets the latest snapshot when it is ready to read one; what it missed in between is
/// dropped, so that a slow one costs the worker nothing.
pub async fn serve<H: Handler>(
    listener: Listener,
    handler: Arc<H>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    stop: impl Future<Output = ()>,
) {
    let mut clients = JoinSet::new();
    let goodbye = CancellationToken::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = clients.join_next() => {}
            accepted = listener.socket.accept(), if clients.len() < CLIENTS_MAX => match accepted {
                Ok(stream) => {
                    let client = serve_client(stream, Arc::clone(&handler), snapshots.clone(), goodbye.clone());
                    clients.spawn(client);
                }
                // One client's failure, or a passing shortage, is no reason to leave the others.
                Err(_) => sleep(ACCEPT_RETRY).await,
            },
        }
    }
    drop(listener);
    goodbye.cancel();
    let all_gone = async { while clients.join_next().await.is_some() {} };
    // What is not answered by then is dropped with `clients`.
    let _ = timeout(GOODBYE_MAX, all_gone).await;
}

type Incoming = FramedRead<ReadHalf<Stream>, LengthDelimitedCodec>;
type Outgoing = FramedWrite<WriteHalf<Stream>, LengthDelimitedCodec>;

/// What a client's reader tells its writer.
enum Outbound {
    Reply(ReplyEnvelope),
    Subscribed(ReplyEnvelope),
}

/// Reading, handling and writing go on side by side: a client that does not read its replies must not keep a
/// handler, and what it may hold, from finishing.
async fn serve_client<H: Handler>(
    stream: Stream,
    handler: Arc<H>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    goodbye: CancellationToken,
) {
    let (receive, send) = tokio::io::split(stream);
    let incoming = FramedRead::new(receive, codec(CLIENT_FRAME_BYTES_MAX));
    let outgoing = FramedWrite::new(send, codec(SERVER_FRAME_BYTES_MAX));
    // As many as commands can be under way, so that a handler's reply never waits for the writer.
    let (replies, outbound) = mpsc::channel(COMMANDS_UNDER_WAY_MAX);
    let over = goodbye.child_token();
    let reader = read_commands(incoming, handler, replies, &over);
    let writer = async {
        // A client that cannot be written to has left; there is nobody to tell.
        let _ = write_messages(outgoing, outbound, snapshots, &over).await;
        over.cancel();
    };
    tokio::join!(reader, writer);
}

/// The part of an envelope that every version has had.
#[derive(Deserialize)]
struct EnvelopeHead {
    protocol: u16,
    id: u64,
}

/// The part of an envelope that depends on the version.
#[derive(Deserialize)]
struct EnvelopeBody {
    command: Command,
}

async fn read_commands<H: Handler>(
    mut incoming: Incoming,
    handler: Arc<H>,
    replies: mpsc::Sender<Outbound>,
    over: &CancellationToken,
) {
    let room = Arc::new(Semaphore::new(COMMANDS_UNDER_WAY_MAX));
    let mut under_way = JoinSet::new();
    let mut look = None;
    loop {
        // A slot is held until the writer has the reply, so that a client which asks without reading is stopped.
        let Ok(slot) = Arc::clone(&room).acquire_owned().await else { break };
        let frame = tokio::select! {
            frame = incoming.next() => frame,
            () = over.cancelled() => break,
        };
        // The end, a broken connection or a frame over the cap: all end the conversation.
        let Some(Ok(frame)) = frame else { break };
        // So do bytes that are no envelope: there is no number to answer to.
        let Ok(head) = serde_json::from_slice::<EnvelopeHead>(&frame) else { break };
        let outbound = match understood(&head, &frame) {
            Err(fault) => Outbound::Reply(ReplyEnvelope { id: head.id, reply: Reply::Refused(fault) }),
            Ok(Command::Subscribe) => Outbound::Subscribed(ReplyEnvelope { id: head.id, reply: Reply::Done }),
            Ok(Command::Look { on }) => {
                look = on.then(|| look.take().unwrap_or_else(|| handler.look()));
                Outbound::Reply(ReplyEnvelope { id: head.id, reply: Reply::Done })
            }
            Ok(command) => {
                let (handler, replies) = (Arc::clone(&handler), replies.clone());
                under_way.spawn(async move {
                    let reply = handler.handle(command).await;
                    let envelope = ReplyEnvelope { id: head.id, reply };
                    // When the client has gone meanwhile, the command is done all the same.
                    let _ = replies.send(Outbound::Reply(envelope)).await;
                    drop(slot);
                });
                while under_way.try_join_next().is_some() {}
                continue;
            }
        };
        if replies.send(outbound).await.is_err() {
            break;
        }
    }
    drop(look);
    // What was begun is finished: a command counts from when it was read.
    while under_way.join_next().await.is_some() {}
}

fn understood(head: &EnvelopeHead, frame: &[u8]) -> Result<Command, Fault> {
    if head.protocol != PROTOCOL_VERSION {
        let mismatch = TransportError::VersionMismatch { worker: PROTOCOL_VERSION, client: head.protocol };
        return Err(Fault::new(CODE_VERSION_MISMATCH, mismatch.to_string()));
    }
    serde_json::from_slice::<EnvelopeBody>(frame).map(|body| body.command).map_err(|error| {
        Fault::new("command_not_understood", format!("The worker does not understand this command: {error}."))
    })
}

async fn write_messages(
    mut outgoing: Outgoing,
    mut outbound: mpsc::Receiver<Outbound>,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    over: &CancellationToken,
) -> io::Result<()> {
    let mut subscribed = false;
    loop {
        tokio::select! {
            // Replies first: a person waits for them.
            biased;
            next = outbound.recv() => match next {
                Some(Outbound::Reply(envelope)) => write(&mut outgoing, &ServerMessage::Reply(envelope)).await?,
                Some(Outbound::Subscribed(envelope)) => {
                    write(&mut outgoing, &ServerMessage::Reply(envelope)).await?;
                    subscribed = true;
                    snapshots.mark_changed();
                }
                None => return Ok(()),
            },
            changed = snapshots.changed(), if subscribed && !over.is_cancelled() => {
                if changed.is_err() {
                    subscribed = false;
                    continue;
                }
                // Cloned before it is written: holding the borrow would keep the worker from its next snapshot.
                let snapshot = Arc::clone(&snapshots.borrow_and_update());
                write(&mut outgoing, &ServerMessage::Changed(Box::new(Snapshot::clone(&snapshot)))).await?;
            }
        }
    }
}

async fn write(outgoing: &mut Outgoing, message: &ServerMessage) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(message)?;
    if bytes.len() > SERVER_FRAME_BYTES_MAX
        && let ServerMessage::Reply(ReplyEnvelope { id, .. }) = message
    {
        let sentence = "The answer is too large to be sent; ask for less.";
        let refused =
            ReplyEnvelope { id: *id, reply: Reply::Refused(Fault::new("reply_too_large", sentence)) };
        bytes = serde_json::to_vec(&ServerMessage::Reply(refused))?;
    }
    timeout(WRITE_STALL_MAX, outgoing.send(bytes.as_slice())).await.map_err(|_| io::ErrorKind::TimedOut)?
}
