// Exact k-nearest-neighbour search for `wgsl/1`: one task answers one batch of queries over a whole data set.
//
// Dispatch: `search` once, with `workgroups = ceil(query_count / 64)`.
//
// Buffers, all in group 0 (the slice uniform is in group 3, see wgsl/1). Numbers are little-endian.
//   binding  role        bytes                          content
//   0        uniform     16                             u32 each: point_count, dimension_count, query_count, k
//   1        read_only   4 * point_count * dimensions   data set, f32, point after point
//   2        read_only   4 * query_count * dimensions   queries, f32, query after query
//   3        read_write  4 * query_count * k            output: indices u32, nearest first, query after query
//   4        read_write  4 * query_count * k            output: squared distances f32, in the same places
// 1 ≤ dimension_count ≤ 64 and 1 ≤ k ≤ 32; larger values are taken as these bounds. With fewer points than k the rest
// of a row is index 0xffffffff and distance 3.4028235e38. Of two points at one distance the lower index comes first.
//
// Keep point_count × (dimension_count + 1 + k / 8) below 60,000: Mesa's llvmpipe ends an invocation's loops after 65,535
// turns in all, whatever the shader says, and would miss neighbours. Search a larger data set in several tasks.
//
// Where all coordinates are whole numbers and every squared distance is below 2^24, all arithmetic is exact, and
// both outputs are bit-identical on every device. Otherwise distances agree to rounding, and two points at nearly
// one distance may change places.

struct Search { point_count: u32, dimension_count: u32, query_count: u32, k: u32 }
struct LullSlice { first_workgroup: u32, workgroup_count: u32, reserved_0: u32, reserved_1: u32 }

@group(0) @binding(0) var<uniform> batch: Search;
@group(0) @binding(1) var<storage, read> points: array<f32>;
@group(0) @binding(2) var<storage, read> queries: array<f32>;
@group(0) @binding(3) var<storage, read_write> indices: array<u32>;
@group(0) @binding(4) var<storage, read_write> distances: array<f32>;
@group(3) @binding(0) var<uniform> lull_slice: LullSlice;

const K_MAX: u32 = 32u;
const DIMENSIONS_MAX: u32 = 64u;
// Points are read once for all 64 queries of a workgroup. 8 KiB: half of what every device has for a workgroup.
const TILE_FLOATS: u32 = 2048u;
const FLOAT_MAX: f32 = 3.4028235e38;

var<workgroup> tile: array<f32, TILE_FLOATS>;

@compute @workgroup_size(64)
fn search(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let dimension_count = clamp(batch.dimension_count, 1u, DIMENSIONS_MAX);
    let k = clamp(batch.k, 1u, K_MAX);
    let query = (lull_slice.first_workgroup + workgroup.x) * 64u + lane;
    let has_query = query < batch.query_count;

    var coordinates: array<f32, DIMENSIONS_MAX>;
    if has_query {
        for (var d = 0u; d < dimension_count; d++) { coordinates[d] = queries[query * dimension_count + d]; }
    }
    var best_distance: array<f32, K_MAX>;
    var best_index: array<u32, K_MAX>;
    for (var i = 0u; i < k; i++) {
        best_distance[i] = FLOAT_MAX;
        best_index[i] = 0xffffffffu;
    }

    let tile_points = TILE_FLOATS / dimension_count;
    for (var first = 0u; first < batch.point_count; first += tile_points) {
        let count = min(tile_points, batch.point_count - first);
        for (var i = lane; i < count * dimension_count; i += 64u) {
            tile[i] = points[first * dimension_count + i];
        }
        workgroupBarrier();
        if has_query {
            for (var p = 0u; p < count; p++) {
                var distance = 0.0;
                for (var d = 0u; d < dimension_count; d++) {
                    let difference = tile[p * dimension_count + d] - coordinates[d];
                    distance += difference * difference;
                }
                if distance < best_distance[k - 1u] {
                    // Points come in the order of their index, so that an equal distance goes after.
                    var slot = k - 1u;
                    while slot > 0u && distance < best_distance[slot - 1u] {
                        best_distance[slot] = best_distance[slot - 1u];
                        best_index[slot] = best_index[slot - 1u];
                        slot -= 1u;
                    }
                    best_distance[slot] = distance;
                    best_index[slot] = first + p;
                }
            }
        }
        workgroupBarrier();
    }

    if has_query {
        for (var i = 0u; i < k; i++) {
            indices[query * k + i] = best_index[i];
            distances[query * k + i] = best_distance[i];
        }
    }
}
