// C = Aᵀ·B for square row-major matrices. A workgroup computes a tile of C through workgroup memory, an invocation
// 8×8 of it in registers. A text between double braces is filled in: TILE and THREADS are lengths.

{{ENABLE}}
@group(0) @binding(0) var<uniform> parameters: vec4<u32>;
@group(0) @binding(1) var<storage, read> a: array<vec4<{{SCALAR}}>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<{{SCALAR}}>>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4<{{SCALAR}}>>;

const TILE: u32 = {{TILE}}u;
const THREADS: u32 = {{THREADS}}u;
const DEPTH: u32 = 16u;
// Vectors of four in a row of a tile.
const ACROSS: u32 = TILE / 4u;

var<workgroup> a_tile: array<vec4<{{SCALAR}}>, DEPTH * ACROSS>;
var<workgroup> b_tile: array<vec4<{{SCALAR}}>, DEPTH * ACROSS>;

@compute @workgroup_size(THREADS)
fn multiply(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row_vectors = parameters.x / 4u;
    let a_first = workgroup.y * ACROSS;
    let b_first = workgroup.x * ACROSS;
    let ty = lane / (TILE / 8u);
    let tx = lane % (TILE / 8u);
    {{START}}
    for (var k = 0u; k < parameters.x; k += DEPTH) {
        for (var i = lane; i < DEPTH * ACROSS; i += THREADS) {
            let row = (k + i / ACROSS) * row_vectors + i % ACROSS;
            a_tile[i] = a[row + a_first];
            b_tile[i] = b[row + b_first];
        }
        workgroupBarrier();
        for (var d = 0u; d < DEPTH; d++) {
            let a0 = a_tile[d * ACROSS + ty];
            let a1 = a_tile[d * ACROSS + ACROSS / 2u + ty];
            let b0 = b_tile[d * ACROSS + tx];
            let b1 = b_tile[d * ACROSS + ACROSS / 2u + tx];
            {{STEPS}}
        }
        workgroupBarrier();
    }
    let row_0 = workgroup.y * TILE + 4u * ty;
    let row_1 = row_0 + TILE / 2u;
    let column_0 = b_first + tx;
    let column_1 = column_0 + ACROSS / 2u;
    {{STORE}}
}
