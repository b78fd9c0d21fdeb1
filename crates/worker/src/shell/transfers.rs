//! Blobs and models on the move for assignments, each until it is stopped.

use std::collections::HashMap;
use std::sync::Arc;

use iroh::endpoint::Connection;
use lull_guards::DataRoom;
use lull_network_api::Assignment;
use lull_types::{BlobHash, Fault};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::tasks;
use crate::blobs::BlobCache;
use crate::machine::{Input, TransferFailure, TransferId};
use crate::models::Models;

/// Everything that moves.
pub(super) struct Transfers {
    blobs: BlobCache,
    models: Arc<dyn Models>,
    inputs: mpsc::Sender<Input>,
    stops: HashMap<TransferId, CancellationToken>,
}

impl Transfers {
    pub fn new(blobs: BlobCache, models: Arc<dyn Models>, inputs: mpsc::Sender<Input>) -> Self {
        Self { blobs, models, inputs, stops: HashMap::new() }
    }

    /// Fetches what an assignment needs; without a connection it has failed already.
    pub fn fetch(
        &mut self,
        transfer: TransferId,
        connection: Option<Connection>,
        assignment: Box<Assignment>,
        room: DataRoom,
    ) {
        let (blobs, models) = (self.blobs.clone(), Arc::clone(&self.models));
        self.begin(
            transfer,
            connection,
            async move |connection| tasks::fetch(connection, blobs, models, &assignment, &room).await,
            move |result| match result {
                Ok(output_bytes) => Input::Fetched { transfer, output_bytes },
                Err(failure) => Input::FetchFailed { transfer, failure },
            },
        );
    }

    /// Sends outputs; without a connection it has failed already.
    pub fn upload(&mut self, transfer: TransferId, connection: Option<Connection>, outputs: Vec<BlobHash>) {
        let blobs = self.blobs.clone();
        self.begin(
            transfer,
            connection,
            async move |connection| tasks::upload(connection, blobs, outputs).await,
            move |result| match result {
                Ok(()) => Input::Uploaded { transfer },
                Err(failure) => Input::UploadFailed { transfer, failure },
            },
        );
    }

    /// Stops one.
    pub fn stop(&mut self, transfer: TransferId) {
        if let Some(stop) = self.stops.remove(&transfer) {
            stop.cancel();
        }
    }

    /// One has ended.
    pub fn ended(&mut self, transfer: TransferId) {
        self.stops.remove(&transfer);
    }

    /// Stops all of them.
    pub fn stop_all(&mut self) {
        for (_, stop) in self.stops.drain() {
            stop.cancel();
        }
    }

    fn begin<T: Send + 'static, F>(
        &mut self,
        transfer: TransferId,
        connection: Option<Connection>,
        work: impl FnOnce(Connection) -> F,
        told: impl FnOnce(Result<T, TransferFailure>) -> Input + Send + 'static,
    ) where
        F: Future<Output = Result<T, TransferFailure>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        self.stops.insert(transfer, stop.clone());
        let inputs = self.inputs.clone();
        let work = connection.map(work);
        tokio::spawn(async move {
            let result = match work {
                None => {
                    let sentence = "the connection to the network ended before data was moved";
                    Err(TransferFailure::Connection(Fault::new("network_lost", sentence)))
                }
                Some(work) => tokio::select! {
                    result = work => result,
                    () = stop.cancelled() => return,
                },
            };
            let _ = inputs.send(told(result)).await;
        });
    }
}
