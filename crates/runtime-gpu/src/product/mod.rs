//! Products of square matrices on a device: for the benchmark, and for the network's challenge.

mod panels;

use std::time::Duration;

use lull_checks::product::{Matrix, Product};
use lull_types::DeviceKind;

pub use panels::Panels;

use crate::benchmark::{Bench, BenchmarkError};

/// A kernel and its tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Through workgroup memory, with this tile.
    Shared(u32),
    /// Straight from the buffers.
    Direct,
}

/// What a matrix is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
}

impl Element {
    /// Bytes of one.
    pub fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    fn scalar(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }
}

/// What is tried.
pub const VARIANTS: [Variant; 3] = [Variant::Shared(128), Variant::Shared(64), Variant::Direct];

/// Invocations of a workgroup that fills, as in the kernel.
const FILL_LANES: u32 = 256;

impl Variant {
    /// Rows and columns of C that a workgroup computes.
    pub fn tile(self) -> u32 {
        match self {
            Self::Shared(tile) => tile,
            Self::Direct => 64,
        }
    }

    /// In words.
    pub fn name(self) -> String {
        match self {
            Self::Shared(tile) => format!("{tile}×{tile}×16 tiles in workgroup memory"),
            Self::Direct => "no workgroup memory".to_owned(),
        }
    }

    /// The kernel's text.
    pub fn source(self, element: Element) -> String {
        let (template, tile) = match self {
            Self::Shared(tile) => (include_str!("kernels/gemm_shared.wgsl"), tile),
            Self::Direct => (include_str!("kernels/gemm_direct.wgsl"), 64),
        };
        let cells = || (0..8u32).flat_map(|row| [0u32, 1].map(|half| (row, half)));
        let start = cells().map(|(row, half)| format!("var c{row}{half} = vec4<{}>();", element.scalar()));
        let steps = cells().map(|(row, half)| {
            let a = format!("a{}.{}", row / 4, ["x", "y", "z", "w"][row as usize % 4]);
            format!("c{row}{half} = fma(vec4({a}), b{half}, c{row}{half});")
        });
        let store = cells().map(|(row, half)| {
            format!("c[(row_{} + {}u) * row_vectors + column_{half}] = c{row}{half};", row / 4, row % 4)
        });
        template
            .replace("{{ENABLE}}", if element == Element::F16 { "enable f16;" } else { "" })
            .replace("{{SCALAR}}", element.scalar())
            .replace("{{TILE}}", &tile.to_string())
            .replace("{{THREADS}}", &(tile * tile / 64).to_string())
            .replace("{{START}}", &start.collect::<Vec<_>>().join("\n    "))
            .replace("{{STEPS}}", &steps.collect::<Vec<_>>().join("\n            "))
            .replace("{{STORE}}", &store.collect::<Vec<_>>().join("\n    "))
    }
}

/// Fills matrices and digests rows.
pub struct Helpers {
    fill: wgpu::ComputePipeline,
    digest: wgpu::ComputePipeline,
}

impl Helpers {
    /// Compiles them.
    pub fn new(bench: &Bench<'_>) -> Result<Self, BenchmarkError> {
        let source = include_str!("kernels/product.wgsl");
        Ok(Self { fill: bench.kernel(source, "fill")?, digest: bench.kernel(source, "digest")? })
    }
}

/// The kernel that is the fastest on a device.
pub struct Multiplier {
    /// Which it is.
    pub variant: Variant,
    kernel: wgpu::ComputePipeline,
}

impl Multiplier {
    /// Tries all, and tells `note` the rates that it sees, in GFLOP/s.
    pub fn tuned<'a>(
        bench: &mut Bench<'a>,
        helpers: &Helpers,
        mut note: impl FnMut(&mut Bench<'a>, f64),
    ) -> Result<Self, BenchmarkError> {
        // A product is short then on any device of its sort.
        let side = if bench.kind == DeviceKind::Software { 256 } else { 512 };
        let product = Product { seed: [0; 32], side, panels: 1 };
        let matrices = Matrices::new(bench, helpers, product)?;
        let mut best: Option<(Duration, Self)> = None;
        for variant in VARIANTS {
            let tried = Self { variant, kernel: bench.kernel(&variant.source(Element::F32), "multiply")? };
            // The first dispatch is discarded: drivers finish compiling in it.
            matrices.multiply(bench, &tried)?;
            let mut fastest = Duration::MAX;
            for _ in 0..3 {
                fastest = fastest.min(matrices.multiply(bench, &tried)?);
                note(bench, matrices.rate(fastest));
            }
            if best.as_ref().is_none_or(|(time, _)| fastest < *time) {
                best = Some((fastest, tried));
            }
        }
        best.map(|(_, best)| best).ok_or(BenchmarkError::Cancelled)
    }
}

/// The matrices of one product on a device: B, and A and C of one panel.
pub struct Matrices {
    product: Product,
    parameters: wgpu::Buffer,
    a: wgpu::Buffer,
    b: wgpu::Buffer,
    c: wgpu::Buffer,
}

impl Matrices {
    /// Makes them, B and the first A filled.
    pub fn new(bench: &Bench<'_>, helpers: &Helpers, product: Product) -> Result<Self, BenchmarkError> {
        let side = u64::from(product.side);
        let gpu = &bench.gpu;
        let storage =
            |bytes: u64| gpu.buffer(bytes, wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC);
        let matrices = Self {
            product,
            parameters: gpu.buffer(16, wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST)?,
            a: storage(side * side * 4)?,
            b: storage(side * side * 4)?,
            c: storage(side * side * 4)?,
        };
        matrices.fill(bench, helpers, Matrix::B)?;
        matrices.fill(bench, helpers, Matrix::A { panel: 0 })?;
        Ok(matrices)
    }

    /// Fills B, or A of a panel.
    pub fn fill(&self, bench: &Bench<'_>, helpers: &Helpers, matrix: Matrix) -> Result<(), BenchmarkError> {
        let buffer = match matrix {
            Matrix::B => &self.b,
            Matrix::A { .. } => &self.a,
        };
        let group = bench.bind(&helpers.fill, 0, &[&self.parameters, buffer])?;
        let [first, second] = self.product.keys(matrix);
        let side = self.product.side;
        let workgroups = (side * side / 4).div_ceil(FILL_LANES);
        bench.time(&helpers.fill, &group, (&self.parameters, [side, first, second, 0]), (workgroups, 1))?;
        Ok(())
    }

    /// Multiplies, and tells how long it took.
    pub fn multiply(&self, bench: &Bench<'_>, by: &Multiplier) -> Result<Duration, BenchmarkError> {
        let group = self.multiply_group(bench, by)?;
        let tiles = self.product.side / by.variant.tile();
        bench.time(&by.kernel, &group, (&self.parameters, [self.product.side, 0, 0, 0]), (tiles, tiles))
    }

    /// GFLOP/s of a multiplication that took so long.
    pub fn rate(&self, took: Duration) -> f64 {
        2.0 * f64::from(self.product.side).powi(3) / took.as_secs_f64() / 1e9
    }

    fn multiply_group(&self, bench: &Bench<'_>, by: &Multiplier) -> Result<wgpu::BindGroup, BenchmarkError> {
        Ok(bench.bind(&by.kernel, 0, &[&self.parameters, &self.a, &self.b, &self.c])?)
    }

    /// The whole C.
    pub fn read_product(&self, bench: &Bench<'_>) -> Result<Vec<i32>, BenchmarkError> {
        let read = bench.gpu.read(bench.work, &[&self.c])?;
        let (words, _) = read[0].as_chunks::<4>();
        Ok(words.iter().map(|word| whole(f32::from_le_bytes(*word))).collect())
    }
}

/// A value as the whole number that it must be; one that is none becomes one that no product has.
fn whole(value: f32) -> i32 {
    if value.fract() == 0.0 { value as i32 } else { i32::MIN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_is_valid_wgsl() {
        let helpers = include_str!("kernels/product.wgsl").to_owned();
        for source in VARIANTS.map(|variant| variant.source(Element::F32)).into_iter().chain([helpers]) {
            let parsed = naga::front::wgsl::parse_str(&source);
            assert!(parsed.is_ok(), "{}", parsed.unwrap_err().emit_to_string(&source));
        }
    }

    #[test]
    fn what_is_not_whole_is_no_entry_of_a_product() {
        assert_eq!([7.0, -3.0, 0.0, 16_777_216.0].map(whole), [7, -3, 0, 1 << 24]);
        assert_eq!([0.5, f32::NAN, f32::INFINITY, -0.25].map(whole), [i32::MIN; 4]);
    }
}
