import type { DeviceView } from '../bindings/DeviceView';
import type { Guard } from '../bindings/Guard';
import type { GuardRules } from '../bindings/GuardRules';
import type { HeatLimits } from '../bindings/HeatLimits';
import type { QuietLimits } from '../bindings/QuietLimits';
import type { Settings } from '../bindings/Settings';
import type { SettingsChange } from '../bindings/SettingsChange';
import { isSame, NIGHTS_AND_WEEKENDS } from './hours';
import { DEFAULT_AWAY_MINUTES, DEFAULT_HEAT } from './rules';

/** What people want of the guards, in their order on screen: each is a few settings at once. */
export const intentNames = ['undisturbed', 'away', 'nights', 'quiet', 'paying'] as const;
export type IntentName = (typeof intentNames)[number];

/** Whether the settings are as an intent has them: not at all, all of them, or some, which were changed since. */
export type IntentStand = 'off' | 'on' | 'changed';

/** Cooler than any card is under load at a desk: fans stay slow. */
export const QUIET_HEAT: HeatLimits = { core: 70, hotspot: 85, memory: 85 };

/** The fan of a card at two fifths of its speed is not heard beside a quiet computer. */
export const QUIET_FAN_PERCENT = 40;

const undisturbing = ['full_screen', 'gpu_use', 'battery', 'metered'] as const satisfies readonly Guard[];

type Chosen = Pick<Settings, 'effort' | 'guards'>;

const isQuietHeat = ({ heat }: GuardRules) =>
  heat?.core === QUIET_HEAT.core && heat.hotspot === QUIET_HEAT.hotspot && heat.memory === QUIET_HEAT.memory;

/** Whether any device tells how fast its fan turns, so that a limit of it means something. */
export function tellsFan(devices: readonly DeviceView[]): boolean {
  return devices.some(({ telemetry }) => telemetry.fan_percent !== null);
}

/** The limits with this one of the fan; none where nothing is limited. */
function withFan(quiet: QuietLimits | null, fan_percent: number | null): QuietLimits | null {
  const limits = { power_watts: null, may_lower_power_limit: false, ...quiet, fan_percent };
  return fan_percent === null && limits.power_watts === null ? null : limits;
}

/** How settings stand to an intent; `hasFan` as `tellsFan`. */
export function intentStand({ effort, guards }: Chosen, intent: IntentName, hasFan: boolean): IntentStand {
  const of = (parts: readonly boolean[]): IntentStand => {
    if (parts.every(Boolean)) return 'on';
    return parts.some(Boolean) ? 'changed' : 'off';
  };
  switch (intent) {
    case 'undisturbed':
      return of(undisturbing.map((guard) => guards[guard]));
    case 'away':
      if (guards.away_minutes === null) return 'off';
      return guards.away_minutes === DEFAULT_AWAY_MINUTES ? 'on' : 'changed';
    case 'nights':
      if (guards.hours === null) return 'off';
      return isSame(guards.hours, NIGHTS_AND_WEEKENDS) ? 'on' : 'changed';
    case 'quiet':
      return of([
        effort === 'quiet',
        isQuietHeat(guards),
        ...(hasFan ? [guards.quiet?.fan_percent === QUIET_FAN_PERCENT] : []),
      ]);
    case 'paying':
      if (guards.margin_floor === null) return 'off';
      return guards.margin_floor === 0 ? 'on' : 'changed';
  }
}

/** The change that makes settings as an intent has them, or as they are without it; `hasFan` as `tellsFan`. */
export function withIntent(
  { guards }: Chosen,
  intent: IntentName,
  wanted: boolean,
  hasFan: boolean,
): Partial<SettingsChange> {
  switch (intent) {
    case 'undisturbed':
      return { guards: { ...guards, ...Object.fromEntries(undisturbing.map((guard) => [guard, wanted])) } };
    case 'away':
      return { guards: { ...guards, away_minutes: wanted ? DEFAULT_AWAY_MINUTES : null } };
    case 'nights':
      return { guards: { ...guards, hours: wanted ? NIGHTS_AND_WEEKENDS : null } };
    case 'quiet':
      return {
        effort: wanted ? 'quiet' : 'full',
        guards: {
          ...guards,
          heat: wanted ? QUIET_HEAT : DEFAULT_HEAT,
          quiet: hasFan ? withFan(guards.quiet, wanted ? QUIET_FAN_PERCENT : null) : guards.quiet,
        },
      };
    case 'paying':
      return { guards: { ...guards, margin_floor: wanted ? 0 : null } };
  }
}
