import type { Guard } from '../bindings/Guard';
import type { GuardView } from '../bindings/GuardView';
import type { TripRow } from '../bindings/TripRow';

/** What some trips cost together; base units. */
export interface TripsSum {
  interrupted: number;
  lost: number;
  /** Of those that were estimated; `null` when none was. */
  missed: number | null;
}

export function sumOf(rows: readonly TripRow[]): TripsSum {
  const estimated = rows.flatMap(({ missed }) => (missed === null ? [] : [missed]));
  return {
    interrupted: rows.reduce((sum, row) => sum + row.interrupted, 0),
    lost: rows.reduce((sum, row) => sum + row.lost, 0),
    missed: estimated.length === 0 ? null : estimated.reduce((sum, missed) => sum + missed, 0),
  };
}

/** Whether the trip of a row holds a device now: the end of one is not known either when the worker ended before it. */
export function isHolding(row: TripRow, guards: readonly GuardView[]): boolean {
  if (row.until !== null) return false;
  return guards.some(
    ({ guard, stand }) =>
      guard === row.trip.guard && stand.state === 'tripped' && stand.trips.some(({ since }) => since === row.since),
  );
}

/** The guards that stand in one way, in their order. */
export function standing(guards: readonly GuardView[], state: GuardView['stand']['state']): Guard[] {
  return guards.filter(({ stand }) => stand.state === state).map(({ guard }) => guard);
}
