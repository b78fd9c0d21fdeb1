//! What a submission costs that does nothing.

use std::time::Instant;

use lull_types::Measurement;

use super::BenchmarkError;
use super::bench::Bench;

/// Does nothing, once.
const KERNEL: &str = "@compute @workgroup_size(1) fn nothing() {}";

/// Measures.
pub fn measure(bench: &mut Bench<'_>) -> Result<Measurement, BenchmarkError> {
    let kernel = bench.kernel(KERNEL, "nothing")?;
    let samples = bench.sample(|bench| {
        bench.go_on()?;
        let mut commands =
            bench.gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = commands.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&kernel);
        pass.dispatch_workgroups(1, 1, 1);
        drop(pass);
        let submitted = Instant::now();
        bench.gpu.run_awake(bench.work, commands)?;
        Ok(submitted.elapsed().as_secs_f64() * 1e6)
    })?;
    let method = "an empty kernel, submitted and waited for without sleeping; wall clock".to_owned();
    Ok(bench.measurement(samples, method, true))
}
