import type { DeviceView } from '../bindings/DeviceView';
import devices from './known-devices.json';

/** The measures that data sheets state. */
export const stated = ['fp32_peak', 'memory_read'] as const;
export type StatedMeasure = (typeof stated)[number];

/** A device with the peaks that its vendor states, in GFLOP/s and GB/s. */
export interface KnownDevice extends Record<StatedMeasure, number> {
  name: string;
  /** The vendor's page that states them, or what they follow from. */
  source: string;
}

export const knownDevices: readonly KnownDevice[] = devices;

/**
 * The data sheet of a device, if it is one of those known: by the end of its driver's name, so that an RTX 4070
 * is neither an RTX 4070 Ti nor a laptop's. Mesa adds what it calls the chip, in parentheses.
 */
export function sheetOf({ info }: DeviceView): KnownDevice | null {
  const name = info.name.replace(/\s*\([^)]*\)\s*$/, '').toLowerCase();
  return knownDevices.find((known) => name.endsWith(known.name.toLowerCase())) ?? null;
}
