import { useTranslation } from 'react-i18next';

import type { BenchmarkReport } from '../bindings/BenchmarkReport';
import { powers } from '../charts/align';
import { LinePlot, type Line, type Mark } from '../charts/line-plot';
import { formatNumber, formatUnit, writeMeasure } from '../format/measure';
import { placedUnder, ridge, roofOf, type PlacedWork } from './roofline';

/** From work that reads far more than it computes to work that hardly reads. */
const INTENSITY: [number, number] = [0.25, 20_000];

const colours = { memory: '--tide', fp32: '--aurora', matrix: '--dusk' } as const;

/** How fast work can be, by how much it computes with each byte that it reads. */
export function RooflineChart({ report }: { report: BenchmarkReport }) {
  const { t, i18n } = useTranslation();
  const roof = roofOf(report);
  if (!roof) return null;
  const { language } = i18n;
  const rate = (value: number) => Object.values(formatUnit('gigaflops_per_second', value, language)).join(' ');
  const whole = (value: number) => new Intl.NumberFormat(language).format(value);
  const works = placedUnder(roof, report);
  const top = Math.max(roof.fp32, roof.matrix ?? 0);
  const [low, high] = INTENSITY;
  const slopeEnd = Math.min(high, ridge(roof, top));
  const level = (ceiling: number) => [
    { x: Math.min(high, Math.max(low, ridge(roof, ceiling))), y: ceiling },
    { x: high, y: ceiling },
  ];
  const lines: Line[] = [
    {
      name: t('benchmark.roofline.memory'),
      colour: colours.memory,
      points: [
        { x: low, y: low * roof.memory },
        { x: slopeEnd, y: slopeEnd * roof.memory },
      ],
    },
    { name: t('measure.fp32_peak'), colour: colours.fp32, points: level(roof.fp32) },
    ...(roof.matrix === null
      ? []
      : [{ name: t('benchmark.roofline.matrix'), colour: colours.matrix, dashed: true, points: level(roof.matrix) }]),
  ];
  const figures = [writeMeasure('memory_read', roof.memory, language), rate(roof.fp32), roof.matrix === null ? '' : rate(roof.matrix)];
  const marks: Mark[] = works.map((work, n) => ({
    x: work.intensity,
    y: work.rate,
    label: String(n + 1),
    colour: colours[work.boundBy],
  }));
  const range: [number, number] = [
    10 ** Math.floor(Math.log10(low * roof.memory)),
    10 ** Math.ceil(Math.log10(top * 1.2)),
  ];
  return (
    <section aria-label={t('benchmark.roofline.title')} className="card grid min-w-0 gap-5 p-6" data-testid="roofline">
      <header className="grid gap-1">
        <h2 className="text-lg font-semibold">{t('benchmark.roofline.title')}</h2>
        <p className="text-sm text-pretty text-muted">
          {t('benchmark.roofline.text', { ridge: formatNumber(ridge(roof, roof.fp32), language) })}
        </p>
      </header>
      <figure className="grid min-w-0 gap-4">
        <LinePlot
          height={300}
          lines={lines}
          marks={marks}
          x={{ range: INTENSITY, ticks: powers(10, low, high), write: whole, log: true }}
          y={{ range, ticks: powers(10, range[0], range[1]), write: rate, log: true }}
        />
        <p className="-mt-3 text-right text-xs text-faint">{t('benchmark.roofline.axis')}</p>
        <figcaption className="grid gap-4">
          <ul className="flex flex-wrap gap-x-5 gap-y-1 text-sm text-muted">
            {lines.map((line, n) => (
              <li key={line.name} className="flex items-center gap-2">
                <span
                  aria-hidden
                  className="w-5 shrink-0 border-t-2"
                  style={{ borderColor: `var(${line.colour})`, borderStyle: line.dashed ? 'dashed' : 'solid' }}
                />
                {line.name} <span className="figures text-ink">{figures[n]}</span>
              </li>
            ))}
          </ul>
          <ol className="grid gap-2 text-sm">
            {works.map((work, n) => (
              <WorkRow key={work.name} work={work} number={n + 1} rate={rate(work.rate)} />
            ))}
          </ol>
        </figcaption>
      </figure>
    </section>
  );
}

function WorkRow({ work, number, rate }: { work: PlacedWork; number: number; rate: string }) {
  const { t, i18n } = useTranslation();
  return (
    <li className="grid grid-cols-[1.25rem_minmax(0,1fr)] items-baseline gap-x-3 sm:grid-cols-[1.25rem_minmax(0,1fr)_auto]">
      <span
        aria-hidden
        className="figures row-span-2 grid size-5 place-items-center self-center rounded-full sm:row-span-1 text-xs font-semibold text-surface"
        style={{ background: `var(${colours[work.boundBy]})` }}
      >
        {number}
      </span>
      <span className="min-w-0">
        {t(`benchmark.work.${work.name}`)}
        <span className="block text-muted">
          {t('benchmark.roofline.intensity', {
            value: formatNumber(work.intensity, i18n.language),
            bound: t(`benchmark.roofline.by_${work.boundBy}`),
          })}
        </span>
      </span>
      <span className="figures sm:text-right">
        {work.measured ? t('benchmark.roofline.measured', { rate }) : t('benchmark.roofline.at_most', { rate })}
      </span>
    </li>
  );
}
