import type { Cause } from '../bindings/Cause';
import type { Trip } from '../bindings/Trip';

/** Whether a person ends it by resuming: a game goes on all the same. */
export function endsByHand(cause: Cause): boolean {
  return cause.cause !== 'guard';
}

/** The one device that a trip is about; `null` when it is about all of them. */
export function deviceOfTrip(trip: Trip): number | null {
  return 'device' in trip ? trip.device : null;
}

/** The one device that a cause is about; `null` for all, and for a delay, which tells of none. */
export function deviceOfCause(cause: Cause): number | null {
  switch (cause.cause) {
    case 'paused':
      return cause.device;
    case 'guard':
      return deviceOfTrip(cause.trip);
    case 'resume_delay':
      return null;
  }
}
