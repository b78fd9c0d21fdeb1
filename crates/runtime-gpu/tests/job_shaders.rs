//! The job shaders that the network ships, against the CPU and the eye.

#![allow(clippy::unwrap_used, reason = "in a test a panic is how a failure is told")]

mod common;

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use common::{Runtime, buffer, dispatch, floats, input, scene::path_tracer_task, words};
use lull_types::PictureTile;
use lull_types::wgsl::{Tolerance, WgslBufferRole, WgslInit, WgslTask};

fn save(name: &str, width: u32, height: u32, rgba: &[u8]) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(&path).unwrap()), width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().unwrap().write_image_data(rgba).unwrap();
    eprintln!("wrote {}", path.display());
}

/// `WIDTHxHEIGHTxSAMPLES` in `LULL_TEST_PICTURE` renders a larger picture, to look at.
fn picture_size() -> [u32; 3] {
    let wanted = std::env::var("LULL_TEST_PICTURE").unwrap_or_else(|_| "128x72x16".to_owned());
    let parts: Vec<u32> = wanted.split('x').map(|part| part.parse().unwrap()).collect();
    [parts[0], parts[1], parts[2]]
}

#[test]
fn the_path_tracer_renders_a_picture() {
    let Some((mut runtime, _)) = Runtime::with_device(&[]) else { return };
    let [width, height, samples] = picture_size();
    let mut picture = vec![0u8; width as usize * height as usize * 4];
    for y in (0..height).step_by(64) {
        for x in (0..width).step_by(64) {
            let tile = PictureTile {
                picture_width: width,
                picture_height: height,
                x,
                y,
                width: (width - x).min(64),
                height: (height - y).min(64),
            };
            let pixels = runtime.outputs(&path_tracer_task(tile, samples as usize / 8, 8), Vec::new());
            assert_eq!(pixels[0].len(), tile.bytes());
            for (row, line) in pixels[0].chunks_exact(tile.width as usize * 4).enumerate() {
                let at = ((y as usize + row) * width as usize + x as usize) * 4;
                picture[at..at + line.len()].copy_from_slice(line);
            }
        }
    }
    save("path_tracer.png", width, height, &picture);

    assert!(picture.as_chunks::<4>().0.iter().all(|pixel| pixel[3] == 255), "opaque");
    let mean = picture.iter().map(|&byte| f64::from(byte)).sum::<f64>() / picture.len() as f64;
    assert!((60.0..220.0).contains(&mean), "neither black nor white: {mean}");
    let mut colours: Vec<[u8; 4]> = picture.as_chunks::<4>().0.to_vec();
    colours.sort_unstable();
    colours.dedup();
    assert!(colours.len() > 1000, "many colours: {}", colours.len());
    let row_mean = |y: u32| {
        let row = &picture[(y * width * 4) as usize..((y + 1) * width * 4) as usize];
        row.iter().map(|&byte| f64::from(byte)).sum::<f64>()
    };
    assert!(row_mean(0) != row_mean(height - 1), "sky and floor differ");
}

#[test]
fn a_picture_does_not_depend_on_how_it_is_cut() {
    let Some((mut runtime, _)) = Runtime::with_device(&[]) else { return };
    let whole = PictureTile { picture_width: 40, picture_height: 24, x: 0, y: 0, width: 40, height: 24 };
    let right = PictureTile { x: 19, width: 21, ..whole };
    let at_once = &runtime.outputs(&path_tracer_task(whole, 1, 4), Vec::new())[0];
    let in_passes = &runtime.outputs(&path_tracer_task(whole, 4, 1), Vec::new())[0];
    assert_eq!(at_once, in_passes, "samples are counted across passes");
    let tile = &runtime.outputs(&path_tracer_task(right, 1, 4), Vec::new())[0];
    for y in 0..24 {
        assert_eq!(at_once[(y * 40 + 19) * 4..(y * 40 + 40) * 4], tile[y * 21 * 4..(y + 1) * 21 * 4]);
    }
}

fn neighbours_task(
    points: Vec<u8>,
    queries: Vec<u8>,
    shape: [u32; 4],
) -> (WgslTask, Vec<lull_runtime_api::TaskInput>) {
    let [_, _, query_count, k] = shape;
    let inputs = vec![input(points), input(queries)];
    let blob = |i: usize| {
        let input: &lull_runtime_api::TaskInput = &inputs[i];
        buffer(input.bytes.len() as u64, WgslBufferRole::ReadOnly, WgslInit::Blob(input.hash))
    };
    let row = |bytes| buffer(bytes, WgslBufferRole::ReadWrite, WgslInit::Zero);
    let result_bytes = u64::from(query_count * k) * 4;
    let task = WgslTask {
        shaders: vec![include_str!("../../network/jobs/nearest_neighbours.wgsl").to_owned()],
        buffers: vec![
            buffer(16, WgslBufferRole::Uniform, WgslInit::Words(shape.to_vec())),
            blob(0),
            blob(1),
            row(result_bytes),
            row(result_bytes),
        ],
        dispatches: vec![dispatch(
            "search",
            query_count.div_ceil(64),
            &[(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)],
        )],
        outputs: vec![3, 4],
        tolerance: Tolerance::Exact,
    };
    (task, inputs)
}

#[test]
fn nearest_neighbours_equal_the_cpus() {
    let Some((mut runtime, _)) = Runtime::with_device(&[]) else { return };
    let (point_count, dimension_count, query_count, k) = (1599u32, 11u32, 150u32, 10u32);
    // Whole numbers, so that every sum is exact and ties are real.
    let mut state = 7u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as f32
    };
    let points: Vec<f32> = (0..point_count * dimension_count).map(|_| next()).collect();
    let queries: Vec<f32> = (0..query_count * dimension_count).map(|_| next()).collect();
    let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let (task, inputs) =
        neighbours_task(bytes(&points), bytes(&queries), [point_count, dimension_count, query_count, k]);
    let outputs = runtime.outputs(&task, inputs);
    let (indices, distances) = (words(&outputs[0]), floats(&outputs[1]));

    let d = dimension_count as usize;
    for (q, query) in queries.chunks_exact(d).enumerate() {
        let mut ranked: Vec<(u32, u32)> = points
            .chunks_exact(d)
            .zip(0..)
            .map(|(point, i)| {
                let distance: f32 = point.iter().zip(query).map(|(a, b)| (a - b) * (a - b)).sum();
                (distance as u32, i)
            })
            .collect();
        ranked.sort_unstable();
        for (j, (distance, index)) in ranked[..k as usize].iter().enumerate() {
            let at = q * k as usize + j;
            assert_eq!((indices[at], distances[at]), (*index, *distance as f32), "query {q}, neighbour {j}");
        }
    }
}

#[test]
fn missing_neighbours_are_marked() {
    let Some((mut runtime, _)) = Runtime::with_device(&[]) else { return };
    let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let (task, inputs) = neighbours_task(bytes(&[1.0, 5.0]), bytes(&[4.0]), [2, 1, 1, 3]);
    let outputs = runtime.outputs(&task, inputs);
    assert_eq!(words(&outputs[0]), [1, 0, u32::MAX]);
    assert_eq!(floats(&outputs[1]), [1.0, 9.0, f32::MAX]);
}
