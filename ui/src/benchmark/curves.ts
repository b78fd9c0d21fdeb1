import type { CurvePoint } from '../bindings/CurvePoint';

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** What caches do for bandwidth. */
export interface Caching {
  /** The best rate of any working set. */
  best: number;
  /** The rate of the largest one, which only memory holds. */
  memory: number;
  /** The largest working set in bytes that is clearly faster than memory. */
  upTo: number;
}

/** A set that is read this many times faster than memory comes from a cache: noise stays far below it. */
const CACHED_FACTOR = 1.5;

/** What a curve over working sets shows of caches; `null` where it shows none. */
export function caching(curve: readonly CurvePoint[]): Caching | null {
  const memory = curve.at(-1)?.value ?? 0;
  const cached = curve.findLast((point) => point.value >= CACHED_FACTOR * memory);
  if (!cached || memory <= 0) return null;
  return { best: Math.max(...curve.map((point) => point.value)), memory, upTo: cached.at };
}

/** What heat leaves of a device's speed. */
export interface Throttling {
  cold: number;
  hot: number;
  /** `hot` over `cold`, 1 at most. */
  kept: number;
}

/** Fewer points tell noise from heat badly. */
const POINTS_MIN = 8;

/** The beginning of a sustained curve against its last quarter; `null` while there are too few points. */
export function throttling(curve: readonly CurvePoint[]): Throttling | null {
  if (curve.length < POINTS_MIN) return null;
  const values = curve.map((point) => point.value);
  const cold = median(values.slice(0, Math.max(3, Math.round(values.length / 20))));
  const hot = median(values.slice(-Math.round(values.length / 4)));
  return cold > 0 ? { cold, hot, kept: Math.min(1, hot / cold) } : null;
}
