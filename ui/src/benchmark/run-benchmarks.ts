import type { Backend } from '../backend/backend';
import { ask } from '../backend/ask';
import type { Snapshot } from '../bindings/Snapshot';
import type { SnapshotStore } from '../worker/snapshot-store';

function measuredAt(snapshot: Snapshot | null, device: number): number | null {
  return snapshot?.devices.find((d) => d.info.index === device)?.benchmark?.measured_at ?? null;
}

/**
 * Measures devices one after the other, then each for so many seconds under load; ends early when one of them
 * ends without a report.
 */
export async function runBenchmarks(
  backend: Backend,
  store: SnapshotStore,
  devices: readonly number[],
  sustainedSeconds = 0,
): Promise<void> {
  for (const device of devices) {
    const before = measuredAt(store.read().snapshot, device);
    await ask(backend, { command: 'benchmark', device, sustained_seconds: sustainedSeconds }, 'done');
    // The worker replies when the benchmark has begun; the snapshot that shows it may come a little later.
    let begun = false;
    const end = await store.until((snapshot) => {
      const measuring = snapshot.state.name === 'benchmarking';
      begun ||= measuring;
      return measuredAt(snapshot, device) !== before || (begun && !measuring);
    });
    if (measuredAt(end, device) === before) return;
  }
}
