import type { ActiveTrip } from '../../bindings/ActiveTrip';
import type { Cause } from '../../bindings/Cause';
import type { DataView } from '../../bindings/DataView';
import type { DeviceInfo } from '../../bindings/DeviceInfo';
import type { Guard } from '../../bindings/Guard';
import type { GuardRules } from '../../bindings/GuardRules';
import type { GuardState } from '../../bindings/GuardState';
import type { GuardView } from '../../bindings/GuardView';
import type { PauseFor } from '../../bindings/PauseFor';
import type { PauseUntil } from '../../bindings/PauseUntil';
import type { Trip } from '../../bindings/Trip';
import { deviceOfTrip } from '../../guards/causes';
import { dataMargin, givenCaps, movedBytes } from '../../guards/data';
import { hourAt, isLent } from '../../guards/hours';
import { GUARDS, HEAT_CLEARS_BELOW, names, wants } from '../../guards/rules';

/** A twelfth of the real one, so that it can be looked at. */
const RESUME_DELAY_MS = 5_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const GIB = 1024 ** 3;

const pauseEnds = { until_restart: 'restart', until_resumed: 'resumed' } as const;

/** What something is about: one device, or `null` for the whole machine. */
type Scope = number | null;

/** What can be seen of the simulated machine. It has no battery that could be asked. */
export interface SimulatedMachine {
  /** The program that fills a screen. */
  game: string | null;
  /** The other program on a device. */
  others: Map<number, { program: string | null; need: 'time' | 'memory' }>;
  /** When the person was last there; `null` while they are. Nobody ever was at the start. */
  lastTouchedAt: number | null;
  running: string[];
  /** Of the chips, in degrees Celsius. */
  heat: Map<number, number>;
  metered: boolean;
  freeBytes: number;
  /** Whether the worker may change power limits, as an administrator may. */
  letsPowerBeLowered: boolean;
}

/** Obeys the guards of a simulated machine. */
export class SimulatedGuards {
  /** Tests and scripts change it; it is looked at with every step of the simulated clock. */
  readonly machine: SimulatedMachine = {
    game: null,
    others: new Map(),
    lastTouchedAt: 0,
    running: ['chrome', 'code', 'discord', 'explorer', 'obs64', 'spotify', 'steam'],
    heat: new Map(),
    metered: false,
    freeBytes: 212 * GIB,
    letsPowerBeLowered: true,
  };
  private readonly pauses = new Map<Scope, PauseUntil>();
  private readonly clearedAt = new Map<Scope, number>();
  private active: ActiveTrip[] = [];

  /** Takes in what the machine is like now; tells what trips, and what is over. */
  look(rules: GuardRules, data: DataView, now: number): { begun: ActiveTrip[]; ended: ActiveTrip[] } {
    const before = this.active;
    this.active = this.judge(rules, data, now).map(({ trip, until }) => {
      const held = before.find((other) => isSame(other.trip, trip));
      // As it was told first: a card that cools is no news with every degree.
      return held ? { ...held, until } : { trip, until, since: now };
    });
    const ended = before.filter((old) => !this.active.some(({ trip }) => isSame(trip, old.trip)));
    for (const { trip } of ended) {
      if (trip.guard === 'presence' || trip.guard === 'hours' || trip.guard === 'data_cap') continue;
      if (wants(rules, trip.guard)) this.clearedAt.set(deviceOfTrip(trip), now);
    }
    for (const [scope, until] of this.pauses)
      if (typeof until === 'object' && now >= until.instant) this.pauses.delete(scope);
    return { begun: this.active.filter((trip) => !before.some((old) => isSame(old.trip, trip.trip))), ended };
  }

  private judge(rules: GuardRules, data: DataView, now: number): { trip: Trip; until: number | null }[] {
    const { machine } = this;
    const found: { trip: Trip; until: number | null }[] = [];
    const find = (trip: Trip, until: number | null = null) => wants(rules, trip.guard) && found.push({ trip, until });
    if (machine.game !== null) find({ guard: 'full_screen', program: machine.game });
    for (const [device, use] of machine.others) find({ guard: 'gpu_use', device, ...use });
    const awayAt = machine.lastTouchedAt === null ? null : machine.lastTouchedAt + (rules.away_minutes ?? 0) * MINUTE_MS;
    if (awayAt === null || now < awayAt) find({ guard: 'presence' }, awayAt);
    const program = rules.programs.find((listed) => names(machine.running, listed));
    if (program !== undefined) find({ guard: 'program', program });
    if (rules.hours && !isLent(rules.hours, hourAt(now))) find({ guard: 'hours' }, nextLent(rules, now));
    for (const [device, celsius] of machine.heat) {
      const limit = rules.heat?.core ?? Infinity;
      const isHot = this.active.some(({ trip }) => trip.guard === 'heat' && trip.device === device);
      if (isHot ? celsius > limit - HEAT_CLEARS_BELOW : celsius >= limit)
        find({ guard: 'heat', device, sensor: 'core', celsius });
    }
    if (machine.metered) find({ guard: 'metered' });
    const reached = (rules.data_cap ? givenCaps(rules.data_cap) : []).find(
      ({ direction, bytes }) => movedBytes(data.moved, direction) + dataMargin(direction) >= bytes,
    );
    if (reached) {
      const used = movedBytes(data.moved, reached.direction);
      const trip: Trip = { guard: 'data_cap', direction: reached.direction, used_bytes: used, cap_bytes: reached.bytes };
      find(trip, data.ends_at);
    }
    if (machine.freeBytes < (rules.disk_free_gib ?? 0) * GIB) find({ guard: 'disk', free_bytes: machine.freeBytes });
    return found;
  }

  pause(device: Scope, duration: PauseFor, now: number): void {
    const until = typeof duration === 'object' ? { instant: now + duration.minutes * MINUTE_MS } : pauseEnds[duration];
    this.pauses.set(device, until);
  }

  resume(device: Scope): void {
    if (device === null) {
      this.pauses.clear();
      this.clearedAt.clear();
    }
    this.pauses.delete(device);
    this.clearedAt.delete(device);
  }

  /** Names of what runs now. */
  programs(): string[] {
    const { game, others, running } = this.machine;
    const found = [...running, game, ...[...others.values()].map((use) => use.program)].filter((name) => name !== null);
    return [...new Set(found)].sort((a, b) => a.localeCompare(b));
  }

  /** Why a device must be free now. */
  causes(device: number, now: number): Cause[] {
    const concerns = (scope: Scope) => scope === null || scope === device;
    const paused = [...this.pauses].filter(([scope]) => concerns(scope));
    const trips = this.active.filter(({ trip }) => concerns(deviceOfTrip(trip)));
    const causes: Cause[] = [
      ...paused.map(([scope, until]): Cause => ({ cause: 'paused', device: scope, until })),
      ...trips.map((trip): Cause => ({ cause: 'guard', ...trip })),
    ];
    const cleared = [...this.clearedAt].filter(([scope]) => concerns(scope)).map(([, at]) => at);
    const until = Math.max(...cleared) + RESUME_DELAY_MS;
    if (trips.length === 0 && now < until) causes.push({ cause: 'resume_delay', until });
    return causes;
  }

  /** Why several devices must be free, each reason once. */
  together(devices: readonly DeviceInfo[], now: number): Cause[] {
    const causes = devices.flatMap((device) => this.causes(device.index, now));
    const written = causes.map((cause) => JSON.stringify(cause));
    return causes.filter((_, n) => written.indexOf(written[n] ?? '') === n);
  }

  views(rules: GuardRules): GuardView[] {
    return GUARDS.map((guard) => ({ guard, stand: this.stand(guard, rules) }));
  }

  private stand(guard: Guard, rules: GuardRules): GuardState {
    if (!wants(rules, guard)) return { state: 'off' };
    const trips = this.active.filter(({ trip }) => trip.guard === guard);
    if (trips.length > 0) return { state: 'tripped', trips };
    return { state: guard === 'battery' ? 'unwatched' : 'clear' };
  }
}

function isSame(one: Trip, other: Trip): boolean {
  return one.guard === other.guard && deviceOfTrip(one) === deviceOfTrip(other);
}

function nextLent({ hours }: GuardRules, now: number): number | null {
  const start = new Date(now).setMinutes(0, 0, 0);
  for (let ahead = 1; hours && ahead <= 7 * 24; ahead += 1) {
    const at = start + ahead * HOUR_MS;
    if (isLent(hours, hourAt(at))) return at;
  }
  return null;
}
