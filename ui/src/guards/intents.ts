import type { Guard } from '../bindings/Guard';
import type { GuardRules } from '../bindings/GuardRules';
import type { HeatLimits } from '../bindings/HeatLimits';
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

const undisturbing = ['full_screen', 'gpu_use', 'battery', 'metered'] as const satisfies readonly Guard[];

type Chosen = Pick<Settings, 'effort' | 'guards'>;

const isQuietHeat = ({ heat }: GuardRules) =>
  heat?.core === QUIET_HEAT.core && heat.hotspot === QUIET_HEAT.hotspot && heat.memory === QUIET_HEAT.memory;

/** How settings stand to an intent. */
export function intentStand({ effort, guards }: Chosen, intent: IntentName): IntentStand {
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
      return of([effort === 'quiet', isQuietHeat(guards)]);
    case 'paying':
      if (guards.margin_floor === null) return 'off';
      return guards.margin_floor === 0 ? 'on' : 'changed';
  }
}

/** The change that makes settings as an intent has them, or as they are without it. */
export function withIntent({ guards }: Chosen, intent: IntentName, wanted: boolean): Partial<SettingsChange> {
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
        guards: { ...guards, heat: wanted ? QUIET_HEAT : DEFAULT_HEAT },
      };
    case 'paying':
      return { guards: { ...guards, margin_floor: wanted ? 0 : null } };
  }
}
