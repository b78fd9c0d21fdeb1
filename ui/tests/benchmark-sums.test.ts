import { describe, expect, it } from 'vitest';

import type { BenchmarkReport } from '../src/bindings/BenchmarkReport';
import type { DeviceView } from '../src/bindings/DeviceView';
import type { Measure } from '../src/bindings/Measure';
import { caching, throttling } from '../src/benchmark/curves';
import { knownDevices, sheetOf } from '../src/benchmark/known-devices';
import { groupNames, groups, headlines, others, unitOf } from '../src/benchmark/measures';
import { placedUnder, ridge, roofOf } from '../src/benchmark/roofline';
import { aligned, powers, roundTicks } from '../src/charts/align';
import { formatBytes, writeMeasure } from '../src/format/measure';

function report(values: Partial<Record<Measure, number>>): BenchmarkReport {
  const measurements = Object.entries(values).map(([measure, value]) => ({
    measure: measure as Measure,
    value,
    unit: unitOf[measure as Measure],
    method: '',
    samples: [value],
    spread: 0,
    correct: true,
    curve: [],
  }));
  return { measurements, skipped: [], sustained_telemetry: [] } as unknown as BenchmarkReport;
}

describe('measures', () => {
  it('are each in one group, and all but the sustained one in the wizard', () => {
    const all = Object.keys(unitOf).sort();
    expect(groupNames.flatMap((name) => groups[name]).sort()).toEqual(all);
    expect([...headlines, ...others, 'sustained'].sort()).toEqual(all);
  });

  it.each([
    ['fp32_peak', 29_150, '29.2 TFLOPS'],
    ['fp32_peak', 999, '999 GFLOPS'],
    ['int32_peak', 14_560, '14.6 TOPS'],
    ['int8_dot_peak', 12, '12 GOPS'],
    ['memory_read', 3_350, '3,350 GB/s'],
    ['memory_latency', 402.4, '402 ns'],
    ['launch_latency', 18.44, '18.4 µs'],
    ['memory_allocatable', 11.42, '11.4 GB'],
  ] as const)('are written with their units: %s of %d', (measure, value, text) => {
    expect(writeMeasure(measure, value, 'en')).toBe(text);
  });

  it.each([
    [512, '512 B'],
    [16_384, '16 KiB'],
    [4 * 1024 ** 2, '4 MiB'],
    [1024 ** 3, '1 GiB'],
  ])('are over sizes of memory: %d', (bytes, text) => {
    expect(formatBytes(bytes, 'en')).toBe(text);
  });
});

describe('the roofline', () => {
  it('is made of the memory, the arithmetic and the best matrix product', () => {
    const measured = report({ memory_read: 500, fp32_peak: 30_000, gemm_fp32: 18_000, gemm_matrix_units: 60_000 });
    const roof = roofOf(measured);
    expect(roof).toEqual({ memory: 500, fp32: 30_000, matrix: 60_000 });
    if (!roof) return;
    expect(ridge(roof, roof.fp32)).toBe(60);
    const placed = Object.fromEntries(placedUnder(roof, measured).map((work) => [work.name, work]));
    expect(placed.simulation).toMatchObject({ rate: 500, boundBy: 'memory', measured: false });
    expect(placed.writing?.rate).toBeCloseTo((500 * 2) / (4.5 / 8));
    expect(placed.reading).toMatchObject({ rate: 60_000, boundBy: 'matrix' });
    expect(placed.product).toMatchObject({ rate: 18_000, measured: true });
    expect(placed.picture).toMatchObject({ rate: 30_000, boundBy: 'fp32' });
  });

  it('is left out where memory or arithmetic was not measured', () => {
    expect(roofOf(report({ fp32_peak: 30_000 }))).toBeNull();
    expect(roofOf(report({ memory_read: 500 }))).toBeNull();
    expect(roofOf(report({ memory_read: 500, fp32_peak: 0 }))).toBeNull();
  });
});

describe('curves', () => {
  const steps = (values: number[]) => values.map((value, n) => ({ at: 2 ** (14 + n), value }));

  it('show where caches end', () => {
    expect(caching(steps([2000, 1900, 800, 500, 490]))).toEqual({ best: 2000, memory: 490, upTo: 2 ** 16 });
    expect(caching(steps([500, 510, 490]))).toBeNull();
    expect(caching([])).toBeNull();
  });

  it('show what heat leaves', () => {
    const falling = Array.from({ length: 40 }, (_, n) => ({ at: n, value: n < 5 ? 100 : 80 }));
    expect(throttling(falling)).toEqual({ cold: 100, hot: 80, kept: 0.8 });
    const warming = falling.map(({ at }) => ({ at, value: at < 5 ? 90 : 100 }));
    expect(throttling(warming)?.kept).toBe(1);
    expect(throttling(falling.slice(0, 7))).toBeNull();
  });

  it('are aligned over one axis, with gaps', () => {
    const [xs, first, second] = aligned([
      [
        { x: 1, y: 10 },
        { x: 4, y: 40 },
      ],
      [{ x: 2, y: 20 }],
    ]);
    expect(xs).toEqual([1, 2, 4]);
    expect(first).toEqual([10, null, 40]);
    expect(second).toEqual([null, 20, null]);
  });

  it('have ticks at round values', () => {
    expect(powers(10, 0.25, 20_000)).toEqual([1, 10, 100, 1000, 10_000]);
    expect(powers(4, 16_384, 262_144)).toEqual([16_384, 65_536, 262_144]);
    expect(roundTicks(20, 5)).toEqual([0, 5, 10, 15, 20]);
    expect(roundTicks(0, 5)).toEqual([0]);
  });
});

describe('known devices', () => {
  const named = (name: string) => sheetOf({ info: { name } } as DeviceView)?.name ?? null;

  it('have a source at their vendor and figures within reason', () => {
    expect(knownDevices.length).toBeGreaterThanOrEqual(8);
    for (const { name, source, fp32_peak, memory_read } of knownDevices) {
      expect(source, name).toMatch(/^https:\/\/(www|images)\.(nvidia|amd|intel|apple)\.com\//);
      // Operations a byte of GPUs of these years.
      expect(fp32_peak / memory_read, name).toBeGreaterThan(15);
      expect(fp32_peak / memory_read, name).toBeLessThan(100);
    }
  });

  it.each([
    ['NVIDIA GeForce RTX 4070', 'GeForce RTX 4070'],
    ['AMD Radeon RX 7900 XTX (RADV NAVI31)', 'Radeon RX 7900 XTX'],
    ['NVIDIA GeForce RTX 4070 Ti', null],
    ['NVIDIA GeForce RTX 4070 Laptop GPU', null],
    ['NVIDIA H100 80GB HBM3', null],
    ['llvmpipe (LLVM 15.0.6, 256 bits)', null],
  ])('are told by the whole end of their name: %s', (name, sheet) => {
    expect(named(name)).toBe(sheet);
  });
});
