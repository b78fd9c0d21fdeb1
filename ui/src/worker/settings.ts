import type { SettingsChange } from '../bindings/SettingsChange';
import type { Backend } from '../backend/backend';
import { ask } from '../backend/ask';

const unchanged: SettingsChange = {
  effort: null,
  tariff: null,
  devices_not_lent: null,
  start_working: null,
  serves_models: null,
  chain_endpoint: null,
  guards: null,
};

/** Changes some settings and leaves the others. */
export async function configure(backend: Backend, change: Partial<SettingsChange>): Promise<void> {
  await ask(backend, { command: 'configure', ...unchanged, ...change }, 'done');
}

/** The devices that are not lent, after one of them was lent or kept back. */
export function withDevice(notLent: readonly number[], device: number, lent: boolean): number[] {
  const others = notLent.filter((index) => index !== device);
  return lent ? others : [...others, device].sort((a, b) => a - b);
}
