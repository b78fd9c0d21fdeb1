import type { DeviceTelemetry } from '../bindings/DeviceTelemetry';
import type { Fault } from '../bindings/Fault';
import type { Measure } from '../bindings/Measure';
import type { Snapshot } from '../bindings/Snapshot';
import type { Backend } from '../backend/backend';
import { ask } from '../backend/ask';
import { asFault } from '../backend/fault';

/** One reading of one device. */
export interface TelemetrySample {
  at: number;
  telemetry: DeviceTelemetry;
}

/** What was seen of one benchmark. */
export interface BenchmarkSeen {
  device: number;
  best: Partial<Record<Measure, number>>;
}

/** What is known of the worker. */
export interface WorkerKnowledge {
  /** The newest snapshot; kept, but stale, while `lost` is set. */
  snapshot: Snapshot | null;
  /** Why the worker cannot be reached; `null` while it can. */
  lost: Fault | null;
  /** Readings of each device, oldest first. */
  telemetry: ReadonlyMap<number, readonly TelemetrySample[]>;
  /** The benchmark under way, or the last one since the window opened: its device, and the best value of each
   * measure so far. A snapshot tells of the present measure alone. */
  benchmark: BenchmarkSeen | null;
  /** Whether the shell has answered at all. */
  asked: boolean;
}

/** Graphs go back so far: long enough to see a task's warm-up, short enough to stay a few hundred points. */
const TELEMETRY_SPAN_MS = 10 * 60_000;

/** Snapshots may follow each other within milliseconds; a graph of ten minutes gains nothing from that. */
const TELEMETRY_STEP_MS = 900;

/** Follows the worker from the first snapshot on, for `useSyncExternalStore`. */
export class SnapshotStore {
  private knowledge: WorkerKnowledge = {
    snapshot: null,
    lost: null,
    telemetry: new Map(),
    benchmark: null,
    asked: false,
  };
  private readonly listeners = new Set<() => void>();
  private readonly backend: Backend;

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** Begins to follow; returns how to end it. */
  follow(): () => void {
    const ends = [
      this.backend.onSnapshot((snapshot) => this.learn(snapshot)),
      this.backend.onWorkerLost((fault) => this.set({ lost: fault, asked: true })),
    ];
    // What the shell remembers is shown at once; the worker itself is asked too, since a window that is opened
    // after the worker was lost has missed that event.
    void this.backend.latestSnapshot().then(
      (snapshot) => {
        if (snapshot && !this.knowledge.snapshot) this.learn(snapshot);
      },
      (caught: unknown) => this.set({ lost: asFault(caught), asked: true }),
    );
    void ask(this.backend, { command: 'status' }, 'snapshot').then(
      (snapshot) => this.learn(snapshot),
      (caught: unknown) => this.set({ lost: asFault(caught), asked: true }),
    );
    return () => ends.forEach((end) => end());
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Resolves with the first snapshot, the present one included, for which `holds` is true. */
  until(holds: (snapshot: Snapshot) => boolean): Promise<Snapshot> {
    return new Promise((resolve) => {
      const look = () => {
        const { snapshot } = this.knowledge;
        if (!snapshot || !holds(snapshot)) return;
        end();
        resolve(snapshot);
      };
      const end = this.subscribe(look);
      look();
    });
  }

  readonly read = (): WorkerKnowledge => this.knowledge;

  private learn(snapshot: Snapshot): void {
    const telemetry = new Map(this.knowledge.telemetry);
    for (const device of snapshot.devices) {
      const earlier = telemetry.get(device.info.index) ?? [];
      const last = earlier.at(-1);
      if (last && snapshot.taken_at - last.at < TELEMETRY_STEP_MS) continue;
      const since = snapshot.taken_at - TELEMETRY_SPAN_MS;
      const kept = earlier.filter((sample) => sample.at >= since);
      telemetry.set(device.info.index, [...kept, { at: snapshot.taken_at, telemetry: device.telemetry }]);
    }
    this.set({ snapshot, lost: null, telemetry, benchmark: this.benchmarkSeen(snapshot), asked: true });
  }

  private benchmarkSeen({ state }: Snapshot): BenchmarkSeen | null {
    const { benchmark, snapshot: previous } = this.knowledge;
    if (state.name !== 'benchmarking') return benchmark;
    const continues = previous?.state.name === 'benchmarking' && benchmark?.device === state.device;
    const best = continues ? { ...benchmark.best } : {};
    if (state.measure !== null && state.value_so_far !== null) best[state.measure] = state.value_so_far;
    return { device: state.device, best };
  }

  private set(change: Partial<WorkerKnowledge>): void {
    this.knowledge = { ...this.knowledge, ...change };
    this.listeners.forEach((listener) => listener());
  }
}
