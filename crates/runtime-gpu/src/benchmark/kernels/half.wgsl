// Matrices of -1, 0 and 1 in 16-bit floats: sums of up to 2,048 such products are whole numbers that 16 bits hold
// exactly.

enable f16;

@group(0) @binding(0) var<uniform> parameters: vec4<u32>; // salt
@group(0) @binding(1) var<storage, read_write> filled: array<vec4<f16>>;

fn mix(value: u32) -> u32 {
    var x = value;
    x = (x ^ (x >> 16u)) * 0x7feb352du;
    x = (x ^ (x >> 15u)) * 0x846ca68bu;
    return x ^ (x >> 16u);
}

@compute @workgroup_size(256)
fn fill(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= arrayLength(&filled) { return; }
    let bits = mix(id.x ^ parameters.x);
    let more = vec4<i32>(vec4(bits, bits >> 1u, bits >> 2u, bits >> 3u) & vec4(1u));
    let less = vec4<i32>(vec4(bits >> 4u, bits >> 5u, bits >> 6u, bits >> 7u) & vec4(1u));
    filled[id.x] = vec4<f16>(more - less);
}
