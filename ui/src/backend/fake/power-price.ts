import type { Fault } from '../../bindings/Fault';
import type { PowerPrice } from '../../bindings/PowerPrice';
import type { Tariff } from '../../bindings/Tariff';
import en from '../../i18n/en.json';
import { flatPrice, nextPrice, overlap, priceAt } from '../../power/tariff';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** What power costs by a tariff. A list says that every other hour is half the price, and ends at the end of tomorrow. */
export function simulatedPrice(tariff: Tariff, now: number): PowerPrice {
  const price = { micro_per_kwh: priceAt(tariff, now), stands_in: false, next: nextPrice(tariff, now), list: null };
  if (tariff.kind !== 'listed') return price;
  const listed = (at: number) => {
    const half = Math.floor(at / HOUR_MS) % 2 === 0 ? 1 : 0.5;
    return Math.round(flatPrice(tariff) * half);
  };
  const next = (Math.floor(now / HOUR_MS) + 1) * HOUR_MS;
  const tomorrowEnds = new Date(now + DAY_MS).setHours(24, 0, 0, 0);
  return {
    micro_per_kwh: listed(now),
    stands_in: false,
    next: { at: next, micro_per_kwh: listed(next) },
    list: { read_at: now - 7 * 60_000, until: tomorrowEnds, fault: null },
  };
}

/** The price of power on average over the coming day, hour by hour. */
export function simulatedMeanPrice(tariff: Tariff, now: number): number {
  const hours = Array.from({ length: 24 }, (_, hour) => simulatedPrice(tariff, now + hour * HOUR_MS).micro_per_kwh);
  return Math.round(hours.reduce((sum, price) => sum + price, 0) / hours.length);
}

/** Why the worker would refuse a tariff. */
export function tariffFault(tariff: Tariff | null): Fault | null {
  const code = tariff && faultCode(tariff);
  return code && { code, sentence: en.fault[code] };
}

function faultCode(tariff: Tariff): keyof typeof en.fault | null {
  if (flatPrice(tariff) > 100_000_000) return 'tariff_too_high';
  if (tariff.kind === 'time_of_use') {
    const { bands } = tariff;
    return bands.some((band, at) => bands.slice(0, at).some((other) => overlap(band, other))) ? 'tariff_bands_overlap' : null;
  }
  if (tariff.kind !== 'listed') return null;
  const { source } = tariff;
  if (source.from === 'file') return /^(\/|[A-Za-z]:[\\/])/.test(source.path) ? null : 'prices_path_not_whole';
  if (/^https:\/\/\w|^http:\/\/(127\.0\.0\.1|localhost|\[::1\])[:/]/.test(source.url)) return null;
  return source.url.startsWith('http://') ? 'prices_not_secure' : 'prices_not_a_url';
}
