import type { DeviceTelemetry } from '../../bindings/DeviceTelemetry';
import type { Random } from './random';

const IDLE = { load: 3, vram: 1.1, heat: 41, power: 19, fan: 0, clock: 210 };
const BUSY = { load: 98, vram: 3.4, heat: 67, power: 172, fan: 46, clock: 2_685 };
const GIB = 1024 ** 3;

/** Moves a graphics card's readings towards those of a busy or an idle one. */
export class SimulatedTelemetry {
  private readonly now = { ...IDLE };
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  advance(elapsedMs: number, busy: boolean, effort: number): void {
    const target = busy ? BUSY : IDLE;
    const approach = (key: keyof typeof IDLE, halfLifeMs: number, jitter: number, share = 1) => {
      const goal = IDLE[key] + (target[key] - IDLE[key]) * share + (this.random() - 0.5) * jitter;
      this.now[key] += (goal - this.now[key]) * (1 - 0.5 ** (elapsedMs / halfLifeMs));
    };
    approach('load', 250, busy ? 9 : 3, effort);
    approach('vram', 600, 0.05);
    approach('heat', 9_000, 2, effort);
    approach('power', 400, busy ? 26 : 4, effort);
    approach('fan', 5_000, 2, effort);
    approach('clock', 150, busy ? 30 : 4);
  }

  read(): DeviceTelemetry {
    return {
      load_percent: Math.min(100, Math.max(0, Math.round(this.now.load))),
      vram_used_bytes: Math.round(this.now.vram * GIB),
      temperature_celsius: Math.round(this.now.heat),
      power_watts: Math.round(this.now.power * 10) / 10,
      fan_percent: Math.max(0, Math.round(this.now.fan)),
      clock_mhz: Math.round(this.now.clock / 15) * 15,
      hotspot_celsius: null,
      memory_celsius: null,
    };
  }
}

export const unknownTelemetry: DeviceTelemetry = {
  load_percent: null,
  vram_used_bytes: null,
  temperature_celsius: null,
  power_watts: null,
  fan_percent: null,
  clock_mhz: null,
  hotspot_celsius: null,
  memory_celsius: null,
};
