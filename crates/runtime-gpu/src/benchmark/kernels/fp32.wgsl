// Chains of x = fma(x, x, c). A text between double braces is filled in: VECTOR is a type, CHAINS their number.
// With c in [-1.2, -0.8] every x ends in a stable cycle of two values near -1 and 0: no overflow, and nothing that a
// compiler can fold.

@group(0) @binding(0) var<uniform> parameters: vec4<u32>;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;

@compute @workgroup_size(256)
fn peak(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = {{VECTOR}}(-1.2 + 0.4 * f32(id.x & 63u) / 64.0);
    {{START}}
    for (var i = 0u; i < parameters.x; i++) {
        {{STEPS}}
    }
    let sum = {{SUM}};
    results[id.x] = {{TOTAL}};
}
