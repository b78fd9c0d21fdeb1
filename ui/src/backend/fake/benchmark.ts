import type { BenchmarkReport } from '../../bindings/BenchmarkReport';
import type { BenchmarkView } from '../../bindings/BenchmarkView';
import type { CurvePoint } from '../../bindings/CurvePoint';
import type { DeviceInfo } from '../../bindings/DeviceInfo';
import type { Measure } from '../../bindings/Measure';
import type { Measurement } from '../../bindings/Measurement';
import type { Score } from '../../bindings/Score';
import type { TelemetryPoint } from '../../bindings/TelemetryPoint';
import { unitOf } from '../../benchmark/measures';
import type { Random } from './random';

/** What a device can do, in the units of its measures. */
interface Capability {
  /** In the order in which they are taken; `null` for what the device lacks. */
  values: [Measure, number | null][];
  caches: { bytes: number; bandwidth: number; latency: number }[];
  memory: { bandwidth: number; latency: number };
  /** The share of its speed that is left once it is hot, and how soon it is hot. */
  hotShare: number;
  hotAfterSeconds: number;
}

const MIB = 1024 ** 2;

const desktopCard: Capability = {
  values: [
    ['fp32_peak', 29_150],
    ['memory_read', 478],
    ['gemm_fp32', 18_420],
    ['fp16_peak', 29_080],
    ['gemm_fp16', 24_900],
    ['gemm_matrix_units', 57_300],
    ['int8_dot_peak', 58_100],
    ['int32_peak', 14_560],
    ['fp64_peak', 455],
    ['memory_write', 462],
    ['memory_copy', 447],
    ['memory_latency', 402],
    ['upload', 24.6],
    ['download', 25.9],
    ['launch_latency', 18.4],
    ['memory_allocatable', 11.4],
  ],
  caches: [
    { bytes: 0.1 * MIB, bandwidth: 5_600, latency: 34 },
    { bytes: 32 * MIB, bandwidth: 2_150, latency: 218 },
  ],
  memory: { bandwidth: 478, latency: 402 },
  hotShare: 0.957,
  hotAfterSeconds: 28,
};

/** It shares the computer's memory, and has neither units for matrices nor 64-bit floats that its driver offers. */
const integratedChip: Capability = {
  values: [
    ['fp32_peak', 7_940],
    ['memory_read', 78.4],
    ['gemm_fp32', 3_610],
    ['fp16_peak', 15_700],
    ['gemm_fp16', 5_240],
    ['gemm_matrix_units', null],
    ['int8_dot_peak', 15_300],
    ['int32_peak', 1_990],
    ['fp64_peak', null],
    ['memory_write', 71.9],
    ['memory_copy', 73.2],
    ['memory_latency', 236],
    ['upload', 31.7],
    ['download', 30.2],
    ['launch_latency', 26.1],
    ['memory_allocatable', 14.9],
  ],
  caches: [
    { bytes: 0.03 * MIB, bandwidth: 1_480, latency: 46 },
    { bytes: 2 * MIB, bandwidth: 690, latency: 131 },
  ],
  memory: { bandwidth: 78.4, latency: 236 },
  hotShare: 0.78,
  hotAfterSeconds: 16,
};

function capability(device: DeviceInfo): Capability {
  return device.kind === 'discrete' ? desktopCard : integratedChip;
}

const methods: Record<Measure, string> = {
  fp32_peak: 'Chains of x = fma(x, x, c), 16 steps a turn, 4 chains of width 4; device timestamps.',
  fp16_peak: 'Chains of x = fma(x, x, c) in 16-bit floats, 4 chains of width 4; device timestamps.',
  fp64_peak: 'Chains of x = fma(x, x, c) in 64-bit floats, 4 chains of width 1; device timestamps.',
  int32_peak: 'Chains of x = x · a + b in 32-bit integers, 4 chains of width 4; device timestamps.',
  int8_dot_peak: 'Chains of dot4I8Packed with an addition, 4 chains; device timestamps.',
  memory_read: 'Loads of 16 bytes around a buffer of 1 GiB; device timestamps.',
  memory_write: 'Stores of 16 bytes over a buffer of 1 GiB; device timestamps.',
  memory_copy: 'Copy of 512 MiB into another buffer, bytes read and written; device timestamps.',
  memory_latency: 'One invocation that follows a random cycle of addresses through 256 MiB; device timestamps.',
  upload: 'Copy of 256 MiB from a mapped buffer; wall clock.',
  download: 'Copy of 256 MiB into a mapped buffer; wall clock.',
  gemm_fp32: 'C = AᵀB with sides of 4,096, tiles of 128 through workgroup memory; device timestamps.',
  gemm_fp16: 'C = AᵀB with sides of 4,096 in 16-bit floats, tiles of 128; device timestamps.',
  gemm_matrix_units: 'Products of 16 × 16 fragments summed in 32 bits, sides of 4,096; device timestamps.',
  launch_latency: 'An empty dispatch, from submitting until its fence is seen; wall clock.',
  memory_allocatable: 'Buffers of 256 MiB until one fails or is slower than the rest.',
  sustained: 'C = AᵀB with sides of 4,096, again and again; device timestamps, one point every two seconds.',
};

const missing: Partial<Record<Measure, string>> = {
  gemm_matrix_units: 'this device or its driver offers no units for matrix products',
  fp64_peak: 'this device or its driver offers no 64-bit floats to shaders',
};

/** From 16 KiB to 512 MiB: each cache is left over a factor of four in size. */
function overWorkingSets(device: DeviceInfo, key: 'bandwidth' | 'latency'): CurvePoint[] {
  const { caches, memory } = capability(device);
  return Array.from({ length: 16 }, (_, n) => {
    const at = 2 ** (14 + n);
    // From the slowest level upwards, each cache draws the value towards its own while the set fits into it.
    const value = caches.reduceRight((slower, cache) => {
      const fits = 1 / (1 + (at / (cache.bytes * 1.5)) ** 3);
      return Math.exp(fits * Math.log(cache[key]) + (1 - fits) * Math.log(slower));
    }, memory[key]);
    return { at, value };
  });
}

const SUSTAINED_STEP_SECONDS = 2;

function sustained(device: DeviceInfo, seconds: number, random: Random): CurvePoint[] {
  const { values, hotShare, hotAfterSeconds } = capability(device);
  const cold = values.find(([measure]) => measure === 'gemm_fp32')?.[1] ?? 0;
  return Array.from({ length: Math.floor(seconds / SUSTAINED_STEP_SECONDS) }, (_, n) => {
    const at = (n + 1) * SUSTAINED_STEP_SECONDS;
    const share = hotShare + (1 - hotShare) * Math.exp(-((at / hotAfterSeconds) ** 1.6));
    return { at, value: cold * share * (0.997 + random() * 0.006) };
  });
}

function sustainedTelemetry(device: DeviceInfo, seconds: number, random: Random): TelemetryPoint[] {
  if (device.kind !== 'discrete') return [];
  return Array.from({ length: Math.floor(seconds) }, (_, n) => {
    const warm = 1 - Math.exp(-n / desktopCard.hotAfterSeconds);
    return {
      seconds: n,
      telemetry: {
        load_percent: 99,
        vram_used_bytes: 1_900 * MIB,
        temperature_celsius: Math.round(46 + 27 * warm),
        power_watts: Math.round((201 - 6 * warm + random() * 3) * 10) / 10,
        fan_percent: Math.round(30 + 28 * warm),
        clock_mhz: Math.round((2_760 - 120 * warm - random() * 10) / 15) * 15,
        hotspot_celsius: null,
        memory_celsius: null,
      },
    };
  });
}

function measurement(measure: Measure, value: number, curve: CurvePoint[], random: Random): Measurement {
  return {
    measure,
    value,
    unit: unitOf[measure],
    method: methods[measure],
    samples: Array.from({ length: 12 }, () => value * (0.992 + random() * 0.012)),
    spread: 0.004 + random() * 0.006,
    correct: true,
    curve,
  };
}

function curveOf(measure: Measure, device: DeviceInfo): CurvePoint[] {
  if (measure === 'memory_read') return overWorkingSets(device, 'bandwidth');
  if (measure === 'memory_latency') return overWorkingSets(device, 'latency');
  return [];
}

/** A finished benchmark. */
export function benchmarkReport(
  device: DeviceInfo,
  at: number,
  sustainedSeconds: number,
  random: Random,
): BenchmarkReport {
  const { values } = capability(device);
  const measurements = values.flatMap(([measure, value]) =>
    value === null ? [] : [measurement(measure, value, curveOf(measure, device), random)],
  );
  if (sustainedSeconds > 0) {
    const curve = sustained(device, sustainedSeconds, random);
    const middle = curve.map((point) => point.value).sort((a, b) => a - b)[Math.floor(curve.length / 2)] ?? 0;
    measurements.push(measurement('sustained', middle, curve, random));
  }
  return {
    device,
    runtime_version: '0.1.0',
    measured_at: at,
    duration_ms: durationMs(sustainedSeconds),
    measurements,
    skipped: values.flatMap(([measure, value]) =>
      value === null ? [{ measure, fault: { code: 'feature_missing', sentence: missing[measure] ?? '' } }] : [],
    ),
    sustained_telemetry: sustainedTelemetry(device, sustainedSeconds, random),
  };
}

/** The worker's own sums: bytes and operations a token of a model of 8 billion parameters in 4 bits and a half. */
export function scoresOf(report: BenchmarkReport | null): Score[] {
  const value = (measure: Measure) => report?.measurements.find((m) => m.measure === measure)?.value;
  const read = value('memory_read');
  const product = value('gemm_matrix_units') ?? value('gemm_fp16') ?? value('gemm_fp32');
  const peak = value('fp32_peak');
  return [
    ...(read === undefined ? [] : [{ work: 'decode' as const, value: read / 4.5 }]),
    ...(product === undefined ? [] : [{ work: 'prefill' as const, value: product / 16 }]),
    ...(peak === undefined ? [] : [{ work: 'render' as const, value: peak / 1000 }]),
  ];
}

/** How long each ordinary measure takes. */
const MEASURE_MS = 2_500;

function durationMs(sustainedSeconds: number): number {
  return desktopCard.values.length * MEASURE_MS + sustainedSeconds * 1000;
}

/** A benchmark so long after it began; `null` when it is over. */
export function benchmarkAt(device: DeviceInfo, sinceMs: number, sustainedSeconds: number): BenchmarkView | null {
  const { values } = capability(device);
  const whole = durationMs(sustainedSeconds);
  if (sinceMs >= whole) return null;
  const fraction = sinceMs / whole;
  const [measure, value] = values[Math.floor(sinceMs / MEASURE_MS)] ?? ['sustained', null];
  const within = (sinceMs % MEASURE_MS) / MEASURE_MS;
  if (measure === 'sustained') {
    const cold = values.find(([other]) => other === 'gemm_fp32')?.[1] ?? null;
    return { device: device.index, measure, fraction, value_so_far: cold };
  }
  return {
    device: device.index,
    measure,
    fraction,
    // A device warms up within the first third of a measure and then stays on its plateau.
    value_so_far: within < 0.05 || value === null ? null : value * (1 - Math.exp(-within * 9)),
  };
}
