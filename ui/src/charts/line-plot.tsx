import { useMemo, useState, type ReactNode } from 'react';
import type uPlot from 'uplot';

import { aligned, type Point } from './align';
import { Plot } from './plot';

/** A line of a chart. */
export interface Line {
  name: string;
  /** A CSS variable. */
  colour: string;
  points: readonly Point[];
  dashed?: boolean;
  /** Fills what is below it, fading. */
  filled?: boolean;
}

/** A numbered dot; the list beside the chart says what it stands for. */
export interface Mark extends Point {
  label: string;
  colour: string;
}

interface Scale {
  range: [number, number];
  ticks: number[];
  write: (value: number) => string;
  log?: boolean;
}

/** uPlot numbers its distributions in an enum that exists for the type checker alone. */
const LINEAR = 1 as unknown as uPlot.Scale.Distr;
const LOGARITHMIC = 3 as unknown as uPlot.Scale.Distr;

interface LinePlotProps {
  lines: readonly Line[];
  marks?: readonly Mark[];
  x: Scale;
  y: Scale;
  height: number;
  /** What to show of the values under the pointer, which are `null` where a line has no point. */
  tip?: (x: number, values: (number | null)[]) => ReactNode;
}

const FONT = '500 11px Geist, sans-serif';

/** Labels that would stand closer than this many CSS pixels are left out. */
const LABEL_SPACE = 52;

/** Lines over a linear or logarithmic axis, with numbered marks. */
export function LinePlot({ lines, marks = [], x, y, height, tip }: LinePlotProps) {
  const [pointed, setPointed] = useState<{ index: number; left: number } | null>(null);
  const data = useMemo(() => aligned(lines.map((line) => line.points)), [lines]);
  const shown = pointed === null ? undefined : data[0][pointed.index];
  return (
    <div className="relative">
      <Plot
        data={data}
        height={height}
        optionsKey={JSON.stringify([lines.map(({ colour, dashed }) => [colour, dashed]), marks, x, y, x.ticks.map(x.write), y.ticks.map(y.write)])}
        options={(read) => ({
          legend: { show: false },
          padding: [14, 14, 0, 0],
          cursor: {
            show: tip !== undefined,
            y: false,
            drag: { x: false, y: false },
            points: { size: 7, fill: (_, n) => read(lines[n - 1]?.colour ?? '--ink') },
          },
          scales: {
            x: { time: false, distr: x.log ? LOGARITHMIC : LINEAR, range: () => x.range },
            y: { distr: y.log ? LOGARITHMIC : LINEAR, range: () => y.range },
          },
          axes: [
            {
              stroke: read('--faint'),
              font: FONT,
              size: 30,
              grid: { stroke: read('--line'), width: 1 },
              ticks: { show: false },
              splits: () => x.ticks,
              filter: (_, splits) => splits,
              values: (plot, splits) => spaced(plot, splits).map((value) => (value === null ? '' : x.write(value))),
            },
            {
              stroke: read('--faint'),
              font: FONT,
              size: 74,
              grid: { stroke: read('--line'), width: 1 },
              ticks: { show: false },
              splits: () => y.ticks,
              filter: (_, splits) => splits,
              values: (_, splits) => splits.map(y.write),
            },
          ],
          series: [{}, ...lines.map((line) => seriesOf(line, read))],
          hooks: {
            draw: [(plot) => marks.forEach((mark) => drawMark(plot, mark, read))],
            setCursor: [
              (plot) => {
                const { idx, left } = plot.cursor;
                const inside = idx !== null && idx !== undefined && left !== undefined && left >= 0;
                setPointed(inside ? { index: idx, left: left + plot.bbox.left / devicePixelRatio } : null);
              },
            ],
          },
        })}
      />
      {tip && pointed && shown !== undefined && (
        <div
          className="pointer-events-none absolute top-2 z-10 -translate-x-1/2 rounded-xl border border-line-strong bg-raised px-3.5 py-2.5 text-sm whitespace-nowrap shadow-card"
          style={{ left: `clamp(6rem, ${pointed.left}px, calc(100% - 6rem))` }}
        >
          {tip(shown, lines.map((_, n) => data[n + 1]?.[pointed.index] ?? null))}
        </div>
      )}
    </div>
  );
}

function seriesOf(line: Line, read: (variable: string) => string): uPlot.Series {
  const stroke = read(line.colour);
  return {
    stroke,
    width: 2,
    spanGaps: true,
    points: { show: false },
    ...(line.dashed ? { dash: [7, 5] } : {}),
    ...(line.filled
      ? {
          fill: (plot: uPlot) => {
            const gradient = plot.ctx.createLinearGradient(0, plot.bbox.top, 0, plot.bbox.top + plot.bbox.height);
            // The palette is written as #rrggbb; two more digits are its opacity.
            gradient.addColorStop(0, `${stroke}40`);
            gradient.addColorStop(1, `${stroke}00`);
            return gradient;
          },
        }
      : {}),
  };
}

/** The labels of an axis that have room, `null` in place of the others. */
function spaced(plot: uPlot, splits: number[]): (number | null)[] {
  let last = -Infinity;
  return splits.map((value) => {
    const at = plot.valToPos(value, 'x');
    if (at - last < LABEL_SPACE) return null;
    last = at;
    return value;
  });
}

function drawMark(plot: uPlot, mark: Mark, read: (variable: string) => string): void {
  const { ctx } = plot;
  const scale = devicePixelRatio;
  const x = plot.valToPos(mark.x, 'x', true);
  const y = plot.valToPos(mark.y, 'y', true);
  ctx.save();
  // The line drawn last may have been dashed.
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.arc(x, y, 9 * scale, 0, 2 * Math.PI);
  ctx.fillStyle = read(mark.colour);
  ctx.fill();
  ctx.lineWidth = 2 * scale;
  ctx.strokeStyle = read('--surface');
  ctx.stroke();
  ctx.font = `600 ${11 * scale}px Geist, sans-serif`;
  ctx.textAlign = 'center';
  ctx.textBaseline = 'middle';
  ctx.fillStyle = read('--surface');
  ctx.fillText(mark.label, x, y + 0.5 * scale);
  ctx.restore();
}
