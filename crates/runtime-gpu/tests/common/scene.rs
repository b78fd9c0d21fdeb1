//! `scene.json` packed into the buffers of `path_tracer.wgsl`.

use lull_types::PictureTile;
use lull_types::wgsl::{Tolerance, WgslBufferRole, WgslInit, WgslTask};
use serde_json::Value;

use super::{buffer, dispatch};

const SHADER: &str = include_str!("../../../network/jobs/path_tracer.wgsl");
const SCENE: &str = include_str!("../../../network/jobs/scene.json");
const KINDS: [&str; 5] = ["matte", "metal", "glass", "lamp", "lacquer"];

fn number(value: &Value, name: &str) -> u32 {
    (value[name].as_f64().unwrap_or(0.0) as f32).to_bits()
}

fn triple(value: &Value, name: &str) -> [u32; 3] {
    [0, 1, 2].map(|i| (value[name][i].as_f64().unwrap_or(0.0) as f32).to_bits())
}

fn list<'a>(scene: &'a Value, name: &str) -> &'a [Value] {
    scene[name].as_array().unwrap()
}

/// The task that renders one tile.
pub fn path_tracer_task(tile: PictureTile, passes: usize, samples_per_pass: u32) -> WgslTask {
    let scene: Value = serde_json::from_str(SCENE).unwrap();
    let materials = list(&scene, "materials");
    let material_of = |item: &Value| {
        let found = materials.iter().position(|material| material["name"] == item["material"]);
        found.unwrap() as u32
    };
    let is_lamp = |sphere: &&Value| materials[material_of(sphere) as usize]["kind"] == "lamp";
    let mut spheres: Vec<&Value> = list(&scene, "spheres").iter().filter(is_lamp).collect();
    let lamps = spheres.len() as u32;
    spheres.extend(list(&scene, "spheres").iter().filter(|sphere| !is_lamp(sphere)));
    let quads = list(&scene, "quads");

    let mut frame = vec![
        tile.picture_width,
        tile.picture_height,
        tile.x,
        tile.y,
        tile.width,
        tile.height,
        samples_per_pass,
        1,
        spheres.len() as u32,
        quads.len() as u32,
        lamps,
        scene["bounces_max"].as_u64().unwrap() as u32,
    ];
    let camera = &scene["camera"];
    frame.extend(triple(camera, "from"));
    frame.push(number(camera, "field_of_view_degrees"));
    frame.extend(triple(camera, "at"));
    frame.push(number(camera, "aperture_radius"));
    frame.push(number(camera, "focus_distance"));
    frame.push(number(&scene, "exposure"));
    frame.push(number(&scene, "haze_density"));
    frame.push(number(&scene["sun"], "angular_radius"));
    for (part, name) in [("sun", "direction"), ("sun", "irradiance"), ("sky", "zenith"), ("sky", "horizon")] {
        frame.extend(triple(&scene[part], name));
        frame.push(0);
    }
    let mut sphere_words = Vec::new();
    for sphere in &spheres {
        sphere_words.extend(triple(sphere, "centre"));
        sphere_words.extend([number(sphere, "radius"), material_of(sphere), 0, 0, 0]);
    }
    let mut quad_words = Vec::new();
    for quad in quads {
        quad_words.extend(triple(quad, "corner"));
        quad_words.push(material_of(quad));
        quad_words.extend(triple(quad, "edge_u"));
        quad_words.push(0);
        quad_words.extend(triple(quad, "edge_v"));
        quad_words.push(0);
    }
    let mut material_words = Vec::new();
    for material in materials {
        let kind = KINDS.iter().position(|kind| material["kind"] == *kind).unwrap() as u32;
        material_words.extend(triple(material, "albedo"));
        material_words.push(kind);
        material_words.extend(triple(material, "albedo_2"));
        material_words.push(number(material, "checker_side"));
        material_words.extend(triple(material, "emission"));
        material_words.push(number(material, "roughness"));
        material_words.extend([number(material, "index_of_refraction"), 0, 0, 0]);
    }

    let filled = |words: Vec<u32>, role| buffer(words.len() as u64 * 4, role, WgslInit::Words(words));
    let pixels = u64::from(tile.width) * u64::from(tile.height);
    let workgroups = tile.width.div_ceil(8) * tile.height.div_ceil(8);
    let all = [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)];
    let mut dispatches = vec![dispatch("trace", workgroups, &all); passes];
    dispatches.push(dispatch("tone_map", workgroups, &[(0, 0), (4, 4), (5, 5)]));
    WgslTask {
        shaders: vec![SHADER.to_owned()],
        buffers: vec![
            filled(frame, WgslBufferRole::Uniform),
            filled(sphere_words, WgslBufferRole::ReadOnly),
            filled(quad_words, WgslBufferRole::ReadOnly),
            filled(material_words, WgslBufferRole::ReadOnly),
            buffer(pixels * 16, WgslBufferRole::ReadWrite, WgslInit::Zero),
            buffer(pixels * 4, WgslBufferRole::ReadWrite, WgslInit::Zero),
        ],
        dispatches,
        outputs: vec![5],
        tolerance: Tolerance::U8 { absolute: 2, outliers_per_million: 2000 },
    }
}
