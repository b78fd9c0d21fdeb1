// Matrices whose entries follow from two keys, and digests of a product's rows: what `lull_checks::product` has for a
// processor.

@group(0) @binding(0) var<uniform> parameters: vec4<u32>; // side, first key, second key
@group(0) @binding(1) var<storage, read_write> filled: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> product: array<f32>;
@group(0) @binding(3) var<storage, read_write> digests: array<u32>;

const LANES: u32 = 64u;
const WORDS: u32 = 8u;

var<workgroup> states: array<u32, LANES>;

fn mix(value: u32) -> u32 {
    var x = value;
    x = (x ^ (x >> 16u)) * 0x7feb352du;
    x = (x ^ (x >> 15u)) * 0x846ca68bu;
    return x ^ (x >> 16u);
}

fn absorb(state: u32, value: u32) -> u32 {
    let scrambled = value * 0xcc9e2d51u;
    let word = ((scrambled << 15u) | (scrambled >> 17u)) * 0x1b873593u;
    let mixed = state ^ word;
    return ((mixed << 13u) | (mixed >> 19u)) * 5u + 0xe6546b64u;
}

// An invocation fills four entries next to each other.
@compute @workgroup_size(256)
fn fill(@builtin(global_invocation_id) id: vec3<u32>) {
    let place = id.x;
    if place >= arrayLength(&filled) { return; }
    let bytes = mix(mix(place ^ parameters.y) ^ parameters.z);
    let entries = vec4(bytes, bytes >> 8u, bytes >> 16u, bytes >> 24u) & vec4(127u);
    filled[place] = vec4<f32>(vec4<i32>(entries) - vec4(64));
}

// A workgroup digests a row.
@compute @workgroup_size(LANES)
fn digest(@builtin(workgroup_id) row: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let side = parameters.x;
    var state = lane;
    for (var column = lane; column < side; column += LANES) {
        state = absorb(state, bitcast<u32>(i32(product[row.x * side + column])));
    }
    states[lane] = state;
    workgroupBarrier();
    if lane < WORDS {
        var folded = lane;
        for (var other = lane; other < LANES; other += WORDS) {
            folded = absorb(folded, states[other]);
        }
        digests[row.x * WORDS + lane] = mix(folded);
    }
}
