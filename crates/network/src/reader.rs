//! Reading the store beside its writer.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use lull_types::{AssignmentId, BlobHash, Coded, Fault, JobId, PictureTile, UnixMillis, WorkerId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::gateway::OpenAssignment;
use crate::store::{self, FromJson, Sql, StoreError};

/// Idle connections that are kept. Reads are short: more at once open one for the moment.
const IDLE_MAX: usize = 4;

/// A pool of connections that only read.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

/// A question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No connection.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The question failed.
    #[error("the network could not read its records; try again later ({0})")]
    Sqlite(#[from] rusqlite::Error),
    /// The thread that read ended early.
    #[error("the network is shutting down")]
    Stopped,
}

impl Coded for ReadError {
    fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Sqlite(_) => "network_store_failed",
            Self::Stopped => "network_shutting_down",
        }
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        error.fault()
    }
}

impl Reader {
    /// A pool for the store at `path`, which the writer has opened before.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), idle: Mutex::default() }
    }

    /// Answers a question on a thread that may block.
    pub async fn read<T: Send + 'static>(
        self: &std::sync::Arc<Self>,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        let reader = self.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let idle = reader.lock().pop();
            let connection = match idle {
                Some(connection) => connection,
                None => store::open_reader(&reader.path)?,
            };
            let answer = question(&connection)?;
            let mut idle = reader.lock();
            if idle.len() < IDLE_MAX {
                idle.push(connection);
            }
            Ok(answer)
        });
        answer.await.unwrap_or(Err(ReadError::Stopped))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        // A list of idle connections is whole between statements.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker's open assignments with the blobs that each needs.
pub fn open_assignments(connection: &Connection, worker: WorkerId) -> rusqlite::Result<Vec<OpenAssignment>> {
    connection
        .prepare_cached(
            "SELECT a.id, t.payload, t.inputs FROM assignments a JOIN tasks t ON t.id = a.task
             WHERE a.worker = ?1 AND a.state = 'open'",
        )?
        .query_map([Sql(worker)], |row| {
            let Sql(id): Sql<AssignmentId> = row.get(0)?;
            let Sql(payload): Sql<BlobHash> = row.get(1)?;
            let Sql(inputs): Sql<Vec<BlobHash>> = row.get(2)?;
            Ok(OpenAssignment { id, blobs: std::iter::once(payload).chain(inputs).collect() })
        })?
        .collect()
}

/// The size of a job's picture, as one of its tiles tells it; none when it has no picture.
pub fn picture_size(connection: &Connection, job: JobId) -> rusqlite::Result<Option<PictureTile>> {
    connection
        .prepare_cached("SELECT picture FROM tasks WHERE job = ?1 AND picture IS NOT NULL LIMIT 1")?
        .query_row([Sql(job)], |row| row.get(0).map(|FromJson(tile)| tile))
        .optional()
}

/// Every blob that a job needs that has not ended, or has ended after `since`.
pub fn needed_blobs(
    connection: &Connection,
    since: UnixMillis,
) -> rusqlite::Result<std::collections::HashSet<BlobHash>> {
    let mut statement = connection.prepare_cached(
        "SELECT t.payload, t.inputs, a.outputs, a.expected
         FROM jobs j JOIN tasks t ON t.job = j.id LEFT JOIN assignments a ON a.task = t.id
         WHERE j.tasks_live > 0 OR j.ended_at >= ?1",
    )?;
    let mut needed = std::collections::HashSet::new();
    let mut rows = statement.query(params![Sql(since)])?;
    while let Some(row) = rows.next()? {
        let Sql(payload): Sql<BlobHash> = row.get(0)?;
        let Sql(inputs): Sql<Vec<BlobHash>> = row.get(1)?;
        needed.insert(payload);
        needed.extend(inputs);
        for column in [2, 3] {
            if let Some(Sql(outputs)) = row.get::<_, Option<Sql<Vec<BlobHash>>>>(column)? {
                needed.extend(outputs);
            }
        }
    }
    Ok(needed)
}
