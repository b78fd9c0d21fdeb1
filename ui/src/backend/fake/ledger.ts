import type { AssignmentView } from '../../bindings/AssignmentView';
import type { EarningsBucket } from '../../bindings/EarningsBucket';
import type { EarningsPoint } from '../../bindings/EarningsPoint';
import type { EarningsView } from '../../bindings/EarningsView';
import type { Fault } from '../../bindings/Fault';
import type { ReceiptRow } from '../../bindings/ReceiptRow';
import type { ReceiptsCheck } from '../../bindings/ReceiptsCheck';
import type { TaskRow } from '../../bindings/TaskRow';
import { uuid, type Random } from './random';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Accepted earnings are held so long before they are payable. */
const AUDIT_MS = 2 * DAY_MS;

/** Length of an epoch. Real networks take a week; a visitor of the simulation should see one end. */
export const EPOCH_MS = 6 * HOUR_MS;

const LEASE_REVOKED: Fault = { code: 'lease_revoked', sentence: 'The GPU was freed, so this task was handed back.' };

interface Earning {
  at: number;
  kind: string;
  amount: number;
  tasks: number;
}

/** What the simulated worker has done and earned. */
export class SimulatedLedger {
  readonly tasks: TaskRow[] = [];
  readonly receipts: ReceiptRow[] = [];
  /** Set by tests: the receipt that has been tampered with. */
  tamperedNonce: number | null = null;
  private readonly earnings: Earning[] = [];
  private paid = 0;
  private fees = 0;
  private wattHours = 0;

  /** Notes a task that was taken. */
  open(view: AssignmentView, at: number): void {
    this.tasks.unshift({
      assignment: view.id,
      job: view.job,
      job_title: view.job_title,
      customer_name: view.customer_name,
      kind: view.kind,
      device: view.device,
      task_index: view.task_index,
      task_count: view.task_count,
      picture: view.picture,
      started_at: at,
      ran_ms: null,
      price: view.price,
      state: { name: 'open' },
    });
  }

  row(assignment: string): TaskRow | undefined {
    return this.tasks.find((task) => task.assignment === assignment);
  }

  /** Notes that a task was given back: as the GPU was needed, unless it is said why. */
  handBack(assignment: string, fault: Fault = LEASE_REVOKED): void {
    const row = this.row(assignment);
    if (row) row.state = { name: 'abandoned', fault };
  }

  /** Books an accepted task and its receipt. */
  accept(row: TaskRow, at: number, checked: boolean): void {
    row.state = { name: 'accepted', checked };
    this.earnings.push({ at, kind: row.kind, amount: row.price, tasks: 1 });
    this.wattHours += ((row.ran_ms ?? 0) / HOUR_MS) * 168;
    const last = this.receipts[0];
    this.receipts.unshift({
      nonce: (last?.nonce ?? 0) + 1,
      epoch: Math.floor(at / EPOCH_MS),
      amount: row.price,
      cumulative: (last?.cumulative ?? 0) + row.price,
      assignment: row.assignment,
      job_title: row.job_title,
      received_at: at,
    });
  }

  /** Weeks of earlier work, as of somebody who lends mostly in the evening and at night. */
  seedHistory(now: number, random: Random): void {
    let cumulative = 0;
    let nonce = 0;
    const first = now - 16 * DAY_MS;
    for (let at = first; at < now - HOUR_MS; at += HOUR_MS) {
      const hour = new Date(at).getHours();
      const lends = hour >= 22 || hour < 8 ? 0.94 : hour >= 9 && hour < 16 ? 0.55 : 0.12;
      if (random() > lends) continue;
      for (const [kind, price] of [
        ['wgsl/1', 1_850],
        ['infer/1', 1_240],
      ] as const) {
        const tasks = Math.floor(random() * (kind === 'wgsl/1' ? 34 : 24));
        if (tasks === 0) continue;
        this.earnings.push({ at, kind, amount: tasks * price, tasks });
        cumulative += tasks * price;
        nonce += tasks;
      }
    }
    this.wattHours = nonce * 0.42;
    for (let i = 40; i >= 1; i -= 1) {
      cumulative += 1_240;
      nonce += 1;
      this.receipts.unshift({
        nonce,
        epoch: Math.floor(now / EPOCH_MS),
        amount: 1_240,
        cumulative,
        assignment: uuid(random, now - i * 21_000),
        job_title: 'Nearest neighbours, digits',
        received_at: now - i * 21_000,
      });
      this.earnings.push({ at: now - i * 21_000, kind: 'infer/1', amount: 1_240, tasks: 1 });
    }
  }

  /** Recomputes the receipts, as far as a simulation can. */
  verify(): ReceiptsCheck {
    const wrong = this.receipts.find((receipt) => receipt.nonce === this.tamperedNonce);
    return {
      receipts: this.receipts[0]?.nonce ?? 0,
      signatures: 2 * (this.receipts[0]?.nonce ?? 0),
      total: this.receipts[0]?.cumulative ?? 0,
      fault: wrong
        ? {
            code: 'receipt_bad_signature',
            sentence: `Receipt ${wrong.nonce} does not carry a valid signature of the network; keep it and report it.`,
          }
        : null,
    };
  }

  points(from: number, until: number, bucket: EarningsBucket, utcOffsetMinutes: number): EarningsPoint[] {
    const width = bucket === 'hour' ? HOUR_MS : DAY_MS;
    const offset = utcOffsetMinutes * 60_000;
    const points = new Map<string, EarningsPoint>();
    for (const { at, kind, amount, tasks } of this.earnings) {
      if (at < from || at >= until) continue;
      const start = Math.floor((at + offset) / width) * width - offset;
      const point = points.get(`${start} ${kind}`) ?? { at: start, kind, amount: 0, tasks: 0 };
      point.amount += amount;
      point.tasks += tasks;
      points.set(`${start} ${kind}`, point);
    }
    return [...points.values()].sort((a, b) => a.at - b.at);
  }

  view(now: number): EarningsView {
    const midnight = new Date(now).setHours(0, 0, 0, 0);
    const allTime = this.sum(0, Infinity);
    const held = this.sum(now - AUDIT_MS, Infinity);
    return {
      today: this.sum(midnight, Infinity),
      seven_days: this.sum(midnight - 6 * DAY_MS, Infinity),
      all_time: allTime,
      receipts: this.receipts[0]?.nonce ?? 0,
      held,
      payable: this.payable(now),
      paid: this.paid,
      energy_watt_hours: this.wattHours || null,
    };
  }

  /** What was earned and not paid up to each of these days before now, with the time of its payout. */
  duesBefore(now: number, days: readonly number[]): { at: number; amount: number }[] {
    let since = 0;
    return days.map((day) => {
      const until = now - day * DAY_MS;
      const amount = this.sum(since, until);
      since = until;
      return { at: until + AUDIT_MS, amount };
    });
  }

  /** Books a payout that is final, and its fee. */
  pay(amount: number, fee: number): void {
    this.paid += amount;
    this.fees += fee;
  }

  /** Free to be paid now. */
  payable(now: number): number {
    return Math.max(0, this.sum(0, now - AUDIT_MS) - this.paid - this.fees);
  }

  private sum(from: number, until: number): number {
    return this.earnings.reduce((sum, e) => (e.at >= from && e.at < until ? sum + e.amount : sum), 0);
  }
}
