// A path tracer for `wgsl/1`: one task renders one tile of a picture of a scene that is given as data.
//
// Dispatches, all with `workgroups = ceil(tile_width / 8) * ceil(tile_height / 8)`:
//   1. `trace`, any number of times: each adds `samples_per_pass` samples to every pixel of the tile.
//   2. `tone_map`, once, last: writes the pixels.
//
// Buffers, all in group 0 (the slice uniform is in group 3, see wgsl/1). Numbers are little-endian.
//   binding  role        bytes                          content
//   0        uniform     160                            `Frame`
//   1        read_only   32 * max(sphere_count, 1)      `Sphere`s; the first `light_count` are the lamps
//   2        read_only   48 * max(quad_count, 1)        `Quad`s
//   3        read_only   64 * material_count            `Material`s
//   4        read_write  16 * tile_width * tile_height  sum of radiance and count of samples; starts as zero
//   5        read_write  4 * tile_width * tile_height   output: RGBA8 (red in the lowest byte), row by row
// `trace` uses bindings 0 to 4, `tone_map` uses 0, 4 and 5.
//
// Words of each record, in order (u = u32, f = f32, - = unused, zero):
//   Frame     0 picture_width u    picture_height u   tile_x u            tile_y u
//             4 tile_width u       tile_height u      samples_per_pass u  seed u
//             8 sphere_count u     quad_count u       light_count u       bounces_max u
//            12 camera_from 3f     field_of_view_degrees f (vertical)
//            16 camera_at 3f       aperture_radius f
//            20 focus_distance f   exposure f         haze_density f      sun_angular_radius f (radians)
//            24 sun_direction 3f (towards the sun)    -
//            28 sun_irradiance 3f  -
//            32 sky_zenith 3f      -
//            36 sky_horizon 3f     -
//   Sphere    0 centre 3f          radius f
//             4 material u         -                  -                   -
//   Quad      0 corner 3f          material u
//             4 edge_u 3f          -
//             8 edge_v 3f          -
//   Material  0 albedo 3f          kind u (0 matte, 1 metal, 2 glass, 3 lamp, 4 lacquer)
//             4 albedo_2 3f        checker_side f (0 for no checks; else the side of a square in x and z)
//             8 emission 3f        roughness f (metal and lacquer)
//            12 index_of_refraction f (glass and lacquer)  -  -  -
//
// Keep samples_per_pass × bounces_max × 2 × (sphere_count + quad_count + light_count) below 65,535: Mesa's llvmpipe
// ends an invocation's loops after as many turns in all, whatever the shader says, and the picture would be wrong
// there. 8 samples a pass are right for a hundred spheres and 8 bounces.
//
// The result depends on nothing but these buffers: samples are Owen-scrambled Sobol points, scrambled by hashes of
// pixel, dimension and `seed` (B. Burley, "Practical Hash-based Owen Scrambling", JCGT 9(4), 2020).

struct Frame {
    picture_width: u32, picture_height: u32, tile_x: u32, tile_y: u32,
    tile_width: u32, tile_height: u32, samples_per_pass: u32, seed: u32,
    sphere_count: u32, quad_count: u32, light_count: u32, bounces_max: u32,
    camera_from: vec3<f32>, field_of_view_degrees: f32,
    camera_at: vec3<f32>, aperture_radius: f32,
    focus_distance: f32, exposure: f32, haze_density: f32, sun_angular_radius: f32,
    sun_direction: vec3<f32>, unused_0: f32,
    sun_irradiance: vec3<f32>, unused_1: f32,
    sky_zenith: vec3<f32>, unused_2: f32,
    sky_horizon: vec3<f32>, unused_3: f32,
}
struct Sphere { centre: vec3<f32>, radius: f32, material: u32, unused_0: u32, unused_1: u32, unused_2: u32 }
struct Quad { corner: vec3<f32>, material: u32, edge_u: vec3<f32>, unused_0: u32, edge_v: vec3<f32>, unused_1: u32 }
struct Material {
    albedo: vec3<f32>, kind: u32,
    albedo_2: vec3<f32>, checker_side: f32,
    emission: vec3<f32>, roughness: f32,
    index_of_refraction: f32, unused_0: f32, unused_1: f32, unused_2: f32,
}
struct LullSlice { first_workgroup: u32, workgroup_count: u32, reserved_0: u32, reserved_1: u32 }

@group(0) @binding(0) var<uniform> frame: Frame;
@group(0) @binding(1) var<storage, read> spheres: array<Sphere>;
@group(0) @binding(2) var<storage, read> quads: array<Quad>;
@group(0) @binding(3) var<storage, read> materials: array<Material>;
@group(0) @binding(4) var<storage, read_write> radiance: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> pixels: array<u32>;
@group(3) @binding(0) var<uniform> lull_slice: LullSlice;

const PI: f32 = 3.14159265;
const FAR: f32 = 1e9;
// Rays start this far off a surface, so that rounding does not make it shadow itself. Scenes are metres in size.
const SKIN: f32 = 1e-3;
// A brighter sample is dimmed to this: one lucky path would otherwise show as a lone white pixel.
const SAMPLE_RADIANCE_MAX: f32 = 12.0;
// The same for a lamp in the gloss of a rough point, of which few samples hit the middle.
const GLOSS_RADIANCE_MAX: f32 = 2.0;
// From here on a gloss is wider than the lamps, and sampling these is better than meeting them by chance.
const SAMPLED_ROUGHNESS_MIN: f32 = 0.18;

const MATTE: u32 = 0u;
const METAL: u32 = 1u;
const GLASS: u32 = 2u;
const LAMP: u32 = 3u;
const LACQUER: u32 = 4u;

// ---- Samples -------------------------------------------------------------------------------------------------

fn hash(value: u32) -> u32 {
    // PCG output permutation (M. Jarzynski, M. Olano, "Hash Functions for GPU Rendering", JCGT 9(3), 2020).
    let state = value * 747796405u + 2891336453u;
    let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
    return (word >> 22u) ^ word;
}

fn owen_scramble(value: u32, seed: u32) -> u32 {
    var v = reverseBits(value);
    v = v + seed;
    v = v ^ (v * 0x6c50b47cu);
    v = v ^ (v * 0xb82f1e52u);
    v = v ^ (v * 0xc7afe638u);
    v = v ^ (v * 0x8d22f6e6u);
    return reverseBits(v);
}

fn sobol_1(index: u32) -> u32 {
    // The second Sobol dimension is Pascal's triangle mod 2 applied to the index's bits.
    var v = index;
    v = v ^ ((v & 0xffff0000u) >> 16u);
    v = v ^ ((v & 0xff00ff00u) >> 8u);
    v = v ^ ((v & 0xf0f0f0f0u) >> 4u);
    v = v ^ ((v & 0xccccccccu) >> 2u);
    v = v ^ ((v & 0xaaaaaaaau) >> 1u);
    return reverseBits(v);
}

fn unit_float(bits: u32) -> f32 {
    return f32(bits >> 8u) * (1.0 / 16777216.0);
}

struct Sampler { pixel_seed: u32, index: u32, dimension: u32 }

// Two numbers in [0, 1); every call draws from a further pair of dimensions.
fn draw(sampler: ptr<function, Sampler>) -> vec2<f32> {
    let seed = hash((*sampler).pixel_seed ^ ((*sampler).dimension * 0x9e3779b9u));
    (*sampler).dimension += 1u;
    let shuffled = owen_scramble((*sampler).index, seed);
    let x = owen_scramble(reverseBits(shuffled), hash(seed ^ 0x68bc21ebu));
    let y = owen_scramble(sobol_1(shuffled), hash(seed ^ 0x02e5be93u));
    return vec2(unit_float(x), unit_float(y));
}

// ---- Geometry ------------------------------------------------------------------------------------------------

struct Ray { origin: vec3<f32>, direction: vec3<f32> }
struct Hit { distance: f32, normal: vec3<f32>, material: u32 }

fn sphere_distance(sphere: Sphere, ray: Ray) -> f32 {
    let offset = sphere.centre - ray.origin;
    let along = dot(offset, ray.direction);
    // From the chord's middle, which keeps precision for small spheres far away.
    let beside = offset - along * ray.direction;
    let half_chord_2 = sphere.radius * sphere.radius - dot(beside, beside);
    if half_chord_2 <= 0.0 { return FAR; }
    let half_chord = sqrt(half_chord_2);
    let near = along - half_chord;
    let far = along + half_chord;
    return select(select(FAR, far, far > SKIN), near, near > SKIN);
}

fn quad_distance(quad: Quad, ray: Ray) -> f32 {
    let normal = cross(quad.edge_u, quad.edge_v);
    let facing = dot(normal, ray.direction);
    if abs(facing) < 1e-9 { return FAR; }
    let distance = dot(normal, quad.corner - ray.origin) / facing;
    if distance <= SKIN { return FAR; }
    let point = ray.origin + distance * ray.direction - quad.corner;
    let u = dot(point, quad.edge_u) / dot(quad.edge_u, quad.edge_u);
    let v = dot(point, quad.edge_v) / dot(quad.edge_v, quad.edge_v);
    if u < 0.0 || u > 1.0 || v < 0.0 || v > 1.0 { return FAR; }
    return distance;
}

fn nearest_hit(ray: Ray) -> Hit {
    var hit = Hit(FAR, vec3(0.0), 0u);
    var nearest = 0u;
    var is_sphere = false;
    for (var i = 0u; i < frame.sphere_count; i++) {
        let distance = sphere_distance(spheres[i], ray);
        if distance < hit.distance { hit.distance = distance; nearest = i; is_sphere = true; }
    }
    for (var i = 0u; i < frame.quad_count; i++) {
        let distance = quad_distance(quads[i], ray);
        if distance < hit.distance { hit.distance = distance; nearest = i; is_sphere = false; }
    }
    if hit.distance >= FAR { return hit; }
    if is_sphere {
        let sphere = spheres[nearest];
        hit.normal = normalize(ray.origin + hit.distance * ray.direction - sphere.centre);
        hit.material = sphere.material;
    } else {
        let quad = quads[nearest];
        hit.normal = normalize(cross(quad.edge_u, quad.edge_v));
        hit.material = quad.material;
    }
    return hit;
}

// The share of light that gets through. Glass is taken as thin here: its shadow is light and free of noise.
fn transmittance(ray: Ray, distance_max: f32) -> vec3<f32> {
    var through = vec3(1.0);
    for (var i = 0u; i < frame.sphere_count; i++) {
        let sphere = spheres[i];
        let distance = sphere_distance(sphere, ray);
        if distance >= distance_max { continue; }
        if materials[sphere.material].kind != GLASS { return vec3(0.0); }
        let normal = (ray.origin + distance * ray.direction - sphere.centre) / sphere.radius;
        let facing = abs(dot(normal, ray.direction));
        through *= materials[sphere.material].albedo * (0.15 + 0.75 * facing);
    }
    for (var i = 0u; i < frame.quad_count; i++) {
        if quad_distance(quads[i], ray) < distance_max { return vec3(0.0); }
    }
    return through;
}

// Rows of a rotation that takes z to `normal` (T. Duff et al., "Building an Orthonormal Basis, Revisited", 2017).
fn basis(normal: vec3<f32>) -> mat3x3<f32> {
    let s = select(-1.0, 1.0, normal.z >= 0.0);
    let a = -1.0 / (s + normal.z);
    let b = normal.x * normal.y * a;
    return mat3x3(
        vec3(1.0 + s * normal.x * normal.x * a, s * b, -s * normal.x),
        vec3(b, s + normal.y * normal.y * a, -normal.y),
        normal,
    );
}

fn disc(u: vec2<f32>) -> vec2<f32> {
    let angle = 2.0 * PI * u.y;
    return sqrt(u.x) * vec2(cos(angle), sin(angle));
}

fn cosine_direction(normal: vec3<f32>, u: vec2<f32>) -> vec3<f32> {
    let p = disc(u);
    return basis(normal) * vec3(p, sqrt(max(0.0, 1.0 - dot(p, p))));
}

// Uniform in a cone. `one_minus_cos` is given, as it would cancel for a narrow cone.
fn cone_direction(axis: vec3<f32>, one_minus_cos: f32, u: vec2<f32>) -> vec3<f32> {
    let h = one_minus_cos * u.x;
    let sine = sqrt(max(0.0, h * (2.0 - h)));
    let angle = 2.0 * PI * u.y;
    return basis(axis) * vec3(sine * cos(angle), sine * sin(angle), 1.0 - h);
}

// ---- Light ---------------------------------------------------------------------------------------------------

fn luminance(colour: vec3<f32>) -> f32 {
    return dot(colour, vec3(0.2126, 0.7152, 0.0722));
}

fn sky(direction: vec3<f32>) -> vec3<f32> {
    let height = max(direction.y, 0.0);
    let base = mix(frame.sky_horizon, frame.sky_zenith, 1.0 - pow(1.0 - height, 3.0));
    // A wide glow around the sun and along the horizon below it.
    let toward = max(dot(direction, frame.sun_direction), 0.0);
    let glow = 0.10 * pow(toward, 6.0) + 0.25 * pow(toward, 48.0);
    return base + frame.sun_irradiance * glow * 0.35;
}

fn sun_one_minus_cos() -> f32 {
    let half_sine = sin(0.5 * frame.sun_angular_radius);
    return 2.0 * half_sine * half_sine;
}

fn sun_disc(direction: vec3<f32>) -> vec3<f32> {
    let one_minus_cos = sun_one_minus_cos();
    if 1.0 - dot(direction, frame.sun_direction) > one_minus_cos { return vec3(0.0); }
    return frame.sun_irradiance / (2.0 * PI * one_minus_cos);
}

// Light that comes straight from the sun or a lamp: where from, and its radiance over the density of that direction.
struct Direct { direction: vec3<f32>, facing: f32, light: vec3<f32> }

// Picks the sun or a lamp by its strength, and a direction to it.
fn direct_light(point: vec3<f32>, normal: vec3<f32>, pick: f32, u: vec2<f32>) -> Direct {
    let nothing = Direct(normal, 0.0, vec3(0.0));
    let sun_weight = luminance(frame.sun_irradiance) * max(dot(normal, frame.sun_direction), 0.0);
    var total = sun_weight;
    for (var i = 0u; i < frame.light_count; i++) { total += lamp_weight(i, point, normal); }
    if total <= 0.0 { return nothing; }
    var left = pick * total;
    if left < sun_weight {
        let direction = cone_direction(frame.sun_direction, sun_one_minus_cos(), u);
        let facing = dot(normal, direction);
        if facing <= 0.0 { return nothing; }
        let through = transmittance(Ray(point, direction), FAR);
        return Direct(direction, facing, through * frame.sun_irradiance * (total / sun_weight));
    }
    left -= sun_weight;
    var chosen = 0u;
    var weight = 0.0;
    for (var i = 0u; i < frame.light_count; i++) {
        let w = lamp_weight(i, point, normal);
        if w > 0.0 {
            chosen = i;
            weight = w;
            if left < w { break; }
            left -= w;
        }
    }
    if weight <= 0.0 { return nothing; }
    let lamp = spheres[chosen];
    let offset = lamp.centre - point;
    let distance_2 = dot(offset, offset);
    let sine_2 = lamp.radius * lamp.radius / distance_2;
    if sine_2 >= 1.0 { return nothing; }
    let one_minus_cos = sine_2 / (1.0 + sqrt(1.0 - sine_2));
    let direction = cone_direction(offset / sqrt(distance_2), one_minus_cos, u);
    let facing = dot(normal, direction);
    if facing <= 0.0 { return nothing; }
    let ray = Ray(point, direction);
    let reach = min(sphere_distance(lamp, ray), sqrt(distance_2)) - SKIN;
    let through = transmittance(ray, reach);
    let emission = materials[lamp.material].emission;
    return Direct(direction, facing, through * emission * (2.0 * PI * one_minus_cos * total / weight));
}

fn lamp_weight(i: u32, point: vec3<f32>, normal: vec3<f32>) -> f32 {
    let lamp = spheres[i];
    let offset = lamp.centre - point;
    let distance_2 = dot(offset, offset);
    // A lamp wholly behind the surface sends nothing to it.
    if dot(offset, normal) <= -lamp.radius { return 0.0; }
    return luminance(materials[lamp.material].emission) * PI * lamp.radius * lamp.radius / distance_2;
}

// ---- Materials -----------------------------------------------------------------------------------------------

// A microfacet's normal as seen from `view` (E. Heitz, "Sampling the GGX Distribution of Visible Normals", 2018).
fn visible_normal(view: vec3<f32>, alpha: f32, u: vec2<f32>) -> vec3<f32> {
    let stretched = normalize(vec3(alpha * view.xy, view.z));
    let length_2 = dot(stretched.xy, stretched.xy);
    var t1 = vec3(1.0, 0.0, 0.0);
    if length_2 > 1e-12 { t1 = vec3(-stretched.y, stretched.x, 0.0) * inverseSqrt(length_2); }
    let t2 = cross(stretched, t1);
    var p = disc(u);
    let s = 0.5 * (1.0 + stretched.z);
    p.y = (1.0 - s) * sqrt(max(0.0, 1.0 - p.x * p.x)) + s * p.y;
    let n = p.x * t1 + p.y * t2 + sqrt(max(0.0, 1.0 - dot(p, p))) * stretched;
    return normalize(vec3(alpha * n.xy, max(1e-6, n.z)));
}

fn smith_g1(cosine: f32, alpha: f32) -> f32 {
    let c2 = cosine * cosine;
    return 2.0 / (1.0 + sqrt(1.0 + alpha * alpha * (1.0 - c2) / max(c2, 1e-8)));
}

struct Gloss { direction: vec3<f32>, facet_cosine: f32, shadowing: f32 }

fn gloss(direction: vec3<f32>, normal: vec3<f32>, roughness: f32, u: vec2<f32>) -> Gloss {
    let frame_of_normal = basis(normal);
    let view = -direction * frame_of_normal;
    let alpha = max(roughness * roughness, 1e-4);
    let facet = visible_normal(view, alpha, u);
    let out = reflect(-view, facet);
    // A direction below the surface was reflected twice in truth; it is lost here.
    let shadowing = select(0.0, smith_g1(out.z, alpha), out.z > 0.0);
    return Gloss(frame_of_normal * out, max(dot(view, facet), 0.0), shadowing);
}

// The gloss of light from `to`, before what the facets reflect of it.
fn gloss_of(direction: vec3<f32>, to: vec3<f32>, normal: vec3<f32>, roughness: f32) -> f32 {
    let alpha = max(roughness * roughness, 1e-4);
    let facet_cosine = max(dot(normal, normalize(to - direction)), 0.0);
    let d = facet_cosine * facet_cosine * (alpha * alpha - 1.0) + 1.0;
    let density = alpha * alpha / (PI * d * d);
    let view_cosine = max(-dot(direction, normal), 1e-4);
    return density * smith_g1(view_cosine, alpha) * smith_g1(dot(normal, to), alpha) / (4.0 * view_cosine);
}

fn dielectric_fresnel(cosine: f32, ior: f32) -> f32 {
    let sine_2 = (1.0 - cosine * cosine) / (ior * ior);
    if sine_2 >= 1.0 { return 1.0; }
    let inner = sqrt(1.0 - sine_2);
    let parallel = (ior * cosine - inner) / (ior * cosine + inner);
    let across = (cosine - ior * inner) / (cosine + ior * inner);
    return 0.5 * (parallel * parallel + across * across);
}

fn albedo_at(material: Material, point: vec3<f32>) -> vec3<f32> {
    if material.checker_side <= 0.0 { return material.albedo; }
    let cell = vec2<i32>(floor(point.xz / material.checker_side));
    return select(material.albedo, material.albedo_2, ((cell.x + cell.y) & 1) != 0);
}

// ---- Paths ---------------------------------------------------------------------------------------------------

fn camera_ray(pixel: vec2<u32>, sampler: ptr<function, Sampler>) -> Ray {
    let forward = normalize(frame.camera_at - frame.camera_from);
    let right = normalize(cross(forward, vec3(0.0, 1.0, 0.0)));
    let up = cross(right, forward);
    let half_height = tan(radians(frame.field_of_view_degrees) * 0.5);
    let size = vec2(f32(frame.picture_width), f32(frame.picture_height));
    // A tent two pixels wide: edges are smooth, details stay.
    let u = draw(sampler);
    let tent = select(1.0 - sqrt(2.0 - 2.0 * u), sqrt(2.0 * u) - 1.0, u < vec2(0.5));
    let at = (vec2<f32>(pixel) + 0.5 + tent) / size * 2.0 - 1.0;
    let toward = forward + right * (at.x * half_height * size.x / size.y) - up * (at.y * half_height);
    let lens = disc(draw(sampler)) * frame.aperture_radius;
    let origin = frame.camera_from + right * lens.x + up * lens.y;
    let focus = frame.camera_from + toward * frame.focus_distance;
    return Ray(origin, normalize(focus - origin));
}

fn trace_path(first: Ray, sampler: ptr<function, Sampler>) -> vec3<f32> {
    var ray = first;
    var light = vec3(0.0);
    var carried = vec3(1.0);
    // Sun and lamps are seen along mirror-like paths from the camera; matte and rough points sample them instead.
    var sees_lights = true;
    for (var bounce = 0u; bounce < frame.bounces_max; bounce++) {
        let hit = nearest_hit(ray);
        if hit.distance >= FAR {
            var seen = sky(ray.direction);
            if sees_lights { seen += sun_disc(ray.direction); }
            light += carried * seen;
            break;
        }
        // Haze between here and there glows like the horizon.
        let clear = exp(-frame.haze_density * hit.distance);
        let level = normalize(vec3(ray.direction.x, 0.02, ray.direction.z));
        light += carried * (1.0 - clear) * sky(level);
        carried *= clear;

        let material = materials[hit.material];
        let point = ray.origin + hit.distance * ray.direction;
        let outside = dot(ray.direction, hit.normal) < 0.0;
        let normal = select(-hit.normal, hit.normal, outside);
        if material.kind == LAMP {
            if sees_lights { light += carried * material.emission; }
            break;
        }
        let albedo = albedo_at(material, point);
        let choice = draw(sampler);
        let u = draw(sampler);
        if material.kind == GLASS {
            let ior = select(1.0 / material.index_of_refraction, material.index_of_refraction, outside);
            let cosine = min(-dot(ray.direction, normal), 1.0);
            if choice.x < dielectric_fresnel(cosine, ior) {
                ray = Ray(point + normal * SKIN, reflect(ray.direction, normal));
            } else {
                let bent = (ray.direction + cosine * normal) / ior;
                let direction = bent - sqrt(max(0.0, 1.0 - dot(bent, bent))) * normal;
                carried *= albedo;
                ray = Ray(point - normal * SKIN, normalize(direction));
            }
        } else {
            var is_gloss = material.kind == METAL;
            var weight = albedo;
            let start = point + normal * SKIN;
            if material.kind == LACQUER {
                let coat = dielectric_fresnel(-dot(ray.direction, normal), material.index_of_refraction);
                let chance = clamp(coat, 0.1, 0.9);
                is_gloss = choice.x < chance;
                weight = select(albedo * (1.0 - coat) / (1.0 - chance), vec3(coat / chance), is_gloss);
            }
            if is_gloss {
                if material.roughness >= SAMPLED_ROUGHNESS_MIN {
                    let direct = direct_light(start, normal, choice.y, draw(sampler));
                    var reflected = weight;
                    if material.kind == METAL {
                        let halfway = normalize(direct.direction - ray.direction);
                        let cosine = max(dot(direct.direction, halfway), 0.0);
                        reflected = albedo + (1.0 - albedo) * pow(1.0 - cosine, 5.0);
                    }
                    if direct.facing > 0.0 {
                        let share = gloss_of(ray.direction, direct.direction, normal, material.roughness);
                        light += min(carried * reflected * direct.light * share, vec3(GLOSS_RADIANCE_MAX));
                    }
                    sees_lights = false;
                }
                let g = gloss(ray.direction, normal, material.roughness, u);
                if g.shadowing <= 0.0 { break; }
                if material.kind == METAL {
                    weight = albedo + (1.0 - albedo) * pow(1.0 - g.facet_cosine, 5.0);
                }
                carried *= weight * g.shadowing;
                ray = Ray(start, g.direction);
            } else {
                carried *= weight;
                let direct = direct_light(start, normal, choice.y, draw(sampler));
                light += carried * direct.light * (direct.facing / PI);
                sees_lights = false;
                ray = Ray(start, cosine_direction(normal, u));
            }
        }
        // Dim paths are ended by chance after a few bounces; those that go on are raised to make up for it.
        if bounce >= 3u {
            let keep = clamp(max(carried.x, max(carried.y, carried.z)), 0.05, 0.95);
            if draw(sampler).x >= keep { break; }
            carried /= keep;
        }
    }
    let peak = max(light.x, max(light.y, light.z));
    return select(light, light * (SAMPLE_RADIANCE_MAX / peak), peak > SAMPLE_RADIANCE_MAX);
}

// ---- Entry points --------------------------------------------------------------------------------------------

// The pixel of the tile that an invocation works on; outside the tile for those over its edge.
fn tile_pixel(workgroup: u32, local: vec2<u32>) -> vec2<u32> {
    let index = lull_slice.first_workgroup + workgroup;
    let across = (frame.tile_width + 7u) / 8u;
    return vec2(index % across, index / across) * 8u + local;
}

@compute @workgroup_size(8, 8)
fn trace(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let at = tile_pixel(workgroup.x, local.xy);
    if at.x >= frame.tile_width || at.y >= frame.tile_height { return; }
    let pixel = at + vec2(frame.tile_x, frame.tile_y);
    let slot = at.y * frame.tile_width + at.x;
    var sum = radiance[slot];
    let pixel_seed = hash(pixel.x + hash(pixel.y + hash(frame.seed)));
    let first = u32(sum.w);
    for (var i = 0u; i < frame.samples_per_pass; i++) {
        var sampler = Sampler(pixel_seed, first + i, 0u);
        let ray = camera_ray(pixel, &sampler);
        sum += vec4(trace_path(ray, &sampler), 1.0);
    }
    radiance[slot] = sum;
}

// Film-like response (S. Hill's fit of the ACES reference and output transforms).
fn film(colour: vec3<f32>) -> vec3<f32> {
    let into = mat3x3(
        vec3(0.59719, 0.07600, 0.02840), vec3(0.35458, 0.90834, 0.13383), vec3(0.04823, 0.01566, 0.83777));
    let back = mat3x3(
        vec3(1.60475, -0.10208, -0.00327), vec3(-0.53108, 1.10813, -0.07276), vec3(-0.07367, -0.00605, 1.07602));
    let v = into * colour;
    let fitted = (v * (v + 0.0245786) - 0.000090537) / (v * (0.983729 * v + 0.4329510) + 0.238081);
    return clamp(back * fitted, vec3(0.0), vec3(1.0));
}

@compute @workgroup_size(8, 8)
fn tone_map(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let at = tile_pixel(workgroup.x, local.xy);
    if at.x >= frame.tile_width || at.y >= frame.tile_height { return; }
    let slot = at.y * frame.tile_width + at.x;
    let sum = radiance[slot];
    let linear = film(frame.exposure * sum.xyz / max(sum.w, 1.0));
    let srgb = select(1.055 * pow(linear, vec3(1.0 / 2.4)) - 0.055, 12.92 * linear, linear <= vec3(0.0031308));
    pixels[slot] = pack4x8unorm(vec4(srgb, 1.0));
}
