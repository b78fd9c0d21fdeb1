import type { Command } from '../../bindings/Command';
import type { Fault } from '../../bindings/Fault';
import type { GuardRules } from '../../bindings/GuardRules';
import type { Reply } from '../../bindings/Reply';
import type { Snapshot } from '../../bindings/Snapshot';
import { rulesFault } from '../../guards/rules';
import en from '../../i18n/en.json';
import type { Backend, ExplorerCluster } from '../backend';
import { SIMULATED_WORDS } from './kept-wallet';
import { CLAIM_PAGE } from './payouts';
import { tariffFault } from './power-price';
import { SimulatedWorker, type SimulationStart } from './simulated-worker';
import { walletFault, walletRequest } from './wallet';

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
  /** What `openExplorer` was asked for. */
  readonly explored: string[] = [];
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
      case 'look':
        return DONE;
      case 'start':
        worker.start();
        return DONE;
      case 'stop':
        worker.stop();
        return DONE;
      case 'pause':
        worker.pauseFor(command.duration, command.device);
        return DONE;
      case 'resume':
        worker.resume(command.device);
        return DONE;
      case 'programs':
        return { reply: 'programs', value: worker.guards.programs() };
      case 'trips':
        return { reply: 'trips', value: worker.trips.rows.slice(0, command.limit).map((row) => ({ ...row })) };
      case 'data_days':
        return { reply: 'data_days', value: worker.data.days(command.days, worker.now) };
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
      case 'prove_wallet_by_phone': {
        const wallet = worker.wallets.wanted;
        if (wallet === null)
          return { reply: 'refused', value: { code: 'wallet_not_set', sentence: 'Set the address of a wallet first.' } };
        return { reply: 'wallet_request', value: walletRequest(wallet, worker.now) };
      }
      case 'make_wallet':
        return this.words(worker.kept.make());
      case 'export_wallet':
        return this.words(
          worker.kept.kept ? null : { code: 'wallet_none_kept', sentence: 'No wallet is kept here.' },
        );
      case 'confirm_wallet':
        return this.takeKept(worker.kept.confirm(command.words));
      case 'restore_wallet':
        return this.takeKept(worker.kept.restore(command.words));
      case 'forget_wallet':
        return refusedOrDone(worker.kept.forget(command.words));
      case 'set_payout_threshold':
        return refusedOrDone(worker.payouts.setThreshold(command.least));
      case 'payouts':
        return { reply: 'payouts', value: worker.payouts.rows.slice(0, command.limit).map((row) => ({ ...row })) };
      case 'claim_payout':
        return this.claim();
      case 'verify_payout': {
        const check = worker.payouts.check(command.payout, worker.settings.chain_endpoint, worker.now);
        if ('facts' in check) return { reply: 'payout_checked', value: check };
        return { reply: 'refused', value: check };
      }
      case 'export_evidence':
        return { reply: 'exported', value: { path: `/home/you/Downloads/lull-evidence-${command.payout ?? 'epoch'}.json` } };
      case 'export_statement': {
        const from = new Date(command.from + command.utc_offset_minutes * 60_000).toISOString().slice(0, 7);
        return { reply: 'exported', value: { path: `/home/you/Downloads/lull-statement-${from}.csv` } };
      }
      case 'configure': {
        const { settings } = worker;
        const fault = endpointFault(command.chain_endpoint) ?? guardsFault(command.guards) ?? tariffFault(command.tariff);
        if (fault) return { reply: 'refused', value: fault };
        worker.settings = {
          effort: command.effort ?? settings.effort,
          tariff: command.tariff ?? settings.tariff,
          devices_not_lent: command.devices_not_lent ?? settings.devices_not_lent,
          start_working: command.start_working ?? settings.start_working,
          serves_models: command.serves_models ?? settings.serves_models,
          chain_endpoint: command.chain_endpoint === null ? settings.chain_endpoint : command.chain_endpoint || null,
          guards: command.guards ?? settings.guards,
        };
        worker.watch();
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
        return { reply: 'picture', value: await worker.tasks.jobs.picture(command.job) };
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

  private words(fault: Fault | null): Reply {
    const { kept } = this.worker.kept;
    if (fault ?? !kept) return { reply: 'refused', value: fault ?? { code: 'wallet_none_kept', sentence: 'No wallet is kept here.' } };
    this.tell();
    return { reply: 'wallet_words', value: { address: kept.address, words: [...SIMULATED_WORDS] } };
  }

  /** A wallet that is kept and confirmed is set, and proven with its key. */
  private takeKept(fault: Fault | null): Reply {
    const { kept, wallets, now } = this.worker;
    if (!fault && kept.kept) wallets.set(kept.kept.address, now, true);
    return refusedOrDone(fault);
  }

  private claim(): Reply {
    const { kept, payouts, wallets, now } = this.worker;
    const { wallet } = wallets.standing;
    if (!kept.kept?.confirmed || kept.kept.address !== wallet) return { reply: 'wallet_page', value: { url: CLAIM_PAGE } };
    const claimed = payouts.claim(wallet, now);
    return 'signature' in claimed ? { reply: 'claimed', value: claimed } : { reply: 'refused', value: claimed };
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
    const { wallets, payouts, now } = this.worker;
    if (url === CLAIM_PAGE) payouts.claim(wallets.standing.wallet, now);
    else wallets.prove(now);
    return Promise.resolve();
  }

  openExplorer(cluster: ExplorerCluster, signature: string): Promise<void> {
    this.explored.push(`${cluster} ${signature}`);
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

/** Why the worker would refuse what is wanted of the guards, in its own words. */
function guardsFault(rules: GuardRules | null): Fault | null {
  const code = rules && rulesFault(rules);
  return code && { code, sentence: en.fault[code] };
}

/** Why the worker would refuse an endpoint: whoever is between could lie on an open line. */
function endpointFault(endpoint: string | null): Fault | null {
  if (!endpoint || /^https:\/\/\w|^http:\/\/(127\.0\.0\.1|localhost|\[::1\])[:/]/.test(endpoint)) return null;
  return {
    code: 'endpoint_not_secure',
    sentence: 'an endpoint outside this machine must begin with https://, or anyone on the way could change its answers',
  };
}
