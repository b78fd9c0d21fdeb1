// Lanes of memory, and the two ways of reading them: what `lull_checks::memory` has for a processor.

struct Fill {
    key: array<vec4<u32>, 2>,
    first_step: u32,
    steps: u32,
    // Number of the region's first lane.
    first_lane: u32,
    unused: u32,
}

struct Sweep {
    key: vec4<u32>,
    // First lane of this dispatch in its region, and in all.
    first_of_region: u32,
    first_lane: u32,
    unused: vec2<u32>,
}

@group(0) @binding(0) var<uniform> fill_parameters: Fill;
@group(0) @binding(1) var<storage, read_write> memory: array<vec4<u32>>;
@group(0) @binding(2) var<uniform> sweep_parameters: Sweep;
@group(0) @binding(3) var<storage, read_write> digests: array<vec4<u32>>;
// First how many look-ups were done, the first lane of the region in which the next are, the number of regions, and the
// lanes of each; then the state before the first look-up, then the one after each.
@group(0) @binding(4) var<storage, read_write> chain: array<vec4<u32>>;

const THREADS: u32 = 256u;
const LANE_BLOCKS: u32 = 1024u;
// Vectors of a block, one for each invocation, and of a lane.
const BLOCK: u32 = THREADS;
const LANE: u32 = LANE_BLOCKS * BLOCK;
const SPREAD: u32 = 0x9e3779b9u;
// Look-ups of one dispatch.
const SEGMENT: u32 = 64u;
const LOOK_UPS: u32 = 65536u;

var<workgroup> words: array<u32, 1024>;
var<workgroup> drawn: u32;

fn rotated(value: u32, bits: u32) -> u32 {
    return (value << bits) | (value >> (32u - bits));
}

// Of ChaCha.
fn quarter_round(words: vec4<u32>) -> vec4<u32> {
    var a = words.x;
    var b = words.y;
    var c = words.z;
    var d = words.w;
    a += b; d = rotated(d ^ a, 16u);
    c += d; b = rotated(b ^ c, 12u);
    a += b; d = rotated(d ^ a, 8u);
    c += d; b = rotated(b ^ c, 7u);
    return vec4(a, b, c, d);
}

fn stride(thread: u32, step: u32) {
    let first = (thread / step) * 4u * step + thread % step;
    let mixed = quarter_round(
        vec4(words[first], words[first + step], words[first + 2u * step], words[first + 3u * step])
    );
    words[first] = mixed.x;
    words[first + step] = mixed.y;
    words[first + 2u * step] = mixed.z;
    words[first + 3u * step] = mixed.w;
}

// Mixes a block of which each invocation holds a vector.
fn permuted(thread: u32, block: vec4<u32>) -> vec4<u32> {
    let mixed = quarter_round(block);
    let own = 4u * thread;
    words[own] = mixed.x;
    words[own + 1u] = mixed.y;
    words[own + 2u] = mixed.z;
    words[own + 3u] = mixed.w;
    workgroupBarrier();
    stride(thread, 4u);
    workgroupBarrier();
    stride(thread, 16u);
    workgroupBarrier();
    stride(thread, 64u);
    workgroupBarrier();
    stride(thread, 256u);
    workgroupBarrier();
    return vec4(words[own], words[own + 1u], words[own + 2u], words[own + 3u]);
}

// A workgroup goes on with a lane of the region, some steps from where it was left.
@compute @workgroup_size(THREADS)
fn fill(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let lane = group.x * LANE;
    let first_step = fill_parameters.first_step;
    var last = vec4<u32>();
    if first_step == 0u {
        let first = vec4(0u, 1u, 2u, 3u) + vec4(4u * thread);
        last = fill_parameters.key[thread & 1u] + first * SPREAD;
        if thread == 0u { last.y += fill_parameters.first_lane + group.x; }
    } else {
        last = memory[lane + ((first_step - 1u) % LANE_BLOCKS) * BLOCK + thread];
    }
    if thread == 0u { drawn = last.x; }
    workgroupBarrier();
    for (var step = first_step; step < first_step + fill_parameters.steps; step++) {
        let own = lane + (step % LANE_BLOCKS) * BLOCK + thread;
        if step > 0u {
            var other = 0u;
            if step >= LANE_BLOCKS {
                other = (step + 1u + drawn % (LANE_BLOCKS - 2u)) % LANE_BLOCKS;
            } else if step > 1u {
                other = drawn % (step - 1u);
            }
            let referred = memory[lane + other * BLOCK + thread];
            last ^= (referred << vec4(16u)) | (referred >> vec4(16u));
        }
        if thread == 0u { last.x += step; }
        last ^= permuted(thread, last);
        if step >= LANE_BLOCKS { last ^= memory[own]; }
        memory[own] = last;
        if thread == 0u { drawn = last.x; }
        storageBarrier();
        workgroupBarrier();
    }
}

fn absorbed(sums: vec4<u32>, values: vec4<u32>) -> vec4<u32> {
    let mixed = sums ^ values;
    return ((mixed << vec4(13u)) | (mixed >> vec4(19u))) * 5u + vec4(0xe6546b64u);
}

// A workgroup digests a lane.
@compute @workgroup_size(THREADS)
fn sweep(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    var at = (sweep_parameters.first_of_region + group.x) * LANE + thread;
    var sums = sweep_parameters.key + vec4(0u, 1u, 2u, 3u) + vec4(4u * thread);
    // Four loads are under way at a time.
    for (var block = 0u; block < LANE_BLOCKS; block += 4u) {
        let first = memory[at];
        let second = memory[at + BLOCK];
        let third = memory[at + 2u * BLOCK];
        let fourth = memory[at + 3u * BLOCK];
        sums = absorbed(absorbed(absorbed(absorbed(sums, first), second), third), fourth);
        at += 4u * BLOCK;
    }
    let digest = sums ^ permuted(thread, sums);
    if thread == 0u { digests[sweep_parameters.first_lane + group.x] = digest; }
}

// One invocation goes some look-ups along the chain, if they are in this region and it has not come to its end.
@compute @workgroup_size(1)
fn look_up() {
    let head = chain[0];
    let done = head.x;
    if head.y != fill_parameters.first_lane || done >= LOOK_UPS { return; }
    let places = arrayLength(&memory);
    var state = chain[done + 1u];
    for (var n = 0u; n < SEGMENT; n++) {
        state = quarter_round(quarter_round(state ^ memory[state.x % places]));
        chain[done + n + 2u] = state;
    }
    chain[0] = vec4(done + SEGMENT, (state.y % head.z) * head.w, head.z, head.w);
}
