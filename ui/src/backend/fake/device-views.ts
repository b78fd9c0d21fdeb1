import type { Cause } from '../../bindings/Cause';
import type { DeviceInfo } from '../../bindings/DeviceInfo';
import type { DeviceStanding } from '../../bindings/DeviceStanding';
import type { DeviceView } from '../../bindings/DeviceView';
import type { PowerLimit } from '../../bindings/PowerLimit';
import type { SimulatedBenchmarks } from './benchmarks';
import { unknownTelemetry, type SimulatedTelemetry } from './telemetry';

interface Known {
  devices: readonly DeviceInfo[];
  notLent: readonly number[];
  telemetry: SimulatedTelemetry;
  benchmarks: SimulatedBenchmarks;
  enrolled: boolean;
  held: (device: number) => Cause[];
  /** Where devices without work stand. */
  standings: ReadonlyMap<number, DeviceStanding>;
  powerLimit: (device: number) => PowerLimit | null;
}

/** The devices' part of a snapshot. Of all but the first the platform tells nothing. */
export function simulatedDeviceViews(known: Known): DeviceView[] {
  const { devices, notLent, telemetry, benchmarks, enrolled, held, standings, powerLimit } = known;
  return devices.map((info) => ({
    info,
    lent: !notLent.includes(info.index),
    held: held(info.index),
    pace_percent: 100,
    power_limit: powerLimit(info.index),
    power_of_package: false,
    telemetry: info.index === 0 ? telemetry.read() : unknownTelemetry,
    ...benchmarks.of(info.index),
    timed_gigaflops: enrolled && info.index === 0 ? 17_900 : null,
    timed_memory_bytes: enrolled && info.index === 0 ? 11.4e9 : null,
    standing: standings.get(info.index) ?? null,
  }));
}
