import type { Snapshot } from '../bindings/Snapshot';

/** The wizard's steps in their order. */
export const wizardSteps = ['welcome', 'device', 'benchmark', 'estimate', 'effort', 'wallet', 'enrol'] as const;
export type WizardStep = (typeof wizardSteps)[number];

/**
 * Where a wizard that is opened now begins. The worker remembers what was done, so that a contributor who
 * closes the window goes on where they were.
 */
export function firstStep(snapshot: Snapshot): WizardStep {
  if (snapshot.network !== null) return 'enrol';
  if (snapshot.state.name === 'benchmarking') return 'benchmark';
  if (snapshot.wallet !== null && snapshot.steps.benchmarked) return 'enrol';
  if (snapshot.steps.benchmarked) return 'estimate';
  return 'welcome';
}

export function stepAfter(step: WizardStep): WizardStep {
  return wizardSteps[wizardSteps.indexOf(step) + 1] ?? 'enrol';
}

export function stepBefore(step: WizardStep): WizardStep {
  return wizardSteps[wizardSteps.indexOf(step) - 1] ?? 'welcome';
}
