//! The sample jobs: real work, as data.

use lull_types::wgsl::{
    Tolerance, WgslBinding, WgslBuffer, WgslBufferRole, WgslDispatch, WgslInit, WgslTask,
};
use lull_types::{BaseUnits, BlobHash, PictureTile};

use super::scene::{Scene, SceneError};
use super::wine::Wine;

const PATH_TRACER: &str = include_str!("../../jobs/path_tracer.wgsl");
const NEAREST_NEIGHBOURS: &str = include_str!("../../jobs/nearest_neighbours.wgsl");

/// Size of a picture, and of a tile: 48 tiles, so that a picture is seen to grow.
const PICTURE: (u32, u32) = (512, 384);
const TILE_SIDE: u32 = 64;
/// Samples of a pixel in one dispatch. Small, since a dispatch is the least that a slow device does at a time.
const SAMPLES_PER_PASS: u32 = 8;
/// Dispatches of a tile: 64 samples of a pixel leave a little grain, and take a software device about a second.
const PASSES: usize = 8;
/// Queries in one task: one workgroup. More would suit a large GPU better, but the whole data set would be few tasks.
const QUERIES_PER_TASK: usize = 64;
/// Neighbours that are looked for, itself first.
const NEIGHBOURS: u32 = 8;

/// How two renderings of one tile are compared. Devices of one class run the same code, but may contract a
/// multiplication and an addition differently from one generation to the next; then a path at an edge turns out
/// otherwise, and one of the 64 samples of its pixel changes.
///
/// Measured over 24 tiles of 8 scenes: a camera that is off by one unit in the last place, which makes every path
/// round differently, moves at most 0.02 % of the bytes by more than one level. Leaving out one of the eight passes
/// moves at least 1.4 %, and half of them at least 4.2 %. The bound of 0.5 % lies between, with room on both sides.
const TILE_TOLERANCE: Tolerance = Tolerance::U8 { absolute: 1, outliers_per_million: 5_000 };

/// Price of one GPU-second: rented consumer GPUs with about 80 TFLOP/s in FP32 cost about 0.36 USDC an hour on
/// public markets, which is 100 base units a second.
const GPU_SECOND_BASE_UNITS: u64 = 100;
/// Practice money is worth nothing, and its prices are a hundred times those of the market: a tile would
/// otherwise be worth less than one base unit, and nobody would see a balance move.
const PRACTICE_FACTOR: u64 = 100;
/// GPU-microseconds of such a GPU for one tile. A software device with 100 GFLOP/s was seen to take two seconds; a
/// GPU with 800 times that peak, at the same share of it, takes an eight-hundredth.
const TILE_GPU_MICROSECONDS: u64 = 2_500;
/// And for one batch of queries, 8 milliseconds on that software device: mostly the time to start it.
const BATCH_GPU_MICROSECONDS: u64 = 150;

/// A sample job: what a customer would submit, with the blobs to put before.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleJob {
    /// For people.
    pub title: String,
    /// Inputs and payloads.
    pub blobs: Vec<Vec<u8>>,
    /// Payloads in the order of the tasks, with their places in the picture.
    pub tasks: Vec<(BlobHash, Option<PictureTile>)>,
    /// For each task.
    pub price: BaseUnits,
}

/// A sample job cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The scene.
    #[error(transparent)]
    Scene(#[from] SceneError),
    /// The payload.
    #[error("a sample task cannot be written down: {0}")]
    Payload(#[from] serde_json::Error),
}

fn price(gpu_microseconds: u64) -> BaseUnits {
    BaseUnits((gpu_microseconds * GPU_SECOND_BASE_UNITS * PRACTICE_FACTOR / 1_000_000).max(1))
}

fn bound(bindings: &[(u32, u32)]) -> Vec<WgslBinding> {
    bindings.iter().map(|&(binding, buffer)| WgslBinding { group: 0, binding, buffer }).collect()
}

fn input(bytes: &[u8]) -> WgslBuffer {
    WgslBuffer {
        bytes: bytes.len() as u64,
        init: WgslInit::Blob(BlobHash::of(bytes)),
        role: WgslBufferRole::ReadOnly,
    }
}

fn output(bytes: u64) -> WgslBuffer {
    WgslBuffer { bytes, init: WgslInit::Zero, role: WgslBufferRole::ReadWrite }
}

fn uniform(words: Vec<u32>) -> WgslBuffer {
    WgslBuffer { bytes: words.len() as u64 * 4, init: WgslInit::Words(words), role: WgslBufferRole::Uniform }
}

/// A picture of the shipped scene, varied by `seed`.
pub fn picture(seed: u64) -> Result<SampleJob, SampleError> {
    let (scene, title) = Scene::shipped()?.varied(seed);
    let packed = scene.packed()?;
    let mut job = SampleJob {
        title,
        blobs: vec![packed.spheres.clone(), packed.quads.clone(), packed.materials.clone()],
        tasks: Vec::new(),
        price: price(TILE_GPU_MICROSECONDS),
    };
    let (picture_width, picture_height) = PICTURE;
    for y in (0..picture_height).step_by(TILE_SIDE as usize) {
        for x in (0..picture_width).step_by(TILE_SIDE as usize) {
            let tile =
                PictureTile { picture_width, picture_height, x, y, width: TILE_SIDE, height: TILE_SIDE };
            let workgroups = tile.width.div_ceil(8) * tile.height.div_ceil(8);
            let dispatch = |entry: &str, bindings| WgslDispatch {
                shader: 0,
                entry: entry.to_owned(),
                bindings: bound(bindings),
                workgroups,
            };
            let mut dispatches = vec![dispatch("trace", &[(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]); PASSES];
            dispatches.push(dispatch("tone_map", &[(0, 0), (4, 4), (5, 5)]));
            // The shader needs 32 bits; jobs are counted from the network's first start.
            let frame = scene.frame(&packed, &tile, SAMPLES_PER_PASS, seed as u32);
            let pixels = tile.bytes() as u64;
            let task = WgslTask {
                shaders: vec![PATH_TRACER.to_owned()],
                buffers: vec![
                    uniform(frame),
                    input(&packed.spheres),
                    input(&packed.quads),
                    input(&packed.materials),
                    output(pixels * 4),
                    output(pixels),
                ],
                dispatches,
                outputs: vec![5],
                tolerance: TILE_TOLERANCE,
            };
            job.add(&task, Some(tile))?;
        }
    }
    Ok(job)
}

/// The nearest neighbours of every wine among all wines, in batches of queries. `seed` chooses where the
/// batches begin, so that no two jobs are the same.
pub fn neighbours(wine: &Wine, seed: u64) -> Result<SampleJob, SampleError> {
    let points = wine.bytes();
    let mut job = SampleJob {
        title: format!("Nearest neighbours of {} wines", wine.len()),
        blobs: vec![points.clone()],
        tasks: Vec::new(),
        price: price(BATCH_GPU_MICROSECONDS),
    };
    for queries in wine.queries(seed, QUERIES_PER_TASK) {
        let query_count = queries.len() / wine.dimensions();
        let bytes: Vec<u8> = queries.iter().flat_map(|x| x.to_le_bytes()).collect();
        let header = vec![wine.len() as u32, wine.dimensions() as u32, query_count as u32, NEIGHBOURS];
        let found = query_count as u64 * u64::from(NEIGHBOURS) * 4;
        let task = WgslTask {
            shaders: vec![NEAREST_NEIGHBOURS.to_owned()],
            buffers: vec![uniform(header), input(&points), input(&bytes), output(found), output(found)],
            dispatches: vec![WgslDispatch {
                shader: 0,
                entry: "search".to_owned(),
                bindings: bound(&[(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]),
                workgroups: (query_count as u32).div_ceil(64),
            }],
            outputs: vec![3, 4],
            // Coordinates are whole numbers, so that every sum is exact on every device.
            tolerance: Tolerance::Exact,
        };
        job.blobs.push(bytes);
        job.add(&task, None)?;
    }
    Ok(job)
}

impl SampleJob {
    fn add(&mut self, task: &WgslTask, picture: Option<PictureTile>) -> Result<(), SampleError> {
        let payload = serde_json::to_vec(task)?;
        self.tasks.push((BlobHash::of(&payload), picture));
        self.blobs.push(payload);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn check(job: &SampleJob) {
        let put: HashSet<BlobHash> = job.blobs.iter().map(|blob| BlobHash::of(blob)).collect();
        for (payload, _) in &job.tasks {
            let bytes = job.blobs.iter().find(|blob| BlobHash::of(blob) == *payload).unwrap();
            let task: WgslTask = serde_json::from_slice(bytes).unwrap();
            assert!(task.input_blobs().iter().all(|hash| put.contains(hash)));
        }
        assert!(job.price > BaseUnits::ZERO);
    }

    #[test]
    fn a_picture_is_cut_into_tiles_that_cover_it() {
        let job = picture(7).unwrap();
        check(&job);
        assert_eq!(job.tasks.len(), 48);
        let area: u32 = job.tasks.iter().map(|(_, tile)| tile.unwrap()).map(|t| t.width * t.height).sum();
        assert_eq!(area, 512 * 384);
        assert!(job.tasks.iter().all(|(_, tile)| tile.unwrap().is_valid()));
        assert_eq!(job.price, BaseUnits(25));
    }

    #[test]
    fn every_wine_is_asked_about_once() {
        let wine = Wine::shipped();
        let job = neighbours(&wine, 3).unwrap();
        check(&job);
        assert_eq!(job.tasks.len(), wine.len().div_ceil(QUERIES_PER_TASK));
        assert_ne!(job.tasks, neighbours(&wine, 4).unwrap().tasks);
    }
}
