// Streams through a buffer with 16 bytes an invocation and step, neighbours side by side. Parameters: first element,
// rounds of eight steps, elements from step to step, mask that wraps around. A step of one workgroup's length gives each
// workgroup a stretch of its own; a longer one takes all workgroups through the buffer together.

@group(0) @binding(0) var<uniform> parameters: vec4<u32>;
@group(0) @binding(1) var<storage, read> data: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> sums: array<u32>;
@group(0) @binding(3) var<storage, read_write> filled: array<vec4<u32>>;

const LANES: u32 = 256u;

fn begin(workgroup: u32, lane: u32) -> u32 {
    let stretch = select(LANES, parameters.y * 8u * LANES, parameters.z == LANES);
    return parameters.x + workgroup * stretch + lane;
}

// Adds everything up, so that every word is needed.
@compute @workgroup_size(LANES)
fn add_up(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    var at = begin(workgroup.x, lane);
    let step = parameters.z;
    let mask = parameters.w;
    var a = vec4(0u);
    var b = vec4(0u);
    var c = vec4(0u);
    var d = vec4(0u);
    for (var i = 0u; i < parameters.y; i++) {
        a += data[at & mask];
        b += data[(at + step) & mask];
        c += data[(at + 2u * step) & mask];
        d += data[(at + 3u * step) & mask];
        a += data[(at + 4u * step) & mask];
        b += data[(at + 5u * step) & mask];
        c += data[(at + 6u * step) & mask];
        d += data[(at + 7u * step) & mask];
        at += 8u * step;
    }
    let sum = (a + b) + (c + d);
    sums[workgroup.x * LANES + lane] = (sum.x + sum.y) + (sum.z + sum.w);
}

// Word i becomes i * 2654435761, a number near the golden ratio of 2^32, so that no two neighbours look alike.
@compute @workgroup_size(LANES)
fn write(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    var at = begin(workgroup.x, lane);
    let step = parameters.z;
    let mask = parameters.w;
    for (var i = 0u; i < parameters.y; i++) {
        for (var j = 0u; j < 8u; j++) {
            let place = at & mask;
            filled[place] = vec4(place * 2027808452u) + vec4(0u, 2654435761u, 1013904226u, 3668339987u);
            at += step;
        }
    }
}

// Four loads are on their way before the first is stored.
@compute @workgroup_size(LANES)
fn copy(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    var at = begin(workgroup.x, lane);
    let step = parameters.z;
    let mask = parameters.w;
    for (var i = 0u; i < parameters.y; i++) {
        for (var j = 0u; j < 2u; j++) {
            let p0 = at & mask;
            let p1 = (at + step) & mask;
            let p2 = (at + 2u * step) & mask;
            let p3 = (at + 3u * step) & mask;
            let v0 = data[p0];
            let v1 = data[p1];
            let v2 = data[p2];
            let v3 = data[p3];
            filled[p0] = v0;
            filled[p1] = v1;
            filled[p2] = v2;
            filled[p3] = v3;
            at += 4u * step;
        }
    }
}
