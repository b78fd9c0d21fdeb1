// C = Aᵀ·B for square row-major matrices by matrix units. A subgroup computes 4×4 of their tiles. A text between
// double braces is filled in.

enable wgpu_cooperative_matrix;
{{ENABLE}}
@group(0) @binding(0) var<uniform> parameters: vec4<u32>;
@group(0) @binding(1) var<storage, read> a: array<{{INPUT}}>;
@group(0) @binding(2) var<storage, read> b: array<{{INPUT}}>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

const TILE: u32 = {{TILE}}u;
const ACROSS: u32 = 4u * TILE;

@compute @workgroup_size({{SUBGROUP}})
fn multiply(@builtin(workgroup_id) workgroup: vec3<u32>) {
    let side = parameters.x;
    let row = workgroup.y * ACROSS;
    let column = workgroup.x * ACROSS;
    {{START}}
    for (var k = 0u; k < side; k += TILE) {
        {{LOAD}}
        {{STEPS}}
    }
    {{STORE}}
}
