import { useMemo, useState, type ReactNode } from 'react';
import uPlot from 'uplot';

import { Plot } from './plot';
import type { Stack } from './stack';

/** Kinds beyond the fifth share its colour. */
export function kindColour(kind: number): string {
  return `--kind-${Math.min(kind, 4) + 1}`;
}

interface StackedBarsProps {
  starts: number[];
  stack: Pick<Stack, 'kinds' | 'amounts' | 'totals'>;
  writeAmount: (units: number) => string;
  writeStart: (at: number) => string;
  /** What to show of the bucket under the pointer. */
  tip: (bucket: number) => ReactNode;
  height?: number;
}

const HEIGHT = 280;

/** Bars by time, stacked by kind: of earnings, or of data. */
export function StackedBars({ starts, stack, writeAmount, writeStart, tip, height = HEIGHT }: StackedBarsProps) {
  const [pointed, setPointed] = useState<{ bucket: number; left: number } | null>(null);
  const kinds = stack.kinds.length;
  // uPlot draws later series over earlier ones, so that the tallest, the sum of all kinds, comes first.
  const data = useMemo<uPlot.AlignedData>(() => {
    const upTo = (kind: number) =>
      stack.amounts.map((row) => row.slice(0, kind + 1).reduce((sum, amount) => sum + amount, 0) || null);
    return [starts.map((_, n) => n), ...Array.from({ length: kinds }, (_, n) => upTo(kinds - 1 - n))];
  }, [starts, stack, kinds]);
  const first = starts[0] ?? 0;
  return (
    <div className="relative">
      <Plot
        data={data}
        height={height}
        optionsKey={`${first} ${starts.length} ${stack.kinds.join()} ${writeStart(first)}`}
        options={(read) => ({
          legend: { show: false },
          padding: [12, 6, 0, 0],
          cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
          scales: {
            x: { time: false, range: [-0.6, starts.length - 0.4] },
            y: { range: (_, __, max) => [0, Math.max(max * 1.08, 1)] },
          },
          axes: [
            {
              stroke: read('--faint'),
              font: '500 11px Geist, sans-serif',
              grid: { show: false },
              ticks: { show: false },
              size: 30,
              space: 64,
              incrs: [1, 2, 3, 4, 6, 7, 12],
              values: (_, splits) => splits.map((n) => (starts[n] === undefined ? '' : writeStart(starts[n]))),
            },
            {
              stroke: read('--faint'),
              font: '500 11px Geist, sans-serif',
              size: 62,
              space: 34,
              grid: { stroke: read('--line'), width: 1 },
              ticks: { show: false },
              // Base units and bytes are whole: a finer grid would label amounts that cannot be.
              incrs: [1, 2, 5].flatMap((n) => Array.from({ length: 13 }, (_, power) => n * 10 ** power)).sort((a, b) => a - b),
              values: (_, splits) => splits.map((units) => (units === 0 ? '' : writeAmount(units))),
            },
          ],
          series: [
            {},
            ...Array.from({ length: kinds }, (_, n) => ({
              fill: read(kindColour(kinds - 1 - n)),
              width: 0,
              points: { show: false },
              paths: uPlot.paths.bars?.({ size: [0.66, 34], radius: [0.22, 0] }),
            })),
          ],
          hooks: {
            setCursor: [
              (plot) => {
                const { idx, left } = plot.cursor;
                const inside = idx !== null && idx !== undefined && left !== undefined && left >= 0;
                setPointed(inside ? { bucket: idx, left: left + plot.bbox.left / devicePixelRatio } : null);
              },
            ],
          },
        })}
      />
      {pointed && (stack.totals[pointed.bucket] ?? 0) > 0 && (
        <div
          className="pointer-events-none absolute top-2 z-10 -translate-x-1/2 rounded-xl border border-line-strong bg-raised px-3.5 py-2.5 text-sm whitespace-nowrap shadow-card"
          style={{ left: `clamp(6rem, ${pointed.left}px, calc(100% - 6rem))` }}
        >
          {tip(pointed.bucket)}
        </div>
      )}
    </div>
  );
}
