import type { DataDay } from '../bindings/DataDay';
import type { EarningsBucket } from '../bindings/EarningsBucket';
import type { EarningsPoint } from '../bindings/EarningsPoint';
import type { Payout } from '../bindings/Payout';
import type { ReceiptRow } from '../bindings/ReceiptRow';
import type { TaskRow } from '../bindings/TaskRow';
import type { TripRow } from '../bindings/TripRow';
import { ask } from '../backend/ask';
import { useBackend, useSnapshot } from './context';
import { useAnswer, type Answer } from './use-answer';

/** Changes whenever a task was taken, went on or got its verdict, hence when lists must be asked for again. */
function useWorkMark(): string {
  const { state, earnings } = useSnapshot();
  const running = state.name === 'working' ? state.assignments.map((a) => `${a.id}${a.stage}`).join() : state.name;
  return `${earnings.receipts} ${running}`;
}

/** Recent tasks, newest first. */
export function useTasks(limit: number): Answer<TaskRow[]> {
  const backend = useBackend();
  return useAnswer(`${limit} ${useWorkMark()}`, () => ask(backend, { command: 'tasks', limit }, 'tasks'));
}

/** When guards held devices free, and what that cost, newest first. */
export function useTrips(limit: number): Answer<TripRow[]> {
  const backend = useBackend();
  const { guards } = useSnapshot();
  const held = guards.flatMap(({ stand }) => (stand.state === 'tripped' ? stand.trips : []));
  const key = held.map(({ trip, since }) => `${trip.guard}${since}`).join();
  return useAnswer(`${limit} ${key} ${useWorkMark()}`, () => ask(backend, { command: 'trips', limit }, 'trips'));
}

/** A bar does not grow visibly by less. */
const DATA_STEP_BYTES = 10_000_000;

/** How much data moved on each of the last days, today included. */
export function useDataDays(days: number): Answer<DataDay[]> {
  const backend = useBackend();
  const { data, taken_at: takenAt } = useSnapshot();
  const step = Math.floor((data.moved.sent_bytes + data.moved.received_bytes) / DATA_STEP_BYTES);
  const midnight = new Date(takenAt).setHours(0, 0, 0, 0);
  return useAnswer(`${days} ${midnight} ${step}`, () => ask(backend, { command: 'data_days', days }, 'data_days'));
}

/** Receipts, newest first. */
export function useReceipts(limit: number): Answer<ReceiptRow[]> {
  const backend = useBackend();
  const { receipts } = useSnapshot().earnings;
  return useAnswer(`${limit} ${receipts}`, () => ask(backend, { command: 'receipts', limit }, 'receipts'));
}

/** Payouts that the network has told of, newest first. The worker remembers them while the network is away. */
export function usePayouts(limit: number): Answer<Payout[]> {
  const backend = useBackend();
  const told = useSnapshot().payouts?.payouts ?? [];
  const key = told.map((payout) => `${payout.id}${payout.stage}`).join();
  return useAnswer(`${limit} ${key}`, () => ask(backend, { command: 'payouts', limit }, 'payouts'));
}

/** So many jobs at most are pictured at a time: a picture may be megabytes, and older ones are out of sight. */
const PICTURED_JOBS_MAX = 4;

/** The pictures of the jobs that rows belong to, as addresses for `<img>`; by job. */
export function usePictures(rows: readonly TaskRow[] | undefined): ReadonlyMap<string, string> {
  const backend = useBackend();
  const done = new Map<string, number>();
  for (const row of rows ?? []) {
    if (row.picture === null || row.state.name === 'open') continue;
    if (!done.has(row.job) && done.size === PICTURED_JOBS_MAX) continue;
    done.set(row.job, (done.get(row.job) ?? 0) + (row.state.name === 'accepted' ? 1000 : 1));
  }
  const key = [...done].map(([job, count]) => `${job}:${count}`).join();
  const answer = useAnswer(key, async () => {
    const pictures = new Map<string, string>();
    for (const job of done.keys()) {
      const png = await ask(backend, { command: 'picture', job }, 'picture');
      if (png !== null) pictures.set(job, `data:image/png;base64,${png}`);
    }
    return pictures;
  });
  return answer.value ?? noPictures;
}

const noPictures: ReadonlyMap<string, string> = new Map();

const HOUR_MS = 3_600_000;

/** Width of a bucket and how many are shown. */
const spans: Record<EarningsBucket, { width: number; count: number }> = {
  hour: { width: HOUR_MS, count: 24 },
  day: { width: 24 * HOUR_MS, count: 14 },
};

/** Earnings over time, and the start of every bucket, empty ones too. */
export interface EarningsOverTime {
  starts: number[];
  points: EarningsPoint[];
}

/** The last 24 hours or 14 days; days are the contributor's own. */
export function useEarnings(bucket: EarningsBucket): Answer<EarningsOverTime> {
  const backend = useBackend();
  const { earnings, taken_at: takenAt } = useSnapshot();
  const utcOffsetMinutes = -new Date(takenAt).getTimezoneOffset();
  const { width, count } = spans[bucket];
  const offset = utcOffsetMinutes * 60_000;
  const current = Math.floor((takenAt + offset) / width) * width - offset;
  const starts = Array.from({ length: count }, (_, n) => current - (count - 1 - n) * width);
  return useAnswer(`${bucket} ${current} ${earnings.receipts}`, async () => ({
    starts,
    points: await ask(
      backend,
      {
        command: 'earnings',
        from: starts[0] ?? current,
        until: current + width,
        bucket,
        utc_offset_minutes: utcOffsetMinutes,
      },
      'earnings',
    ),
  }));
}

/** How many tasks were accepted since midnight. */
export function useTasksToday(): number {
  const backend = useBackend();
  const { earnings, taken_at: takenAt } = useSnapshot();
  const midnight = new Date(takenAt).setHours(0, 0, 0, 0);
  const answer = useAnswer(`${midnight} ${earnings.receipts}`, () =>
    ask(
      backend,
      {
        command: 'earnings',
        from: midnight,
        until: takenAt + HOUR_MS,
        bucket: 'hour',
        utc_offset_minutes: -new Date(takenAt).getTimezoneOffset(),
      },
      'earnings',
    ),
  );
  return (answer.value ?? []).reduce((sum, point) => sum + point.tasks, 0);
}
