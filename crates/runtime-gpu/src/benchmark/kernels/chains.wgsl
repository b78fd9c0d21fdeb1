// Independent chains of x = x·x + c, in one of several kinds of numbers. A text between double braces is filled in.

{{ENABLE}}
@group(0) @binding(0) var<uniform> parameters: vec4<u32>;
@group(0) @binding(1) var<storage, read_write> results: array<{{RESULT}}>;

@compute @workgroup_size(256)
fn peak(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = {{CONSTANT}};
    {{START}}
    for (var i = 0u; i < parameters.x; i++) {
        {{STEPS}}
    }
    let sum = {{SUM}};
    results[id.x] = {{RESULT}}({{TOTAL}});
}
