//! A challenge of the network's, answered under a lease.

use std::time::Duration;

use lull_network_api::{ChallengeReply, ChallengeRequest};
use lull_runtime_api::host::{RuntimeError, RuntimeProcess};
use lull_runtime_api::{ChallengeAnswer, ChallengeStep};
use lull_types::{Coded, Fault};

use super::Holding;
use crate::machine::{ChallengeEnd, Input};
use crate::session::ChallengeStream;

/// A network that has not got what it wants of a device by then wastes the device's time: getting ready, the product
/// and showing its rows take some seconds each, and on the slowest machine and line three minutes together.
const CHALLENGE_AT_MOST: Duration = Duration::from_secs(180);

impl Holding {
    pub(super) async fn challenge(self, stream: Option<ChallengeStream>) {
        let lease = self.lease.id;
        let (process, end) = match stream {
            None => (None, ChallengeEnd::BrokenOff),
            Some(stream) => match self.start().await {
                Ok(process) => {
                    let end = self.converse(&process, stream).await;
                    (Some(process), end)
                }
                Err(None) => (None, ChallengeEnd::BrokenOff),
                Err(Some(fault)) => {
                    stream.decline(fault.clone()).await;
                    (None, ChallengeEnd::DeviceFault(fault))
                }
            },
        };
        self.context.tell(Input::ChallengeEnded { lease, end }).await;
        self.free(process).await;
    }

    /// Carries steps from the network to the runtime and answers back, until either has enough.
    async fn converse(&self, process: &RuntimeProcess, mut stream: ChallengeStream) -> ChallengeEnd {
        let conversation = async {
            let mut end = ChallengeEnd::BrokenOff;
            // The runtime answers for a device only after it has listed them.
            let mut answer = match process.devices().await {
                Ok(_) => process.challenge(ChallengeStep::Prepare { device: self.lease.device }).await,
                Err(error) => Err(error),
            };
            loop {
                let reply = match answer {
                    Ok(ChallengeAnswer::Prepared) => ChallengeReply::Prepared,
                    Ok(ChallengeAnswer::Committed(root)) => {
                        end = ChallengeEnd::Answered;
                        ChallengeReply::Committed(root)
                    }
                    Ok(ChallengeAnswer::Opened(rows)) => ChallengeReply::Opened(rows),
                    Ok(ChallengeAnswer::Filled) => ChallengeReply::Filled,
                    Ok(ChallengeAnswer::Swept(hash)) => ChallengeReply::Swept(hash),
                    Ok(ChallengeAnswer::LookedUp(hash)) => ChallengeReply::LookedUp(hash),
                    Ok(ChallengeAnswer::Shown(transcript)) => ChallengeReply::Shown(transcript),
                    // The network may ask for less.
                    Err(RuntimeError::ChallengeFailed(fault)) if is_too_much(&fault) => {
                        ChallengeReply::Declined(fault)
                    }
                    Err(error) => {
                        let fault = error.fault();
                        stream.decline(fault.clone()).await;
                        return match error {
                            // What the network asked for was unusable; the device is well.
                            RuntimeError::ChallengeFailed(fault) if fault.code.starts_with("challenge_") => {
                                end
                            }
                            _ => ChallengeEnd::DeviceFault(fault),
                        };
                    }
                };
                if stream.reply(&reply).await.is_none() {
                    return end;
                }
                let step = loop {
                    match stream.next().await {
                        Some(ChallengeRequest::Ping) => {
                            if stream.reply(&ChallengeReply::Pong).await.is_none() {
                                return end;
                            }
                        }
                        Some(ChallengeRequest::Commit(product)) => break ChallengeStep::Commit(product),
                        Some(ChallengeRequest::Open(rows)) => break ChallengeStep::Open(rows),
                        Some(ChallengeRequest::Fill(memory)) => break ChallengeStep::Fill(memory),
                        Some(ChallengeRequest::Sweep(sweeps)) => break ChallengeStep::Sweep(sweeps),
                        Some(ChallengeRequest::LookUp(seed)) => break ChallengeStep::LookUp(seed),
                        Some(ChallengeRequest::Show) => break ChallengeStep::Show,
                        None => return end,
                    }
                };
                answer = process.challenge(step).await;
            }
        };
        tokio::select! {
            biased;
            () = self.kill.cancelled() => {
                process.kill().await;
                ChallengeEnd::BrokenOff
            }
            // Its process is asked to stop when it is freed.
            () = self.cancel.cancelled() => ChallengeEnd::BrokenOff,
            // As if it was answered: this network is not to ask again soon.
            () = tokio::time::sleep(CHALLENGE_AT_MOST) => ChallengeEnd::Answered,
            end = conversation => end,
        }
    }
}

/// Whether a device cannot hold what it was asked to, and is well.
fn is_too_much(fault: &Fault) -> bool {
    matches!(fault.code.as_str(), "out_of_device_memory" | "device_limit_exceeded")
}
