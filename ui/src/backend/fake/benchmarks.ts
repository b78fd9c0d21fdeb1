import type { BenchmarkReport } from '../../bindings/BenchmarkReport';
import type { BenchmarkView } from '../../bindings/BenchmarkView';
import type { DeviceView } from '../../bindings/DeviceView';
import { benchmarkAt, benchmarkReport, scoresOf } from './benchmark';
import { simulatedHardware } from './hardware';
import type { Random } from './random';

/** The last benchmark of each device, and the one under way. */
export class SimulatedBenchmarks {
  private readonly reports = new Map<number, BenchmarkReport>();
  private readonly random: Random;
  private sustainedSeconds = 0;

  constructor(random: Random) {
    this.random = random;
  }

  /** How the next one, or the one under way, ends. */
  ask(sustainedSeconds: number): void {
    this.sustainedSeconds = sustainedSeconds;
  }

  /** How one is so long after it began; `null` when it is over. */
  view(device: number, sinceMs: number): BenchmarkView | null {
    const info = simulatedHardware.devices[device];
    return info ? benchmarkAt(info, sinceMs, this.sustainedSeconds) : null;
  }

  finish(device: number, at: number): void {
    const info = simulatedHardware.devices[device];
    if (info) this.reports.set(device, benchmarkReport(info, at, this.sustainedSeconds, this.random));
  }

  has(device: number): boolean {
    return this.reports.has(device);
  }

  any(): boolean {
    return this.reports.size > 0;
  }

  /** What a snapshot says of it. */
  of(device: number): Pick<DeviceView, 'benchmark' | 'scores'> {
    const benchmark = this.reports.get(device) ?? null;
    return { benchmark, scores: scoresOf(benchmark) };
  }
}
