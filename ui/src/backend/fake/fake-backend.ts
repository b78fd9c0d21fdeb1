import type { Command } from '../../bindings/Command';
import type { Fault } from '../../bindings/Fault';
import type { Reply } from '../../bindings/Reply';
import type { Snapshot } from '../../bindings/Snapshot';
import type { Backend } from '../backend';
import { SimulatedWorker, type SimulationStart } from './simulated-worker';
import { walletFault } from './wallet';

/** Real time between two steps of the simulation. */
const STEP_MS = 200;

/** A step of the simulated clock is never longer than this, so that no phase is jumped over. */
const SIMULATED_STEP_MS_MAX = 250;

const DONE: Reply = { reply: 'done' };

/** `scripts/check-bundle.mjs` looks for this text to make sure that no simulation is shipped. */
export const SIMULATION_MARK = 'lull-simulated-worker';

/** How the simulation begins and how fast its clock runs. */
export interface FakeOptions extends SimulationStart {
  /** Simulated milliseconds for each real one. */
  speed: number;
}

/** A shell with a simulated worker behind it. */
export class FakeBackend implements Backend {
  readonly worker: SimulatedWorker;
  /** What `revealFile` was asked for. */
  readonly revealed: string[] = [];
  /** What `openWalletPage` was asked for. */
  readonly opened: string[] = [];
  /** Whether `quit` was asked for. */
  hasQuit = false;
  private autostart = false;
  private lost: Fault | null = null;
  private readonly speed: number;
  private readonly snapshotListeners = new Set<(snapshot: Snapshot) => void>();
  private readonly lostListeners = new Set<(fault: Fault) => void>();
  private timer: ReturnType<typeof setInterval> | null = null;

  constructor(options: FakeOptions) {
    this.worker = new SimulatedWorker(options);
    this.speed = options.speed;
  }

  /** Starts the clock; returns how to stop it. */
  run(): () => void {
    this.timer ??= setInterval(() => this.advance(STEP_MS * this.speed), STEP_MS);
    return () => {
      if (this.timer !== null) clearInterval(this.timer);
      this.timer = null;
    };
  }

  /** Moves the simulated clock and tells about it. */
  advance(simulatedMs: number): void {
    if (this.lost) return;
    for (let left = simulatedMs; left > 0; left -= SIMULATED_STEP_MS_MAX)
      this.worker.advance(Math.min(left, SIMULATED_STEP_MS_MAX));
    this.tell();
  }

  /** The worker is gone. */
  loseWorker(fault: Fault): void {
    this.lost = fault;
    this.lostListeners.forEach((listener) => listener(fault));
  }

  /** The worker is back. */
  restoreWorker(): void {
    this.lost = null;
    this.tell();
  }

  /** Sends the present snapshot to all who listen. */
  tell(): void {
    const snapshot = this.worker.snapshot();
    this.snapshotListeners.forEach((listener) => listener(snapshot));
  }

  async command(command: Command): Promise<Reply> {
    if (this.lost) throw this.lost as unknown as Error;
    const reply = await this.answer(command);
    if (reply.reply === 'done') this.tell();
    return reply;
  }

  private async answer(command: Command): Promise<Reply> {
    const { worker } = this;
    const { ledger } = worker;
    switch (command.command) {
      case 'status':
        return { reply: 'snapshot', value: worker.snapshot() };
      case 'subscribe':
        return DONE;
      case 'start':
        worker.start();
        return DONE;
      case 'stop':
        worker.stop();
        return DONE;
      case 'pause':
        worker.pauseFor(command.duration);
        return DONE;
      case 'resume':
        worker.resume();
        return DONE;
      case 'benchmark':
        return refusedOrDone(worker.benchmark(command.device, command.sustained_seconds));
      case 'export_benchmark':
        return worker.benchmarks.has(command.device)
          ? { reply: 'exported', value: { path: '/home/you/Downloads/lull-benchmark.json' } }
          : { reply: 'refused', value: { code: 'not_measured', sentence: 'This device was never measured.' } };
      case 'cancel_benchmark':
        worker.cancelBenchmark();
        return DONE;
      case 'enrol':
        return refusedOrDone(worker.enrol(command.ticket));
      case 'set_wallet': {
        const fault = command.address === null ? null : walletFault(command.address.trim());
        if (!fault) worker.wallets.set(command.address?.trim() ?? null, worker.now);
        return refusedOrDone(fault);
      }
      case 'prove_wallet':
        return { reply: 'wallet_page', value: { url: 'http://127.0.0.1:41234/00112233445566778899aabbccddeeff/' } };
      case 'make_wallet':
      case 'confirm_wallet':
      case 'restore_wallet':
      case 'export_wallet':
      case 'forget_wallet':
      case 'set_payout_threshold':
      case 'payouts':
      case 'claim_payout':
      case 'verify_payout':
      case 'export_evidence':
      case 'export_statement':
        return { reply: 'refused', value: { code: 'not_yet', sentence: 'This worker cannot do that yet.' } };
      case 'configure': {
        const { settings } = worker;
        worker.settings = {
          effort: command.effort ?? settings.effort,
          tariff_micro_per_kwh: command.tariff_micro_per_kwh ?? settings.tariff_micro_per_kwh,
          devices_not_lent: command.devices_not_lent ?? settings.devices_not_lent,
          start_working: command.start_working ?? settings.start_working,
          chain_endpoint: command.chain_endpoint === null ? settings.chain_endpoint : command.chain_endpoint || null,
        };
        return DONE;
      }
      case 'earnings':
        return {
          reply: 'earnings',
          value: ledger.points(command.from, command.until, command.bucket, command.utc_offset_minutes),
        };
      case 'tasks':
        return { reply: 'tasks', value: ledger.tasks.slice(0, command.limit).map((row) => ({ ...row })) };
      case 'picture':
        return { reply: 'picture', value: await worker.jobs.picture(command.job) };
      case 'receipts':
        return { reply: 'receipts', value: ledger.receipts.slice(0, command.limit) };
      case 'verify_receipts':
        return { reply: 'receipts_checked', value: ledger.verify() };
      case 'export_receipts':
        return { reply: 'exported', value: { path: '/home/you/Downloads/lull-receipts.json' } };
      case 'export_logs':
        return { reply: 'exported', value: { path: '/home/you/Downloads/lull-logs.txt' } };
      case 'shutdown':
        this.loseWorker({ code: 'worker_stopped', sentence: 'The worker was ended.' });
        return DONE;
    }
  }

  latestSnapshot(): Promise<Snapshot | null> {
    return Promise.resolve(this.worker.snapshot());
  }

  onSnapshot(listener: (snapshot: Snapshot) => void): () => void {
    this.snapshotListeners.add(listener);
    return () => this.snapshotListeners.delete(listener);
  }

  onWorkerLost(listener: (fault: Fault) => void): () => void {
    this.lostListeners.add(listener);
    return () => this.lostListeners.delete(listener);
  }

  autostartGet(): Promise<boolean> {
    return Promise.resolve(this.autostart);
  }

  autostartSet(enabled: boolean): Promise<void> {
    this.autostart = enabled;
    return Promise.resolve();
  }

  revealFile(path: string): Promise<void> {
    this.revealed.push(path);
    return Promise.resolve();
  }

  /** There is no browser beside the simulation: its wallet signs at once. */
  openWalletPage(url: string): Promise<void> {
    this.opened.push(url);
    this.worker.wallets.prove(this.worker.now);
    return Promise.resolve();
  }

  quit(): Promise<void> {
    this.hasQuit = true;
    return Promise.resolve();
  }
}

function refusedOrDone(fault: Fault | null): Reply {
  return fault ? { reply: 'refused', value: fault } : DONE;
}
