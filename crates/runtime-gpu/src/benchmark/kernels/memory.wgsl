// Reads a buffer with 16 bytes an invocation and step, neighbours side by side, and adds it up so that every word
// is needed. Parameters: first element, rounds of eight steps, elements from step to step, mask that wraps around.

@group(0) @binding(0) var<uniform> parameters: vec4<u32>;
@group(0) @binding(1) var<storage, read> data: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> sums: array<u32>;
@group(0) @binding(3) var<storage, read_write> filled: array<vec4<u32>>;

@compute @workgroup_size(256)
fn add_up(@builtin(global_invocation_id) id: vec3<u32>) {
    var at = parameters.x + id.x;
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
    sums[id.x] = (sum.x + sum.y) + (sum.z + sum.w);
}

// Word i becomes i * 2654435761, a number near the golden ratio of 2^32, so that no two neighbours look alike.
@compute @workgroup_size(256)
fn fill(@builtin(global_invocation_id) id: vec3<u32>) {
    for (var i = 0u; i < parameters.y; i++) {
        let at = parameters.x + id.x + i * parameters.z;
        filled[at] = (vec4(4u * at) + vec4(0u, 1u, 2u, 3u)) * 2654435761u;
    }
}
