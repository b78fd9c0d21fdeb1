// A chain of loads, each at the place that the load before it gave.

@group(0) @binding(0) var<uniform> parameters: vec4<u32>; // rounds of eight loads; or first place, mask
@group(0) @binding(1) var<storage, read_write> chain: array<u32>;
@group(0) @binding(2) var<storage, read_write> standing: array<u32>;

// Words between two places: 128 bytes, the longest cache line.
const STRIDE: u32 = 32u;

// Lays a chain through all places of a power of two: a linear congruence with a full period, whose order no
// prefetcher knows.
@compute @workgroup_size(256)
fn lay(@builtin(global_invocation_id) id: vec3<u32>) {
    let place = parameters.x + id.x;
    if place > parameters.y { return; }
    chain[place * STRIDE] = ((place * 1664525u + 1013904223u) & parameters.y) * STRIDE;
}

@compute @workgroup_size(1)
fn follow() {
    var at = standing[0];
    for (var i = 0u; i < parameters.x; i++) {
        at = chain[at];
        at = chain[at];
        at = chain[at];
        at = chain[at];
        at = chain[at];
        at = chain[at];
        at = chain[at];
        at = chain[at];
    }
    standing[0] = at;
}
