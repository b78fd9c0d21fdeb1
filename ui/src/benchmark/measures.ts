import type { BenchmarkReport } from '../bindings/BenchmarkReport';
import type { Measure } from '../bindings/Measure';
import type { Measurement } from '../bindings/Measurement';
import type { Skipped } from '../bindings/Skipped';
import type { Unit } from '../bindings/Unit';

/** The unit of each measure's values, as the worker has it. */
export const unitOf: Record<Measure, Unit> = {
  fp32_peak: 'gigaflops_per_second',
  fp16_peak: 'gigaflops_per_second',
  fp64_peak: 'gigaflops_per_second',
  int32_peak: 'gigaops_per_second',
  int8_dot_peak: 'gigaops_per_second',
  memory_read: 'gigabytes_per_second',
  memory_write: 'gigabytes_per_second',
  memory_copy: 'gigabytes_per_second',
  memory_latency: 'nanoseconds',
  upload: 'gigabytes_per_second',
  download: 'gigabytes_per_second',
  gemm_fp32: 'gigaflops_per_second',
  gemm_fp16: 'gigaflops_per_second',
  gemm_matrix_units: 'gigaflops_per_second',
  launch_latency: 'microseconds',
  memory_allocatable: 'gigabytes',
  sustained: 'gigaflops_per_second',
};

/** What is shown large: what bounds rendering, writing and training. */
export const headlines = ['fp32_peak', 'memory_read', 'gemm_fp32'] as const satisfies readonly Measure[];

/** The rest of an ordinary benchmark, in the order in which it is taken. */
export const others = [
  'fp16_peak',
  'gemm_fp16',
  'gemm_matrix_units',
  'int8_dot_peak',
  'int32_peak',
  'fp64_peak',
  'memory_write',
  'memory_copy',
  'memory_latency',
  'upload',
  'download',
  'launch_latency',
  'memory_allocatable',
] as const satisfies readonly Measure[];

export const groupNames = ['arithmetic', 'matrices', 'memory', 'transfer'] as const;
export type GroupName = (typeof groupNames)[number];

/** All measures, by what they tell of. */
export const groups: Record<GroupName, readonly Measure[]> = {
  arithmetic: ['fp32_peak', 'fp16_peak', 'fp64_peak', 'int32_peak', 'int8_dot_peak'],
  matrices: ['gemm_fp32', 'gemm_fp16', 'gemm_matrix_units', 'sustained'],
  memory: ['memory_read', 'memory_write', 'memory_copy', 'memory_latency', 'memory_allocatable'],
  transfer: ['upload', 'download', 'launch_latency'],
};

/** Whether a lower value is the better one. */
export function isBetterLower(measure: Measure): boolean {
  return unitOf[measure] === 'nanoseconds' || unitOf[measure] === 'microseconds';
}

/** Whether the value is a rate, which bars can compare with others. */
export function isRate(measure: Measure): boolean {
  return !isBetterLower(measure) && unitOf[measure] !== 'gigabytes';
}

/** One measure of a report, if it was taken. */
export function measurementOf(report: BenchmarkReport | null, measure: Measure): Measurement | null {
  return report?.measurements.find((m) => m.measure === measure) ?? null;
}

/** The value of one measure, if it was taken and found right: what further sums may rest on. */
export function soundValue(report: BenchmarkReport, measure: Measure): number | null {
  const found = measurementOf(report, measure);
  return found?.correct && Number.isFinite(found.value) && found.value > 0 ? found.value : null;
}

/** Why a measure was not taken. */
export function skippedOf(report: BenchmarkReport, measure: Measure): Skipped | null {
  return report.skipped.find((skipped) => skipped.measure === measure) ?? null;
}
