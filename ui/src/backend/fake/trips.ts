import type { ActiveTrip } from '../../bindings/ActiveTrip';
import type { AssignmentView } from '../../bindings/AssignmentView';
import type { Trip } from '../../bindings/Trip';
import type { TripRow } from '../../bindings/TripRow';
import { deviceOfTrip } from '../../guards/causes';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** What the simulated devices earn an hour, in base units. */
const EARNED_PER_HOUR = 163_000;

/** When guards held devices free, and what that cost. */
export class SimulatedTrips {
  /** Newest first. */
  readonly rows: TripRow[] = [];

  /** A guard trips while work is wanted. */
  begin({ trip, since }: ActiveTrip): void {
    this.rows.unshift({ trip, since, until: null, interrupted: 0, lost: 0, missed: null });
  }

  /** It is over. */
  end({ trip, since }: ActiveTrip, now: number): void {
    const row = this.rows.find((candidate) => candidate.since === since && candidate.trip.guard === trip.guard);
    if (!row) return;
    row.until = now;
    row.missed = Math.round(((now - since) / HOUR_MS) * EARNED_PER_HOUR);
  }

  /** A task is handed back: the guard that tripped last took its device. */
  interrupt(view: AssignmentView): void {
    const row = this.rows.find(({ trip, until }) => {
      const device = deviceOfTrip(trip);
      return until === null && (device === null || device === view.device);
    });
    if (!row) return;
    row.interrupted += 1;
    row.lost += Math.round(view.price * view.fraction);
  }

  /** Days of somebody who plays in the evening and renders now and then. */
  seedHistory(now: number): void {
    const past: [Trip, hoursAgo: number, minutes: number, interrupted: number, lost: number][] = [
      [{ guard: 'full_screen', program: 'eldenring' }, 171, 128, 1, 1_480],
      [{ guard: 'metered' }, 148, 44, 1, 260],
      [{ guard: 'full_screen', program: 'doom' }, 123, 96, 2, 1_105],
      [{ guard: 'gpu_use', device: 0, program: 'blender', need: 'time' }, 100, 37, 1, 912],
      [{ guard: 'heat', device: 0, sensor: 'hotspot', celsius: 101 }, 77, 4, 1, 1_730],
      [{ guard: 'full_screen', program: null }, 76, 154, 0, 0],
      [{ guard: 'gpu_use', device: 1, program: 'obs64', need: 'memory' }, 54, 71, 1, 377],
      [{ guard: 'full_screen', program: 'eldenring' }, 51, 143, 1, 96],
      [{ guard: 'disk', free_bytes: 1.4e9 }, 30, 12, 0, 0],
      [{ guard: 'full_screen', program: 'doom' }, 26.5, 88, 1, 640],
    ];
    for (const [trip, hoursAgo, minutes, interrupted, lost] of past) {
      const since = now - hoursAgo * HOUR_MS;
      const missed = Math.round((minutes / 60) * EARNED_PER_HOUR);
      this.rows.unshift({ trip, since, until: since + minutes * MINUTE_MS, interrupted, lost, missed });
    }
  }
}
