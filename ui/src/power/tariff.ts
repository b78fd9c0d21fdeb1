import type { PriceChange } from '../bindings/PriceChange';
import type { Tariff } from '../bindings/Tariff';
import type { TariffBand } from '../bindings/TariffBand';

export const DAYS = 7;
export const DAY_MINUTES = 24 * 60;
/** All days of the week: a bit for each, bit 0 is Monday. */
export const ALL_DAYS = (1 << DAYS) - 1;
/** The factor that leaves prices as they are listed. */
export const FACTOR_ONE = 1_000_000;
/** As many as the worker takes. */
export const BANDS_MAX = 48;

const MINUTE_MS = 60_000;
/** Further apart than a week and a day no two changes of a week's prices are. */
const AHEAD_MINUTES = 8 * DAY_MINUTES;

export type TariffKind = Tariff['kind'];

/** The one price that stands for a tariff where no time is known. */
export function flatPrice(tariff: Tariff): number {
  switch (tariff.kind) {
    case 'flat':
      return tariff.micro_per_kwh;
    case 'time_of_use':
      return tariff.base_micro_per_kwh;
    case 'listed':
      return tariff.fallback_micro_per_kwh;
  }
}

/** The tariff of another kind that is nearest to one. */
export function asKind(tariff: Tariff, kind: TariffKind): Tariff {
  if (tariff.kind === kind) return tariff;
  const price = flatPrice(tariff);
  switch (kind) {
    case 'flat':
      return { kind, micro_per_kwh: price };
    case 'time_of_use': {
      // A night that costs what the day does, to be changed.
      const night = { days: ALL_DAYS, from_minute: 22 * 60, to_minute: 6 * 60, micro_per_kwh: price };
      return { kind, base_micro_per_kwh: price, bands: [night] };
    }
    case 'listed':
      return {
        kind,
        source: { from: 'url', url: '' },
        factor_millionths: FACTOR_ONE,
        added_micro_per_kwh: 0,
        fallback_micro_per_kwh: price,
      };
  }
}

/** Whether a tariff says all that the worker needs, so that it can be sent. */
export function isComplete(tariff: Tariff): boolean {
  if (tariff.kind === 'listed') return (tariff.source.from === 'file' ? tariff.source.path : tariff.source.url) !== '';
  return tariff.kind === 'flat' || tariff.bands.every((band) => band.days !== 0 && band.from_minute !== band.to_minute);
}

const beginsOn = (band: TariffBand, day: number) => ((band.days >> (day % DAYS)) & 1) === 1;

/** Whether a band holds at a minute of a day: `day` from 0, Monday, to 6. */
export function holds(band: TariffBand, day: number, minute: number): boolean {
  if (band.to_minute > band.from_minute)
    return beginsOn(band, day) && minute >= band.from_minute && minute < band.to_minute;
  return (
    (beginsOn(band, day) && minute >= band.from_minute) || (beginsOn(band, day + DAYS - 1) && minute < band.to_minute)
  );
}

/** Whether two bands hold at once. One of them begins while the other holds, if they do. */
export function overlap(one: TariffBand, other: TariffBand): boolean {
  const begins = (a: TariffBand, b: TariffBand) =>
    Array.from({ length: DAYS }, (_, day) => day).some((day) => beginsOn(a, day) && holds(b, day, a.from_minute));
  return begins(one, other) || begins(other, one);
}

/** A band for the first hour that has none on any day; midnight where each has one. */
export function freeBand(bands: readonly TariffBand[], price: number): TariffBand {
  const at = (hour: number): TariffBand => ({
    days: ALL_DAYS,
    from_minute: hour * 60,
    to_minute: (hour + 1) * 60,
    micro_per_kwh: price,
  });
  const hours = Array.from({ length: 24 }, (_, hour) => at(hour));
  return hours.find((free) => !bands.some((band) => overlap(band, free))) ?? at(0);
}

/** The price at an instant by this computer's clock; a list is not known here. */
export function priceAt(tariff: Tariff, instant: number): number {
  if (tariff.kind !== 'time_of_use') return flatPrice(tariff);
  const local = new Date(instant);
  const [day, minute] = [(local.getDay() + 6) % DAYS, local.getHours() * 60 + local.getMinutes()];
  return tariff.bands.find((band) => holds(band, day, minute))?.micro_per_kwh ?? tariff.base_micro_per_kwh;
}

/** The next other price, where there is one. */
export function nextPrice(tariff: Tariff, now: number): PriceChange | null {
  const price = priceAt(tariff, now);
  if (tariff.kind !== 'time_of_use') return null;
  const start = Math.floor(now / MINUTE_MS) + 1;
  for (let minute = start; minute <= start + AHEAD_MINUTES; minute += 1) {
    const at = minute * MINUTE_MS;
    const next = priceAt(tariff, at);
    if (next !== price) return { at, micro_per_kwh: next };
  }
  return null;
}

/** A minute of the day as a field for times has it, such as `06:30`; the end of a day is its beginning. */
export function writeTime(minute: number): string {
  const pad = (n: number) => String(n).padStart(2, '0');
  return `${pad(Math.floor(minute / 60) % 24)}:${pad(minute % 60)}`;
}

/** The minute that a field for times says; `null` while it says none. */
export function parseTime(text: string): number | null {
  const match = /^(\d{2}):(\d{2})/.exec(text);
  return match ? Number(match[1]) * 60 + Number(match[2]) : null;
}
