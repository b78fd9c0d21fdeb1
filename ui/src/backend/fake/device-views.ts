import type { Cause } from '../../bindings/Cause';
import type { DeviceInfo } from '../../bindings/DeviceInfo';
import type { DeviceView } from '../../bindings/DeviceView';
import type { SimulatedBenchmarks } from './benchmarks';
import { unknownTelemetry, type SimulatedTelemetry } from './telemetry';

interface Known {
  devices: readonly DeviceInfo[];
  notLent: readonly number[];
  telemetry: SimulatedTelemetry;
  benchmarks: SimulatedBenchmarks;
  enrolled: boolean;
  held: (device: number) => Cause[];
}

/** The devices' part of a snapshot. Of all but the first the platform tells nothing. */
export function simulatedDeviceViews({ devices, notLent, telemetry, benchmarks, enrolled, held }: Known): DeviceView[] {
  return devices.map((info) => ({
    info,
    lent: !notLent.includes(info.index),
    held: held(info.index),
    pace_percent: 100,
    power_of_package: false,
    telemetry: info.index === 0 ? telemetry.read() : unknownTelemetry,
    ...benchmarks.of(info.index),
    timed_gigaflops: enrolled && info.index === 0 ? 17_900 : null,
    timed_memory_bytes: enrolled && info.index === 0 ? 11.4e9 : null,
  }));
}
