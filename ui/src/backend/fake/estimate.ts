import type { Effort } from '../../bindings/Effort';
import type { Estimate } from '../../bindings/Estimate';
import type { Settings } from '../../bindings/Settings';
import { simulatedMeanPrice } from './power-price';

/** The share of time that each effort works. */
export const effortShare: Record<Effort, number> = { quiet: 1 / 3, balanced: 2 / 3, full: 1 };

/** What a day could bring at these settings. */
export function simulatedEstimate(settings: Settings, tasksSeen: number, now: number): Estimate {
  const price = simulatedMeanPrice(settings.tariff, now);
  const share = effortShare[settings.effort];
  const watts = 168 * share;
  const hours = 12;
  return {
    hours_per_day: hours,
    gross_per_day: Math.round(1_960_000 * share),
    power_watts: watts,
    power_measured: true,
    power_of_package: false,
    tariff_micro_per_kwh: price,
    power_cost_per_day: Math.round((watts * hours * price) / 1000),
    basis:
      'The measured matrix throughput of the devices that you lend, at the price that the practice network pays for it, for 12 hours a day.',
    tasks_seen: Math.min(500, tasksSeen),
  };
}
