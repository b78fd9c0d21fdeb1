import type { BenchmarkReport } from '../../bindings/BenchmarkReport';
import type { BenchmarkView } from '../../bindings/BenchmarkView';
import type { DeviceInfo } from '../../bindings/DeviceInfo';
import type { HardwareReport } from '../../bindings/HardwareReport';
import type { Measure } from '../../bindings/Measure';
import type { Measurement } from '../../bindings/Measurement';
import type { SandboxPart } from '../../bindings/SandboxPart';
import type { Random } from './random';

const GIB = 1024 ** 3;

const desktopCard: DeviceInfo = {
  index: 0,
  name: 'NVIDIA GeForce RTX 4070',
  vendor: 'NVIDIA',
  kind: 'discrete',
  backend: 'vulkan',
  driver: 'NVIDIA 575.64.03',
  pci_bus_id: '0000:01:00.0',
  vram_bytes: 12 * GIB,
  storage_buffer_bytes_max: 2 * GIB - 4,
  features: ['f16', 'subgroup', 'timestamp_query'],
};

/** A device whose platform tells nothing of its load, heat or power, as most integrated ones. */
const integratedChip: DeviceInfo = {
  index: 1,
  name: 'AMD Radeon 780M',
  vendor: 'AMD',
  kind: 'integrated',
  backend: 'vulkan',
  driver: 'radv Mesa 25.1.4',
  pci_bus_id: '0000:0c:00.0',
  vram_bytes: null,
  storage_buffer_bytes_max: 2 * GIB - 4,
  features: ['f16', 'subgroup'],
};

/** As on Windows, where one part is missing. */
export const simulatedSandbox: SandboxPart[] = [
  { holds: true, words: 'no other processes' },
  { holds: true, words: 'low integrity: writes to no file and no key of the user; no privileges' },
  { holds: true, words: 'memory: at most 8192 MiB' },
  { holds: false, words: "a ban of reading the user's files and of the network" },
];

export const simulatedHardware: HardwareReport = {
  os: 'Debian GNU/Linux 12',
  cpu: 'AMD Ryzen 7 7800X3D',
  cpu_threads: 16,
  memory_bytes: 32 * GIB,
  devices: [desktopCard, integratedChip],
};

interface Capability {
  measure: Measure;
  value: number;
  unit: Measurement['unit'];
  method: string;
}

const methods: Record<Measure, string> = {
  fp32_peak: '256 chained fused multiply-adds per lane, 2²² lanes, device timestamps',
  memory_read: 'streaming sum of a 1 GiB buffer, 16 bytes per lane, device timestamps',
  gemm_fp32: '4096 × 4096 × 4096, 64 × 64 tiles in workgroup memory, device timestamps',
};

/** What the devices can do, in the order in which it is measured. */
function capabilities(device: DeviceInfo): Capability[] {
  const scale = device.kind === 'discrete' ? 1 : 0.24;
  return [
    {
      measure: 'fp32_peak',
      value: 29_150 * scale,
      unit: 'gigaflops_per_second',
      method: methods.fp32_peak,
    },
    { measure: 'memory_read', value: 478 * scale, unit: 'gigabytes_per_second', method: methods.memory_read },
    { measure: 'gemm_fp32', value: 18_420 * scale, unit: 'gigaflops_per_second', method: methods.gemm_fp32 },
  ];
}

/** A finished benchmark. */
export function benchmarkReport(device: DeviceInfo, at: number, random: Random): BenchmarkReport {
  return {
    device,
    runtime_version: '0.1.0',
    measured_at: at,
    duration_ms: 11_400,
    measurements: capabilities(device).map(({ measure, value, unit, method }) => ({
      measure,
      value,
      unit,
      method,
      samples: Array.from({ length: 12 }, () => value * (0.992 + random() * 0.012)),
      spread: 0.004 + random() * 0.006,
      correct: true,
    })),
  };
}

/** How long each measure takes. */
const MEASURE_MS = 3_400;

/** A benchmark so long after it began; `null` when it is over. */
export function benchmarkAt(device: DeviceInfo, sinceMs: number): BenchmarkView | null {
  const measures = capabilities(device);
  const current = measures[Math.floor(sinceMs / MEASURE_MS)];
  if (!current) return null;
  const within = (sinceMs % MEASURE_MS) / MEASURE_MS;
  return {
    device: device.index,
    measure: current.measure,
    fraction: sinceMs / (measures.length * MEASURE_MS),
    // A device warms up within the first third of a measure and then stays on its plateau.
    value_so_far: within < 0.05 ? null : current.value * (1 - Math.exp(-within * 9)),
  };
}
