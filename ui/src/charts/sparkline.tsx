import { Plot } from './plot';

interface SparklineProps {
  /** Seconds since the Unix epoch. */
  at: number[];
  values: (number | null)[];
  /** The ends of the scale; `null` lets the upper one follow the values. */
  range: [number, number | null];
  /** A CSS variable. */
  colour: string;
}

/** A small area chart without axes. Unknown values leave gaps. */
export function Sparkline({ at, values, range, colour }: SparklineProps) {
  const [low, high] = range;
  return (
    <Plot
      data={[at, values]}
      height={44}
      optionsKey={`${colour} ${low} ${high}`}
      options={(read) => ({
        legend: { show: false },
        cursor: { show: false },
        padding: [3, 0, 2, 0],
        axes: [{ show: false }, { show: false }],
        scales: {
          x: { time: false },
          y: { range: (_, __, max) => [low, high ?? Math.max(low + 1, max * 1.15)] },
        },
        series: [
          {},
          {
            stroke: read(colour),
            width: 1.5,
            points: { show: false },
            fill: (plot) => {
              const gradient = plot.ctx.createLinearGradient(0, 0, 0, plot.ctx.canvas.height);
              // The palette is written as #rrggbb; two more digits are its opacity.
              gradient.addColorStop(0, `${read(colour)}4d`);
              gradient.addColorStop(1, `${read(colour)}00`);
              return gradient;
            },
          },
        ],
      })}
    />
  );
}
