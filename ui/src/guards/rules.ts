import type { DataCaps } from '../bindings/DataCaps';
import type { Guard } from '../bindings/Guard';
import type { GuardRules } from '../bindings/GuardRules';
import type { HeatLimits } from '../bindings/HeatLimits';
import type { QuietLimits } from '../bindings/QuietLimits';
import { NIGHTS_AND_WEEKENDS, isEmpty } from './hours';

/** As `GuardRules::default` in `crates/types`. */
export const DEFAULT_HEAT: HeatLimits = { core: 83, hotspot: 100, memory: 100 };
export const DEFAULT_RULES: GuardRules = {
  full_screen: true,
  gpu_use: true,
  away_minutes: null,
  programs: [],
  hours: null,
  battery: true,
  heat: DEFAULT_HEAT,
  quiet: null,
  margin_floor: null,
  metered: true,
  data_cap: null,
  disk_free_gib: 2,
};

/** What is chosen with the switch of a guard that has a detail, before the detail is. */
export const DEFAULT_AWAY_MINUTES = 10;
const DEFAULT_DISK_GIB = 2;

/** A fan at half its speed is heard in a quiet room, and hardly in another. */
const DEFAULT_QUIET: QuietLimits = { fan_percent: 50, power_watts: null, may_lower_power_limit: false };

/** A small contract of a mobile or satellite provider. */
const DEFAULT_DATA_CAPS: DataCaps = { sent_gb: null, received_gb: null, both_gb: 30, month_day: 1 };

/** As `GuardRules::check` has them. */
export const AWAY_MINUTES = { min: 1, max: 24 * 60 };
export const HEAT = { min: 50, max: 110 };
export const FAN_PERCENT = { min: 10, max: 100 };
export const POWER_WATTS = { min: 20, max: 1000 };
export const MARGIN_FLOOR = { min: 0, max: 100_000_000 };
export const DATA_CAP_GB = { min: 1, max: 99_999 };
export const DATA_MONTH_DAY = { min: 1, max: 31 };
export const PROGRAMS_MAX = 100;
const PROGRAM_CHARS_MAX = 255;

/** The worker takes more; who keeps 9,999 GiB free lends nothing to a disk of today. */
export const DISK_GIB = { min: 1, max: 9_999 };

/** As `HEAT_CLEARS_BELOW` in `crates/guards`: a hot device is used again when it is so many degrees cooler. */
export const HEAT_CLEARS_BELOW = 8;

/** As `DISK_CLEARS_ABOVE` in `crates/guards`: a full disk is used again when an eighth more is free than must be. */
export const DISK_CLEARS_ABOVE = 1.125;

/** As `QUIET_CLEARS_AT` in `crates/guards`: a loud device is used again at so much of its limit. */
export const QUIET_CLEARS_AT = 0.85;

/** The guards in the order in which they are shown. */
export const GUARDS: readonly Guard[] = [
  'full_screen',
  'gpu_use',
  'presence',
  'program',
  'hours',
  'battery',
  'heat',
  'quiet',
  'margin',
  'metered',
  'data_cap',
  'disk',
];

/** Whether a guard is wanted, as `GuardRules::wants`. */
export function wants(rules: GuardRules, guard: Guard): boolean {
  switch (guard) {
    case 'full_screen':
    case 'gpu_use':
    case 'battery':
    case 'metered':
      return rules[guard];
    case 'presence':
      return rules.away_minutes !== null;
    case 'program':
      return rules.programs.length > 0;
    case 'hours':
      return rules.hours !== null;
    case 'heat':
      return rules.heat !== null;
    case 'quiet':
      return rules.quiet !== null;
    case 'margin':
      return rules.margin_floor !== null;
    case 'data_cap':
      return rules.data_cap !== null;
    case 'disk':
      return rules.disk_free_gib !== null;
  }
}

/** What changes with a guard's switch. A detail is as it was in `earlier`, before the guard was switched off. */
export function switched(guard: Guard, wanted: boolean, earlier: Partial<GuardRules>): Partial<GuardRules> {
  switch (guard) {
    case 'full_screen':
    case 'gpu_use':
    case 'battery':
    case 'metered':
      return { [guard]: wanted };
    case 'presence':
      return { away_minutes: wanted ? (earlier.away_minutes ?? DEFAULT_AWAY_MINUTES) : null };
    case 'program':
      return { programs: wanted ? (earlier.programs ?? []) : [] };
    case 'hours':
      return { hours: wanted ? (earlier.hours ?? NIGHTS_AND_WEEKENDS) : null };
    case 'heat':
      return { heat: wanted ? (earlier.heat ?? DEFAULT_HEAT) : null };
    case 'quiet':
      return { quiet: wanted ? (earlier.quiet ?? DEFAULT_QUIET) : null };
    case 'margin':
      return { margin_floor: wanted ? (earlier.margin_floor ?? 0) : null };
    case 'data_cap':
      return { data_cap: wanted ? (earlier.data_cap ?? DEFAULT_DATA_CAPS) : null };
    case 'disk':
      return { disk_free_gib: wanted ? (earlier.disk_free_gib ?? DEFAULT_DISK_GIB) : null };
  }
}

/** Why the worker would refuse rules, by its own codes. */
export type RulesFault =
  | 'away_minutes'
  | 'guard_programs'
  | 'no_hour_lent'
  | 'heat_limit'
  | 'quiet_limit'
  | 'margin_floor'
  | 'data_cap'
  | 'data_month_day'
  | 'disk_kept_free';

function isQuiet({ fan_percent: fan, power_watts: power }: QuietLimits): boolean {
  const within = (value: number | null, { min, max }: { min: number; max: number }) =>
    value === null || (value >= min && value <= max);
  return (fan !== null || power !== null) && within(fan, FAN_PERCENT) && within(power, POWER_WATTS);
}

/** The first thing in them that cannot be followed, as `GuardRules::check`. */
export function rulesFault(rules: GuardRules): RulesFault | null {
  const within = (value: number, { min, max }: { min: number; max: number }) => value >= min && value <= max;
  if (rules.away_minutes !== null && !within(rules.away_minutes, AWAY_MINUTES)) return 'away_minutes';
  if (rules.programs.length > PROGRAMS_MAX || !rules.programs.every(isProgramName)) return 'guard_programs';
  if (rules.hours !== null && isEmpty(rules.hours)) return 'no_hour_lent';
  if (rules.heat !== null && !Object.values(rules.heat).every((limit) => within(limit, HEAT))) return 'heat_limit';
  if (rules.quiet !== null && !isQuiet(rules.quiet)) return 'quiet_limit';
  if (rules.margin_floor !== null && !within(rules.margin_floor, MARGIN_FLOOR)) return 'margin_floor';
  if (rules.data_cap !== null) {
    const { sent_gb: sent, received_gb: received, both_gb: both, month_day: day } = rules.data_cap;
    const caps = [sent, received, both].filter((cap) => cap !== null);
    if (caps.length === 0 || !caps.every((cap) => within(cap, DATA_CAP_GB))) return 'data_cap';
    if (!within(day, DATA_MONTH_DAY)) return 'data_month_day';
  }
  if (rules.disk_free_gib !== null && rules.disk_free_gib < DISK_GIB.min) return 'disk_kept_free';
  return null;
}

/** Whether a text can be the name of a program as systems list it. */
export function isProgramName(text: string): boolean {
  const name = text.trim();
  return name !== '' && Array.from(name).length <= PROGRAM_CHARS_MAX && !/[\p{Cc}/\\]/u.test(name);
}

/** A program as the list has it: systems tell some with `.exe`, people write them without. */
export function programName(text: string): string {
  return text.trim().replace(/\.exe$/i, '');
}

/** Whether a list names a program already; upper and lower case are the same. */
export function names(programs: readonly string[], program: string): boolean {
  const bare = (name: string) => programName(name).toLowerCase();
  return programs.some((listed) => bare(listed) === bare(program));
}
