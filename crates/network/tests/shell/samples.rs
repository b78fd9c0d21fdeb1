//! The sample jobs on the real runtime, where it has been built and finds a device.

use std::collections::HashMap;
use std::path::PathBuf;

use lull_network::practice::jobs::{self, SampleJob};
use lull_network::practice::wine::Wine;
use lull_runtime_api::host::{RunRequest, RuntimeCommand, RuntimeProcess};
use lull_runtime_api::{RunOutcome, TaskInput};
use lull_types::wgsl::{Tolerance, WgslInit, WgslTask};
use lull_types::{BlobHash, JOB_KIND_WGSL};

/// The runtime beside the tests; none is said loudly, and the test passes for nothing.
async fn runtime(scratch: PathBuf) -> Option<RuntimeProcess> {
    let program = std::env::current_exe()
        .unwrap()
        .parent()
        .and_then(|deps| deps.parent())
        .map(|folder| folder.join(format!("lull-runtime-gpu{}", std::env::consts::EXE_SUFFIX)))?;
    if !program.is_file() {
        eprintln!("SKIPPED: {} is not built", program.display());
        return None;
    }
    let process = RuntimeProcess::start(RuntimeCommand::new(program, scratch)).await.unwrap();
    if process.devices().await.unwrap().is_empty() {
        eprintln!("SKIPPED: the runtime finds no device");
        return None;
    }
    Some(process)
}

async fn run(process: &RuntimeProcess, job: &SampleJob, at: usize) -> Vec<Vec<u8>> {
    run_changed(process, job, at, |_| {}).await
}

async fn run_changed(
    process: &RuntimeProcess,
    job: &SampleJob,
    at: usize,
    change: impl FnOnce(&mut WgslTask),
) -> Vec<Vec<u8>> {
    let blobs: HashMap<BlobHash, &Vec<u8>> =
        job.blobs.iter().map(|blob| (BlobHash::of(blob), blob)).collect();
    let mut task: WgslTask = serde_json::from_slice(blobs[&job.tasks[at].0]).unwrap();
    change(&mut task);
    let payload = serde_json::to_vec(&task).unwrap();
    let inputs =
        task.input_blobs().into_iter().map(|hash| TaskInput { hash, bytes: blobs[&hash].clone() }).collect();
    let device = process.devices().await.unwrap()[0].index;
    let request = RunRequest { inputs, ..RunRequest::new(device, JOB_KIND_WGSL, payload) };
    match process.run(request).await.unwrap().outcome().await.unwrap() {
        RunOutcome::Done { outputs, ran_ms, slices, slice_ms_max } => {
            eprintln!("ran {ran_ms} ms in {slices} slices of at most {slice_ms_max} ms");
            outputs
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn neighbours_are_those_that_the_cpu_finds() {
    let folder = tempfile::tempdir().unwrap();
    let Some(process) = runtime(folder.path().to_owned()).await else { return };
    let wine = Wine::shipped();
    let job = jobs::neighbours(&wine, 1000).unwrap();
    for at in [0, job.tasks.len() - 1] {
        let outputs = run(&process, &job, at).await;
        let queries = &wine.queries(1000, 64)[at];
        let (indices, distances) = wine.nearest(queries, 8);
        let expected_indices: Vec<u8> = indices.iter().flat_map(|i| i.to_le_bytes()).collect();
        let expected_distances: Vec<u8> = distances.iter().flat_map(|d| d.to_le_bytes()).collect();
        assert_eq!(outputs[0], expected_indices, "batch {at}");
        assert_eq!(outputs[1], expected_distances, "batch {at}");
    }
}

#[tokio::test]
async fn a_tile_is_lit_opaque_and_the_same_twice() {
    let folder = tempfile::tempdir().unwrap();
    let Some(process) = runtime(folder.path().to_owned()).await else { return };
    let job = jobs::picture(5).unwrap();
    let middle = job.tasks.len() / 2 + 4;
    let outputs = run(&process, &job, middle).await;
    assert_eq!(outputs[0].len(), job.tasks[middle].1.unwrap().bytes());
    assert!(outputs[0].chunks(4).all(|pixel| pixel[3] == 255));
    let brightness: u64 = outputs[0].chunks(4).map(|pixel| u64::from(pixel[1])).sum();
    assert!(brightness / 4096 > 5, "it is not black");
    assert_eq!(run(&process, &job, middle).await, outputs);
}

/// What [`jobs`] says of the tolerance of its tiles: rounding passes, skimping does not.
#[tokio::test]
async fn rounding_is_forgiven_and_skimping_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let Some(process) = runtime(folder.path().to_owned()).await else { return };
    for seed in [1, 6] {
        let job = jobs::picture(seed).unwrap();
        // The tile where the least changes, and the one where the most does.
        for at in [10, 36] {
            let mut tolerance = Tolerance::Exact;
            let honest = run_changed(&process, &job, at, |task| tolerance = task.tolerance).await;
            let rounded = run_changed(&process, &job, at, |task| {
                let WgslInit::Words(frame) = &mut task.buffers[0].init else { panic!("no frame") };
                // The last bit of each coordinate of the camera.
                frame[12..15].iter_mut().for_each(|word| *word ^= 1);
            })
            .await;
            lull_checks::compare::outputs(tolerance, &honest, &rounded).unwrap();
            let skimped = run_changed(&process, &job, at, |task| drop(task.dispatches.remove(0))).await;
            let difference = lull_checks::compare::outputs(tolerance, &honest, &skimped).unwrap_err();
            eprintln!("{}, tile {at}, one pass in eight left out: {difference}", job.title);
        }
    }
}
