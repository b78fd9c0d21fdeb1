import type { DataDay } from '../../bindings/DataDay';
import type { DataMoved } from '../../bindings/DataMoved';
import type { DataView } from '../../bindings/DataView';
import type { GuardRules } from '../../bindings/GuardRules';
import { dataMargin, givenCaps, movedBytes } from '../../guards/data';
import type { Random } from './random';

const DAY_MS = 86_400_000;

/** What a simulated worker sends and receives in a second of work. */
const PER_SECOND: DataMoved = { sent_bytes: 9_000, received_bytes: 21_000 };

const sum = (one: DataMoved, other: DataMoved): DataMoved => ({
  sent_bytes: one.sent_bytes + other.sent_bytes,
  received_bytes: one.received_bytes + other.received_bytes,
});

/** How much data the simulated worker has moved, by the day. */
export class SimulatedData {
  private readonly byDay = new Map<number, DataMoved>();

  move(moved: DataMoved, now: number): void {
    const day = new Date(now).setHours(0, 0, 0, 0);
    this.byDay.set(day, sum(this.byDay.get(day) ?? { sent_bytes: 0, received_bytes: 0 }, moved));
  }

  /** The worker works for so long. */
  work(milliseconds: number, now: number): void {
    const part = milliseconds / 1000;
    this.move(
      { sent_bytes: Math.round(PER_SECOND.sent_bytes * part), received_bytes: Math.round(PER_SECOND.received_bytes * part) },
      now,
    );
  }

  /** Six weeks of more work on some days than on others. */
  seedHistory(now: number, random: Random): void {
    for (let ago = 42; ago >= 0; ago -= 1) {
      const busy = 0.15 + random() * 0.85;
      this.move(
        { sent_bytes: Math.round(busy * 0.34e9), received_bytes: Math.round(busy * (0.5 + random()) * 0.71e9) },
        now - ago * DAY_MS,
      );
    }
  }

  days(count: number, now: number): DataDay[] {
    return Array.from({ length: count }, (_, n) => {
      const date = new Date(now);
      const at = new Date(date.getFullYear(), date.getMonth(), date.getDate() - (count - 1 - n)).getTime();
      return { at, moved: this.byDay.get(at) ?? { sent_bytes: 0, received_bytes: 0 } };
    });
  }

  view(rules: GuardRules, now: number): DataView {
    const { begins, ends } = monthAround(now, rules.data_cap?.month_day ?? 1);
    const days = [...this.byDay].filter(([day]) => day >= begins);
    const moved = days.map(([, each]) => each).reduce(sum, { sent_bytes: 0, received_bytes: 0 });
    const first = Math.min(now, ...days.map(([day]) => day));
    const caps = rules.data_cap ? givenCaps(rules.data_cap) : [];
    const reached = caps.map(({ direction, bytes }) => {
      const used = movedBytes(moved, direction);
      return now + ((bytes - dataMargin(direction) - used) * (now - first)) / Math.max(1, used);
    });
    const soonest = Math.min(...reached);
    const isAhead = now - first >= DAY_MS && soonest > now && soonest < ends;
    return { moved, begins_at: begins, ends_at: ends, reached_at: isAhead ? Math.round(soonest) : null };
  }
}

function monthAround(now: number, monthDay: number): { begins: number; ends: number } {
  const today = new Date(now);
  const begin = (months: number) => {
    const last = new Date(today.getFullYear(), today.getMonth() + months + 1, 0);
    return last.setDate(Math.min(monthDay, last.getDate()));
  };
  return begin(0) <= now ? { begins: begin(0), ends: begin(1) } : { begins: begin(-1), ends: begin(0) };
}
