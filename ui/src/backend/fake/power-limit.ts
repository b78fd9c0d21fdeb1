import type { GuardRules } from '../../bindings/GuardRules';
import type { PowerLimit } from '../../bindings/PowerLimit';
import type { StateView } from '../../bindings/StateView';
import type { SimulatedMachine } from './guards';

/** What the first device's board has by itself, in watts. */
const OWN_WATTS = 320;

/** How the board of the first device stands; the other has no limit that could be lowered. */
export function simulatedPowerLimit(
  device: number,
  { quiet }: GuardRules,
  state: StateView,
  { letsPowerBeLowered }: SimulatedMachine,
): PowerLimit | null {
  const ceiling = quiet?.may_lower_power_limit ? quiet.power_watts : null;
  if (ceiling === null || device !== 0) return null;
  if (!letsPowerBeLowered) return { state: 'not_permitted' };
  if (state.name !== 'working' || ceiling >= OWN_WATTS) return { state: 'own', watts: OWN_WATTS };
  return { state: 'lowered', watts: Math.max(ceiling, 100), former_watts: OWN_WATTS };
}
