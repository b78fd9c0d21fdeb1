//! Scenes for the path tracer: data from a file, varied by a seed, packed into the shader's buffers.
//!
//! The layout of the buffers is documented at the head of `jobs/path_tracer.wgsl`.

use std::collections::BTreeMap;
use std::f32::consts::{PI, TAU};

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::Deserialize;

const SCENE: &str = include_str!("../../jobs/scene.json");

/// A scene file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    /// It is not what a scene file holds.
    #[error("the scene file cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Something has a material that is not there.
    #[error("the scene names a material “{0}” that it does not describe")]
    UnknownMaterial(String),
}

type Vector = [f32; 3];

/// Where the picture is taken from.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Camera {
    /// The eye.
    pub from: Vector,
    /// What is in the middle of the picture.
    pub at: Vector,
    /// Vertical.
    pub field_of_view_degrees: f32,
    /// Of the lens; larger blurs more.
    pub aperture_radius: f32,
    /// What is sharp.
    pub focus_distance: f32,
}

/// The sun.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Sun {
    /// Towards it; of length 1.
    pub direction: Vector,
    /// In radians.
    pub angular_radius: f32,
    /// Red, green and blue.
    pub irradiance: Vector,
}

/// The sky.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Sky {
    /// Overhead.
    pub zenith: Vector,
    /// At the horizon.
    pub horizon: Vector,
}

/// What a surface does with light.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaterialKind {
    /// Scatters evenly.
    Matte,
    /// Mirrors in its own colour.
    Metal,
    /// Lets through and bends.
    Glass,
    /// Shines.
    Lamp,
    /// Matte under a clear coat.
    Lacquer,
}

/// A surface.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Material {
    /// What spheres and quads call it.
    pub name: String,
    /// Its sort.
    pub kind: MaterialKind,
    /// Share of light that it returns.
    #[serde(default)]
    pub albedo: Vector,
    /// Of every other square.
    #[serde(default)]
    pub albedo_2: Vector,
    /// Side of a square; 0 for none.
    #[serde(default)]
    pub checker_side: f32,
    /// Light of a lamp.
    #[serde(default)]
    pub emission: Vector,
    /// 0 is smooth.
    #[serde(default)]
    pub roughness: f32,
    /// Of glass and clear coats.
    #[serde(default)]
    pub index_of_refraction: f32,
}

/// A ball.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Sphere {
    /// Its middle.
    pub centre: Vector,
    /// Its radius.
    pub radius: f32,
    /// Name of its material.
    pub material: String,
}

/// A parallelogram.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Quad {
    /// One corner.
    pub corner: Vector,
    /// To the next corner.
    pub edge_u: Vector,
    /// To the other next corner.
    pub edge_v: Vector,
    /// Name of its material.
    pub material: String,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Scene {
    /// Where the picture is taken from.
    pub camera: Camera,
    /// Brightness of the picture.
    pub exposure: f32,
    /// Share of light lost to haze in a metre.
    pub haze_density: f32,
    /// How often a path may turn.
    pub bounces_max: u32,
    /// The sun.
    pub sun: Sun,
    /// The sky.
    pub sky: Sky,
    /// The surfaces.
    pub materials: Vec<Material>,
    /// The parallelograms.
    pub quads: Vec<Quad>,
    /// The balls.
    pub spheres: Vec<Sphere>,
}

/// A scene as the shader reads it, save for what differs from tile to tile.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed {
    /// `Sphere` records, lamps first.
    pub spheres: Vec<u8>,
    /// `Quad` records.
    pub quads: Vec<u8>,
    /// `Material` records.
    pub materials: Vec<u8>,
    /// How many spheres.
    pub sphere_count: u32,
    /// How many quads.
    pub quad_count: u32,
    /// How many of the spheres are lamps.
    pub light_count: u32,
}

/// A time of day, with the light that comes with it.
struct Light {
    name: &'static str,
    sun_elevation: f32,
    sun_irradiance: Vector,
    zenith: Vector,
    horizon: Vector,
    exposure: f32,
}

/// Four lights, the scene file's own among them.
const LIGHTS: [Light; 4] = [
    Light {
        name: "at dusk",
        sun_elevation: 0.526,
        sun_irradiance: [3.4, 2.1, 1.25],
        zenith: [0.1, 0.19, 0.46],
        horizon: [0.95, 0.62, 0.5],
        exposure: 0.9,
    },
    Light {
        name: "in the morning",
        sun_elevation: 0.7,
        sun_irradiance: [3.2, 2.7, 2.0],
        zenith: [0.16, 0.32, 0.68],
        horizon: [0.75, 0.78, 0.82],
        exposure: 0.75,
    },
    Light {
        name: "under clouds",
        sun_elevation: 1.1,
        sun_irradiance: [0.5, 0.52, 0.55],
        zenith: [0.5, 0.54, 0.6],
        horizon: [0.62, 0.63, 0.65],
        exposure: 0.95,
    },
    Light {
        name: "by lamplight",
        sun_elevation: 0.35,
        sun_irradiance: [0.12, 0.15, 0.26],
        zenith: [0.012, 0.018, 0.05],
        horizon: [0.06, 0.05, 0.09],
        exposure: 1.5,
    },
];

impl Scene {
    /// The scene that is shipped.
    pub fn shipped() -> Result<Self, SceneError> {
        Ok(serde_json::from_str(SCENE)?)
    }

    /// The scene from another side, in another light and other colours, all by `seed`; and what to call it.
    #[must_use]
    pub fn varied(mut self, seed: u64) -> (Self, String) {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        // All the way round, at eye level to somewhat above, from where the middle ball fills a third.
        let (azimuth, height) = (dice.random_range(0.0..TAU), dice.random_range(1.2..3.2f32));
        let distance = dice.random_range(7.4..9.2f32);
        self.camera.from = [distance * azimuth.sin(), height, distance * azimuth.cos()];
        let to_middle: f32 =
            self.camera.from.iter().zip(self.camera.at).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt();
        // The near side of the middle ball is sharp.
        self.camera.focus_distance = to_middle - 0.6;
        let light = &LIGHTS[dice.random_range(0..LIGHTS.len())];
        let (elevation, bearing) = (light.sun_elevation, dice.random_range(0.0..TAU));
        self.sun.direction =
            [elevation.cos() * bearing.sin(), elevation.sin(), elevation.cos() * bearing.cos()];
        self.sun.irradiance = light.sun_irradiance;
        self.sky = Sky { zenith: light.zenith, horizon: light.horizon };
        self.exposure = light.exposure;
        let turn = dice.random_range(0.0..TAU);
        for material in &mut self.materials {
            let is_painted = matches!(material.kind, MaterialKind::Matte | MaterialKind::Lacquer);
            if is_painted && material.checker_side == 0.0 {
                material.albedo = turned_hue(material.albedo, turn);
            }
        }
        let side = ["north", "east", "south", "west"][((azimuth / (PI / 2.0)) as usize).min(3)];
        let title = format!("Path-traced spheres {} from the {side}", light.name);
        (self, title)
    }

    /// The buffers that all tiles share.
    pub fn packed(&self) -> Result<Packed, SceneError> {
        let positions: BTreeMap<&str, (u32, MaterialKind)> =
            (0..).zip(&self.materials).map(|(at, m)| (m.name.as_str(), (at, m.kind))).collect();
        let find = |name: &str| {
            positions.get(name).copied().ok_or_else(|| SceneError::UnknownMaterial(name.to_owned()))
        };
        let mut lamps = Words::default();
        let mut others = Words::default();
        let mut light_count = 0;
        for sphere in &self.spheres {
            let (material, kind) = find(&sphere.material)?;
            let words = if kind == MaterialKind::Lamp {
                light_count += 1;
                &mut lamps
            } else {
                &mut others
            };
            words.vector(sphere.centre).float(sphere.radius).integer(material).zeroes(3);
        }
        let mut quads = Words::default();
        for quad in &self.quads {
            let (material, _) = find(&quad.material)?;
            quads.vector(quad.corner).integer(material);
            quads.vector(quad.edge_u).zeroes(1).vector(quad.edge_v).zeroes(1);
        }
        let mut materials = Words::default();
        for material in &self.materials {
            let kind = match material.kind {
                MaterialKind::Matte => 0,
                MaterialKind::Metal => 1,
                MaterialKind::Glass => 2,
                MaterialKind::Lamp => 3,
                MaterialKind::Lacquer => 4,
            };
            materials.vector(material.albedo).integer(kind);
            materials.vector(material.albedo_2).float(material.checker_side);
            materials.vector(material.emission).float(material.roughness);
            materials.float(material.index_of_refraction).zeroes(3);
        }
        lamps.0.extend(others.0);
        Ok(Packed {
            spheres: lamps.0.iter().flat_map(|word| word.to_le_bytes()).collect(),
            quads: quads.0.iter().flat_map(|word| word.to_le_bytes()).collect(),
            materials: materials.0.iter().flat_map(|word| word.to_le_bytes()).collect(),
            sphere_count: count(self.spheres.len()),
            quad_count: count(self.quads.len()),
            light_count,
        })
    }

    /// The `Frame` of one tile.
    pub fn frame(
        &self,
        packed: &Packed,
        tile: &lull_types::PictureTile,
        samples: u32,
        seed: u32,
    ) -> Vec<u32> {
        let mut words = Words::default();
        words.integer(tile.picture_width).integer(tile.picture_height).integer(tile.x).integer(tile.y);
        words.integer(tile.width).integer(tile.height).integer(samples).integer(seed);
        words.integer(packed.sphere_count).integer(packed.quad_count);
        words.integer(packed.light_count).integer(self.bounces_max);
        words.vector(self.camera.from).float(self.camera.field_of_view_degrees);
        words.vector(self.camera.at).float(self.camera.aperture_radius);
        words.float(self.camera.focus_distance).float(self.exposure).float(self.haze_density);
        words.float(self.sun.angular_radius);
        words.vector(self.sun.direction).zeroes(1).vector(self.sun.irradiance).zeroes(1);
        words.vector(self.sky.zenith).zeroes(1).vector(self.sky.horizon).zeroes(1);
        words.0
    }
}

fn count(length: usize) -> u32 {
    // A scene of four thousand million balls does not fit the memory that this would have to be read into.
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Words of a record, in order.
#[derive(Default)]
struct Words(Vec<u32>);

impl Words {
    fn integer(&mut self, value: u32) -> &mut Self {
        self.0.push(value);
        self
    }
    fn float(&mut self, value: f32) -> &mut Self {
        self.integer(value.to_bits())
    }
    fn vector(&mut self, value: Vector) -> &mut Self {
        self.0.extend(value.map(f32::to_bits));
        self
    }
    fn zeroes(&mut self, words: usize) -> &mut Self {
        self.0.extend(std::iter::repeat_n(0, words));
        self
    }
}

/// A colour with its hue turned by an angle: a rotation about the grey axis, kept within what paint can return.
fn turned_hue(colour: Vector, angle: f32) -> Vector {
    let (sin, cos) = angle.sin_cos();
    let third = 1.0 / 3.0;
    let a = cos + third * (1.0 - cos);
    let b = third * (1.0 - cos) - third.sqrt() * sin;
    let c = third * (1.0 - cos) + third.sqrt() * sin;
    let [red, green, blue] = colour;
    [a * red + b * green + c * blue, c * red + a * green + b * blue, b * red + c * green + a * blue]
        .map(|share| share.clamp(0.02, 0.95))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lull_types::PictureTile;

    #[test]
    fn the_shipped_scene_is_packed_as_the_shader_reads_it() {
        let scene = Scene::shipped().unwrap();
        let packed = scene.packed().unwrap();
        assert_eq!(packed.spheres.len(), 32 * scene.spheres.len());
        assert_eq!(packed.quads.len(), 48 * scene.quads.len());
        assert_eq!(packed.materials.len(), 64 * scene.materials.len());
        assert_eq!(packed.light_count, 5);
        let material_of = |sphere: usize| {
            let at = sphere * 32 + 16;
            u32::from_le_bytes(packed.spheres[at..at + 4].try_into().unwrap()) as usize
        };
        for sphere in 0..scene.spheres.len() {
            let is_lamp = scene.materials[material_of(sphere)].kind == MaterialKind::Lamp;
            assert_eq!(is_lamp, sphere < 5, "lamps come first");
        }
        let tile =
            PictureTile { picture_width: 512, picture_height: 384, x: 64, y: 0, width: 64, height: 64 };
        let frame = scene.frame(&packed, &tile, 16, 9);
        assert_eq!(frame.len() * 4, 160);
        assert_eq!(frame[..8], [512, 384, 64, 0, 64, 64, 16, 9]);
    }

    #[test]
    fn a_seed_gives_the_same_scene_again_and_another_seed_another() {
        let varied = |seed| Scene::shipped().unwrap().varied(seed);
        assert_eq!(varied(1), varied(1));
        assert_ne!(varied(1).0.camera, varied(2).0.camera);
        for seed in 0..64 {
            let (scene, title) = varied(seed);
            assert!(scene.camera.from[1] > 1.0 && scene.camera.focus_distance > 1.0, "{title}");
            let length: f32 = scene.sun.direction.iter().map(|x| x * x).sum();
            assert!((length - 1.0).abs() < 1e-5);
            assert!(scene.materials.iter().flat_map(|m| m.albedo).all(|share| (0.0..=1.0).contains(&share)));
        }
    }

    #[test]
    fn a_full_turn_of_the_hue_changes_nothing() {
        let colour = [0.5, 0.2, 0.3];
        for (before, after) in colour.iter().zip(turned_hue(colour, TAU)) {
            assert!((before - after).abs() < 1e-5);
        }
    }
}
