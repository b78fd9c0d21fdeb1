import type { DeviceView } from '../bindings/DeviceView';
import type { Measure } from '../bindings/Measure';
import type { Measurement } from '../bindings/Measurement';
import { useWorker } from '../worker/context';
import { measurementOf } from './measures';

/** What is known of a device's measures: of the benchmark under way, else of the last one. */
export interface BenchmarkValues {
  running: boolean;
  /** What is being measured. */
  current: Measure | null;
  /** The value so far, or the one found; `null` while there is none. */
  valueOf: (measure: Measure) => number | null;
  /** What was found; `null` while a benchmark is under way. */
  reportOf: (measure: Measure) => Measurement | null;
}

/** Follows the benchmark of a device. */
export function useBenchmarkValues(device: DeviceView): BenchmarkValues {
  const { snapshot, benchmark } = useWorker();
  const state = snapshot?.state;
  const { index } = device.info;
  const running = state?.name === 'benchmarking' && state.device === index ? state : null;
  const reportOf = (measure: Measure) => (running ? null : measurementOf(device.benchmark, measure));
  const seenOf = (measure: Measure) => (running && benchmark?.device === index ? (benchmark.best[measure] ?? null) : null);
  return {
    running: running !== null,
    current: running?.measure ?? null,
    valueOf: (measure) => reportOf(measure)?.value ?? seenOf(measure),
    reportOf,
  };
}
