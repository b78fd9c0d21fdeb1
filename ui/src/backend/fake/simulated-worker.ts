import type { AssignmentView } from '../../bindings/AssignmentView';
import type { Cause } from '../../bindings/Cause';
import type { DeviceInfo } from '../../bindings/DeviceInfo';
import type { Fault } from '../../bindings/Fault';
import type { NetworkView } from '../../bindings/NetworkView';
import type { PauseFor } from '../../bindings/PauseFor';
import type { Settings } from '../../bindings/Settings';
import type { Snapshot } from '../../bindings/Snapshot';
import type { StateView } from '../../bindings/StateView';
import { SimulatedBenchmarks } from './benchmarks';
import { SimulatedData } from './data';
import { simulatedDeviceViews } from './device-views';
import { effortShare, simulatedEstimate } from './estimate';
import { simulatedHardware, simulatedSandbox } from './hardware';
import { SimulatedGuards } from './guards';
import { SimulatedKeptWallet } from './kept-wallet';
import { SimulatedLedger } from './ledger';
import { networkBeingJoined, ticketFault, veteransNetwork } from './network';
import { SimulatedNotices } from './notices';
import { simulatedPowerLimit } from './power-limit';
import { SimulatedPayouts, simulatedPlace } from './payouts';
import { simulatedPrice } from './power-price';
import { hexDigits, seededRandom, type Random } from './random';
import { SIMULATED_SETTINGS } from './settings';
import { SimulatedTasks } from './tasks';
import { SimulatedTelemetry } from './telemetry';
import { SimulatedTrips } from './trips';
import { SimulatedWallets } from './wallet';

const STARTING_MS = 1_400;
const CONNECTING_MS = 3_200;
const ASKING_MS = 1_200;
const DRAINING_MS = 1_500;

/** How a simulation begins. */
export interface SimulationStart {
  seed: number;
  /** By the simulated clock. */
  at: number;
  /** Begins as a contributor who enrolled weeks ago, instead of as a newcomer. */
  enrolled: boolean;
  /** On which ledger the network of such a contributor pays; `practice` unless it is said. */
  cluster?: string;
  /** More look better and take longer. */
  samplesPerPixel: number;
}

/** A worker in memory that obeys like the real one. Its clock moves only by `advance`. */
export class SimulatedWorker {
  readonly tasks: SimulatedTasks;
  readonly benchmarks: SimulatedBenchmarks;
  readonly ledger = new SimulatedLedger();
  now: number;
  readonly wallets = new SimulatedWallets();
  readonly kept = new SimulatedKeptWallet();
  readonly guards = new SimulatedGuards();
  readonly trips = new SimulatedTrips();
  readonly data = new SimulatedData();
  readonly payouts: SimulatedPayouts;
  network: NetworkView | null = null;
  settings: Settings = SIMULATED_SETTINGS;
  private intent: Snapshot['intent'] = 'off';
  private state: StateView = { name: 'starting' };
  private phaseSince: number;
  private readonly random: Random;
  private readonly id: string;
  private readonly telemetry: SimulatedTelemetry;
  private readonly notices = new SimulatedNotices();

  constructor(start: SimulationStart) {
    this.random = seededRandom(start.seed);
    this.id = hexDigits(this.random, 64);
    this.telemetry = new SimulatedTelemetry(this.random);
    this.benchmarks = new SimulatedBenchmarks(this.random);
    this.tasks = new SimulatedTasks(this.ledger, this.random, start.samplesPerPixel);
    this.now = start.at;
    this.phaseSince = start.at;
    // Its own numbers, so that what is worked on does not depend on what is paid.
    this.payouts = new SimulatedPayouts(seededRandom(start.seed + 1), start.at);
    if (start.enrolled) this.becomeVeteran(start.cluster ?? 'practice');
  }

  private becomeVeteran(cluster: string): void {
    const practice = cluster === 'practice';
    const wallet = '7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU';
    this.benchmarks.ask(120);
    this.benchmarks.finish(0, this.now - 86_400_000);
    this.network = veteransNetwork(hexDigits(this.random, 64), practice);
    this.wallets.set(wallet, this.now, !practice);
    this.intent = 'on';
    this.ledger.seedHistory(this.now, this.random);
    this.trips.seedHistory(this.now);
    // Its own numbers, so that what was earned does not depend on what was moved.
    this.data.seedHistory(this.now, seededRandom(2));
    this.payouts.seedHistory(cluster, this.now, wallet, this.ledger);
    this.enter({ name: 'ready', reason: null });
  }

  start(): void {
    this.intent = 'on';
    if (this.state.name === 'stopped' || this.state.name === 'draining') this.rest();
  }

  stop(): void {
    this.intent = 'off';
    if (this.state.name === 'stopped') return;
    this.handBack();
    this.enter({ name: 'draining', deadline: this.now + DRAINING_MS });
  }

  pauseFor(duration: PauseFor, device: number | null): void {
    this.guards.pause(device, duration, this.now);
    this.watch();
  }

  resume(device: number | null): void {
    this.guards.resume(device);
    this.watch();
  }

  benchmark(device: number, sustainedSeconds: number): Fault | null {
    if (!simulatedHardware.devices[device])
      return { code: 'device_unknown', sentence: 'There is no such device in this machine.' };
    this.benchmarks.ask(sustainedSeconds);
    this.handBack();
    this.enter({ name: 'benchmarking', device, measure: null, fraction: 0, value_so_far: null });
    return null;
  }

  cancelBenchmark(): void {
    if (this.state.name === 'benchmarking') this.rest();
  }

  enrol(ticket: string | null): Fault | null {
    const fault = ticketFault(ticket);
    if (fault) return fault;
    this.network = networkBeingJoined(hexDigits(this.random, 64), ticket);
    this.payouts.place = simulatedPlace(ticket === null ? 'practice' : 'devnet');
    this.intent = 'on';
    this.rest();
    return null;
  }

  /** For tests: something failed. */
  fail(fault: Fault, retryInMs: number | null): void {
    this.handBack();
    this.notices.tell(this.now, fault.code, fault.sentence, true);
    this.enter({ name: 'faulted', fault, retry_at: retryInMs === null ? null : this.now + retryInMs });
  }

  advance(elapsedMs: number): void {
    this.now += elapsedMs;
    const busy = this.state.name === 'benchmarking' || this.running().length > 0;
    this.wallets.pass(this.now);
    if (this.running().length > 0) this.data.work(elapsedMs, this.now);
    if (this.network?.connected) this.payouts.advance(this.now, this.ledger, this.wallets.standing);
    this.telemetry.advance(elapsedMs, busy, this.state.name === 'benchmarking' ? 1 : effortShare[this.settings.effort]);
    this.tasks.giveVerdicts(this.now, () => {
      if (this.ledger.receipts.length === 1)
        this.notices.tell(this.now, 'first_earning', 'Your first earning has arrived, with its receipt.');
    });
    this.watch();
    this.advanceState(this.now - this.phaseSince, elapsedMs);
  }

  private advanceState(inPhase: number, elapsedMs: number): void {
    const state = this.state;
    switch (state.name) {
      case 'starting':
        if (inPhase >= STARTING_MS) this.rest();
        break;
      case 'benchmarking':
        this.advanceBenchmark(state.device, inPhase);
        break;
      case 'connecting':
        if (inPhase >= CONNECTING_MS && this.network) {
          const name = this.network.practice ? 'Practice network' : 'Joined network';
          this.network = { ...this.network, name, connected: true, enrolled: true };
          this.enter({ name: 'ready', reason: null });
        }
        break;
      case 'ready':
        if (inPhase >= ASKING_MS) this.takeWork();
        break;
      case 'working':
        this.takeWork(
          state.assignments
            .map((view) => this.tasks.advance(view, elapsedMs, this.settings, this.now))
            .filter((view) => view !== null),
        );
        break;
      case 'yielding':
        break;
      case 'draining':
        if (this.now >= state.deadline) this.enter({ name: 'stopped' });
        break;
      case 'faulted':
        if (state.retry_at !== null && this.now >= state.retry_at) this.rest();
        break;
      case 'stopped':
        break;
    }
  }

  private advanceBenchmark(device: number, inPhase: number): void {
    const view = this.benchmarks.view(device, inPhase);
    if (view) {
      this.state = { name: 'benchmarking', ...view };
      return;
    }
    this.benchmarks.finish(device, this.now);
    this.rest();
  }

  /** A program fills the screen, or none does any more. */
  play(program: string | null): void {
    this.guards.machine.game = program;
    this.watch();
  }

  /** Looks what the guards say now, and obeys. */
  watch(): void {
    const { guards } = this.settings;
    const { begun, ended } = this.guards.look(guards, this.data.view(guards, this.now), this.now);
    ended.forEach((trip) => this.trips.end(trip, this.now));
    if (this.intent === 'off') return;
    begun.forEach((trip) => this.trips.begin(trip));
    const { state } = this;
    if (state.name !== 'ready' && state.name !== 'working' && state.name !== 'yielding') return;
    if (state.name === 'working') this.handBack((view) => this.held(view.device).length > 0);
    const lent = this.lent();
    const isHeld = lent.length > 0 && lent.every((device) => this.held(device.index).length > 0);
    if (isHeld) this.yield(this.guards.together(lent, this.now));
    else if (this.state.name === 'yielding') this.rest();
  }

  private held(device: number): Cause[] {
    return this.guards.causes(device, this.now);
  }

  private lent(): DeviceInfo[] {
    return simulatedHardware.devices.filter((d) => !this.settings.devices_not_lent.includes(d.index));
  }

  private yield(causes: Cause[]): void {
    // Another cause is no new phase.
    if (this.state.name === 'yielding') this.state = { ...this.state, causes };
    else this.enter({ name: 'yielding', causes, since: this.now });
  }

  /** Gives a task to every device that may have one and has none. */
  private takeWork(running: AssignmentView[] = []): void {
    const lent = this.lent();
    if (lent.length === 0) {
      this.state = { name: 'ready', reason: { code: 'no_device_lent', sentence: 'No device is lent.' } };
      return;
    }
    const isFree = ({ index }: DeviceInfo) =>
      this.held(index).length === 0 && !running.some((view) => view.device === index) && !this.tasks.standings.has(index);
    const assignments = [...running, ...lent.filter(isFree).map((device) => this.tasks.take(device.index, this.now, this.settings))];
    if (this.state.name === 'working') this.state = { name: 'working', assignments };
    else if (assignments.length > 0) this.enter({ name: 'working', assignments });
  }

  private running(): AssignmentView[] {
    return this.state.name === 'working' ? this.state.assignments.filter((a) => a.stage === 'running') : [];
  }

  /** Hands tasks back, and counts what that costs; all of them unless it is said which. */
  private handBack(which: (view: AssignmentView) => boolean = () => true): void {
    if (this.state.name !== 'working') return;
    const assignments = this.state.assignments.filter((view) => !which(view));
    for (const view of this.state.assignments.filter(which)) {
      this.tasks.handBack(view);
      this.trips.interrupt(view);
    }
    this.state = { name: 'working', assignments };
  }

  /** Goes on with what intent, guards and network allow. */
  private rest(): void {
    if (this.intent === 'off' || !this.network) this.enter({ name: 'stopped' });
    else if (!this.network.connected) this.enter({ name: 'connecting', attempt: 0, retry_at: null, fault: null });
    else this.enter({ name: 'ready', reason: null });
  }

  /** Goes into a state; tests show any by it. */
  enter(state: StateView): void {
    this.state = state;
    this.phaseSince = this.now;
  }

  snapshot(): Snapshot {
    const found = this.state.name !== 'starting' || this.benchmarks.any();
    const devices = found ? simulatedHardware.devices : [];
    const { guards } = this.settings;
    return {
      protocol: 2,
      worker_version: '0.1.0',
      worker: this.id,
      taken_at: this.now,
      intent: this.intent,
      state: this.state,
      steps: {
        devices_found: found,
        benchmarked: this.benchmarks.any(),
        enrolled: this.network?.enrolled ?? false,
        first_receipt: this.ledger.receipts.length > 0,
      },
      hardware: found ? simulatedHardware : null,
      sandbox: found ? simulatedSandbox : [],
      guards: this.guards.views(guards),
      data: this.data.view(guards, this.now),
      devices: simulatedDeviceViews({
        devices,
        notLent: this.settings.devices_not_lent,
        telemetry: this.telemetry,
        benchmarks: this.benchmarks,
        enrolled: this.network?.enrolled === true,
        held: (device) => this.held(device),
        standings: this.tasks.standings,
        powerLimit: (device) => simulatedPowerLimit(device, this.settings.guards, this.state, this.guards.machine),
      }),
      network: this.network,
      ...this.wallets.view(this.network?.enrolled === true),
      kept_wallet: this.kept.kept,
      payouts: this.network?.enrolled ? this.payouts.view(this.now, this.ledger, this.wallets.standing) : null,
      earnings: this.ledger.view(this.now),
      estimate: this.benchmarks.has(0) ? simulatedEstimate(this.settings, this.ledger.receipts.length, this.now) : null,
      power_price: simulatedPrice(this.settings.tariff, this.now),
      settings: this.settings,
      notices: [...this.notices.all],
    };
  }
}
