/** A point of a line. */
export interface Point {
  x: number;
  y: number;
}

/** Points of several lines over one rising axis, as uPlot wants them; where a line has no point, there is `null`. */
export function aligned(lines: readonly (readonly Point[])[]): [number[], ...(number | null)[][]] {
  const xs = [...new Set(lines.flatMap((points) => points.map((point) => point.x)))].sort((a, b) => a - b);
  const columns = lines.map((points) => {
    const byX = new Map(points.map((point) => [point.x, point.y]));
    return xs.map((x) => byX.get(x) ?? null);
  });
  return [xs, ...columns];
}

/** Powers of a base from `low` to `high`, both included when they are some. */
export function powers(base: number, low: number, high: number): number[] {
  // Logarithms of powers are whole but for rounding.
  const from = Math.ceil(Math.log(low) / Math.log(base) - 1e-9);
  const to = Math.floor(Math.log(high) / Math.log(base) + 1e-9);
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, n) => base ** (from + n));
}

/** Whole multiples of a step of 1, 2 or 5 times a power of ten from 0 on: about `count` of them up to `high`. */
export function roundTicks(high: number, count: number): number[] {
  if (!(high > 0)) return [0];
  const rough = high / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((n) => n * power >= rough) ?? 10);
  return Array.from({ length: Math.floor(high / step) + 1 }, (_, n) => n * step);
}
