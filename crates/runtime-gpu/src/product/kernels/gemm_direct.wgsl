// C = Aᵀ·B for square row-major matrices. An invocation computes 8×8 of C in registers straight from the buffers,
// for devices whose caches serve better than workgroup memory. A text between double braces is filled in.

{{ENABLE}}
@group(0) @binding(0) var<uniform> parameters: vec4<u32>;
@group(0) @binding(1) var<storage, read> a: array<vec4<{{SCALAR}}>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<{{SCALAR}}>>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4<{{SCALAR}}>>;

@compute @workgroup_size(8, 8)
fn multiply(@builtin(global_invocation_id) id: vec3<u32>) {
    let row_vectors = parameters.x / 4u;
    {{START}}
    var a_at = 2u * id.y;
    var b_at = 2u * id.x;
    for (var k = 0u; k < parameters.x; k++) {
        let a0 = a[a_at];
        let a1 = a[a_at + 1u];
        let b0 = b[b_at];
        let b1 = b[b_at + 1u];
        {{STEPS}}
        a_at += row_vectors;
        b_at += row_vectors;
    }
    let row_0 = 8u * id.y;
    let row_1 = row_0 + 4u;
    let column_0 = 2u * id.x;
    let column_1 = column_0 + 1u;
    {{STORE}}
}
