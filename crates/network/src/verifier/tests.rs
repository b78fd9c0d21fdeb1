use std::sync::Mutex;
use std::time::Duration;

use lull_types::{TaskId, UnixMillis, WorkerId};
use uuid::Uuid;

use super::*;
use crate::gateway::OpenAssignment;
use crate::practice::jobs;

/// An engine that only listens.
#[derive(Default)]
struct Told {
    inputs: Mutex<Vec<Input>>,
    news: tokio::sync::Notify,
}

impl EnginePort for Told {
    async fn tell(&self, input: Input) {
        self.inputs.lock().unwrap().push(input);
        self.news.notify_one();
    }
    async fn blob_stored(&self, _: WorkerId, _: BlobHash, _: u64) -> Result<(), Fault> {
        Ok(())
    }
    async fn open_assignments(&self, _: WorkerId) -> Result<Vec<OpenAssignment>, Fault> {
        Ok(Vec::new())
    }
}

impl Told {
    async fn until<T>(&self, wanted: impl Fn(&Input) -> Option<T>) -> T {
        let found = async {
            loop {
                if let Some(found) = self.inputs.lock().unwrap().iter().find_map(&wanted) {
                    return found;
                }
                self.news.notified().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), found).await.expect("the engine was not told")
    }

    async fn outcome(&self, of: CheckId) -> CheckOutcome {
        self.until(|input| match input {
            Input::CheckEnded { check, outcome } if *check == of => Some(outcome.clone()),
            _ => None,
        })
        .await
    }
}

struct Bench {
    _folder: tempfile::TempDir,
    blobs: Arc<Blobs>,
    told: Arc<Told>,
    verifier: Verifier,
    payload: BlobHash,
    checks: u128,
}

impl Bench {
    /// A verifier without a runtime, and the payload of a tile.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open_with(folder.path(), 0).unwrap());
        let told = Arc::new(Told::default());
        let (verifier, _) = Verifier::start(None, blobs.clone(), told.clone(), CancellationToken::new());
        let job = jobs::picture(1).unwrap();
        let payload = job.tasks[0].0;
        let bytes = job.blobs.iter().find(|blob| BlobHash::of(blob) == payload).unwrap();
        blobs.put(bytes).await.unwrap();
        Self { _folder: folder, blobs, told, verifier, payload, checks: 0 }
    }

    fn request(&mut self, reported: Vec<BlobHash>, against: Against) -> CheckRequest {
        self.checks += 1;
        CheckRequest {
            check: CheckId(Uuid::from_u128(self.checks)),
            task: TaskId::from_parts(UnixMillis(1), &[1; 10]),
            kind: JOB_KIND_WGSL.to_owned(),
            payload: self.payload,
            inputs: Vec::new(),
            reported,
            against,
        }
    }

    async fn compare(&mut self, reported: &[u8], expected: &[u8]) -> CheckOutcome {
        let reported = vec![self.blobs.put(reported).await.unwrap()];
        let expected = vec![self.blobs.put(expected).await.unwrap()];
        let request = self.request(reported, Against::Outputs(expected));
        let check = request.check;
        assert_eq!(self.verifier.check(request), None);
        self.told.outcome(check).await
    }
}

#[tokio::test]
async fn without_a_runtime_the_engine_is_told_so() {
    let bench = Bench::new().await;
    let kinds = bench.told.until(|input| match input {
        Input::TrustedRuntime { kinds } => Some(kinds.clone()),
        _ => None,
    });
    assert_eq!(kinds.await, Vec::<String>::new());
}

#[tokio::test]
async fn reports_are_compared_within_the_tolerance() {
    let mut bench = Bench::new().await;
    assert_eq!(bench.compare(&[100; 64], &[100; 64]).await, CheckOutcome::Match);
    assert_eq!(bench.compare(&[100; 64], &[101; 64]).await, CheckOutcome::Match);
    let expected = BlobHash::of(&[107; 64]);
    match bench.compare(&[100; 64], &[107; 64]).await {
        CheckOutcome::Mismatch { expected: found, difference } => {
            assert_eq!(found, [expected]);
            assert!(difference.contains("64 of 64 bytes"), "{difference}");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(bench.compare(&[1; 60], &[1; 64]).await, CheckOutcome::Mismatch { .. }));
}

#[tokio::test]
async fn a_check_that_cannot_be_done_blames_nobody() {
    let mut bench = Bench::new().await;
    let here = bench.blobs.put(b"here").await.unwrap();
    let gone = vec![BlobHash::of(b"gone")];
    let request = bench.request(vec![here], Against::Outputs(gone));
    let check = request.check;
    assert_eq!(bench.verifier.check(request), None);
    match bench.told.outcome(check).await {
        CheckOutcome::Failed { fault, task_at_fault } => {
            assert_eq!((fault.code.as_str(), task_at_fault), ("blob_missing", false));
        }
        other => panic!("{other:?}"),
    }
    let request = bench.request(vec![here], Against::TrustedRuntime);
    let check = request.check;
    assert_eq!(bench.verifier.check(request), None);
    assert!(matches!(bench.told.outcome(check).await, CheckOutcome::Failed { task_at_fault: false, .. }));
}

#[tokio::test]
async fn while_paused_nothing_is_run_and_the_same_check_is_taken_once() {
    let mut bench = Bench::new().await;
    bench.verifier.pause(true);
    let request = bench.request(Vec::new(), Against::TrustedRuntime);
    let check = request.check;
    assert_eq!(bench.verifier.check(request.clone()), None);
    assert_eq!(bench.verifier.check(request), None, "asked for again while it waits");
    bench.verifier.pause(false);
    bench.told.outcome(check).await;
    let ended = |input: &&Input| matches!(input, Input::CheckEnded { .. });
    assert_eq!(bench.told.inputs.lock().unwrap().iter().filter(ended).count(), 1);
}
