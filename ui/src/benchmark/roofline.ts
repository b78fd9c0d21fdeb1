import type { BenchmarkReport } from '../bindings/BenchmarkReport';
import { soundValue } from './measures';

/** What bounds a device, for the roofline model (Williams, Waterman and Patterson, 2009). */
export interface Roof {
  /** GB/s. */
  memory: number;
  /** GFLOP/s of plain arithmetic. */
  fp32: number;
  /** GFLOP/s of the fastest matrix product; `null` where none was measured. */
  matrix: number | null;
}

/** The roof that was measured, if what it is made of was. */
export function roofOf(report: BenchmarkReport): Roof | null {
  const memory = soundValue(report, 'memory_read');
  const fp32 = soundValue(report, 'fp32_peak');
  if (memory === null || fp32 === null) return null;
  const products = (['gemm_matrix_units', 'gemm_fp16', 'gemm_fp32'] as const)
    .map((measure) => soundValue(report, measure))
    .filter((value) => value !== null);
  return { memory, fp32, matrix: products.length > 0 ? Math.max(...products) : null };
}

/** Operations a byte from which on a ceiling bounds and not memory. */
export function ridge(roof: Roof, ceiling: number): number {
  return ceiling / roof.memory;
}

/** Bytes a parameter: 4 bits, and half a bit for the scales that go with them. */
const BYTES_PER_PARAMETER = 4.5 / 8;

/** One multiplication and one addition for each parameter, and each token that shares its reading. */
const perToken = (tokens: number) => (2 * tokens) / BYTES_PER_PARAMETER;

/** Kinds of work by their operations a byte of memory traffic, rising. */
export const kindsOfWork = [
  // Eight operations a cell on its seven neighbours; each cell is read once and written once, 4 bytes each.
  { name: 'simulation', intensity: 1, ceiling: 'fp32' },
  { name: 'writing', intensity: perToken(1), ceiling: 'matrix' },
  { name: 'writing_many', intensity: perToken(16), ceiling: 'matrix' },
  // 2n³ operations on three matrices of n² values of 4 bytes, two read and one written: n / 6 at n = 4,096.
  { name: 'product', intensity: 4096 / 6, ceiling: 'fp32' },
  { name: 'reading', intensity: perToken(512), ceiling: 'matrix' },
  // A path traced through formulas writes one pixel for tens of thousands of operations: at the right edge, or beyond.
  { name: 'picture', intensity: 8000, ceiling: 'fp32' },
] as const;
export type WorkName = (typeof kindsOfWork)[number]['name'];

/** A kind of work under a roof. */
export interface PlacedWork {
  name: WorkName;
  intensity: number;
  /** GFLOP/s: what the roof allows, or what was measured. */
  rate: number;
  measured: boolean;
  boundBy: 'memory' | 'fp32' | 'matrix';
}

/** Where each kind of work is under the roof. */
export function placedUnder(roof: Roof, report: BenchmarkReport): PlacedWork[] {
  return kindsOfWork.map(({ name, intensity, ceiling }) => {
    const top = ceiling === 'matrix' ? (roof.matrix ?? roof.fp32) : roof.fp32;
    const measured = name === 'product' ? soundValue(report, 'gemm_fp32') : null;
    return {
      name,
      intensity,
      rate: measured ?? Math.min(intensity * roof.memory, top),
      measured: measured !== null,
      boundBy: intensity * roof.memory < top ? 'memory' : roof.matrix === null ? 'fp32' : ceiling,
    };
  });
}
