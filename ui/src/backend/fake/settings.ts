import type { Settings } from '../../bindings/Settings';
import { DEFAULT_RULES } from '../../guards/rules';

/** As a simulated worker begins: its second device is not lent. */
export const SIMULATED_SETTINGS: Settings = {
  effort: 'full',
  tariff: { kind: 'flat', micro_per_kwh: 150_000 },
  devices_not_lent: [1],
  start_working: true,
  serves_models: false,
  chain_endpoint: null,
  guards: DEFAULT_RULES,
};
