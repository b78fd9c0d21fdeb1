import type { EarningsOverTime } from '../worker/queries';

/** Earnings by bucket and kind, ready to be drawn as stacked bars. */
export interface Stack {
  /** Job kinds, the one that earned most at the bottom. */
  kinds: string[];
  /** For each bucket, what each kind earned, in base units. */
  amounts: number[][];
  /** For each bucket, the sum. */
  totals: number[];
  /** For each bucket, how many tasks. */
  tasks: number[];
}

/** Sorts points into buckets. Sums stay integers. */
export function stacked({ starts, points }: EarningsOverTime): Stack {
  const byKind = new Map<string, number>();
  for (const point of points) byKind.set(point.kind, (byKind.get(point.kind) ?? 0) + point.amount);
  const kinds = [...byKind.keys()].sort(
    (a, b) => (byKind.get(b) ?? 0) - (byKind.get(a) ?? 0) || a.localeCompare(b),
  );
  const bucketOf = (at: number) => starts.findLastIndex((start) => start <= at);
  const amounts = starts.map(() => kinds.map(() => 0));
  const tasks = starts.map(() => 0);
  for (const point of points) {
    const bucket = bucketOf(point.at);
    const row = amounts[bucket];
    if (!row) continue;
    const kind = kinds.indexOf(point.kind);
    row[kind] = (row[kind] ?? 0) + point.amount;
    tasks[bucket] = (tasks[bucket] ?? 0) + point.tasks;
  }
  const totals = amounts.map((row) => row.reduce((sum, amount) => sum + amount, 0));
  return { kinds, amounts, totals, tasks };
}
