import { useTranslation } from 'react-i18next';

import type { BenchmarkReport } from '../bindings/BenchmarkReport';
import type { CurvePoint } from '../bindings/CurvePoint';
import { powers, roundTicks } from '../charts/align';
import { LinePlot } from '../charts/line-plot';
import { formatBytes, writeMeasure } from '../format/measure';
import { caching } from './curves';
import { measurementOf } from './measures';

type CurveMeasure = 'memory_read' | 'memory_latency';

const colours: Record<CurveMeasure, string> = { memory_read: '--tide', memory_latency: '--dusk' };

/** Bandwidth and latency by how much memory is gone over again and again: each cache is a step. */
export function MemoryCurves({ report }: { report: BenchmarkReport }) {
  const { t, i18n } = useTranslation();
  const curves = (['memory_read', 'memory_latency'] as const)
    .map((measure) => ({
      measure,
      // A logarithmic axis has no zero.
      curve: (measurementOf(report, measure)?.curve ?? []).filter((point) => point.at > 0),
    }))
    .filter(({ curve }) => curve.length > 1);
  if (curves.length === 0) return null;
  const read = curves.find(({ measure }) => measure === 'memory_read')?.curve ?? [];
  const cache = caching(read);
  const rate = (value: number) => writeMeasure('memory_read', value, i18n.language);
  const finding =
    read.length === 0
      ? null
      : cache
        ? t('benchmark.curve.cached', {
            best: rate(cache.best),
            size: formatBytes(cache.upTo, i18n.language),
            memory: rate(cache.memory),
          })
        : t('benchmark.curve.no_cache');
  return (
    <section aria-label={t('benchmark.curve.title')} className="card grid min-w-0 gap-5 p-6" data-testid="memory-curves">
      <header className="grid gap-1">
        <h2 className="text-lg font-semibold">{t('benchmark.curve.title')}</h2>
        <p className="max-w-[75ch] text-sm text-pretty text-muted">{t('benchmark.curve.text')}</p>
        {finding && <p className="max-w-[75ch] text-sm text-pretty">{finding}</p>}
      </header>
      <div className="grid gap-x-8 gap-y-6 lg:grid-cols-2">
        {curves.map(({ measure, curve }) => (
          <Curve key={measure} measure={measure} curve={curve} />
        ))}
      </div>
      <FigureTable curves={curves} />
    </section>
  );
}

function Curve({ measure, curve }: { measure: CurveMeasure; curve: readonly CurvePoint[] }) {
  const { t, i18n } = useTranslation();
  const first = curve[0]?.at ?? 1;
  const last = curve.at(-1)?.at ?? 2;
  const most = Math.max(...curve.map((point) => point.value)) * 1.08;
  const write = (value: number) => writeMeasure(measure, value, i18n.language);
  return (
    <figure className="grid min-w-0 gap-2">
      <figcaption className="eyebrow">{t(`benchmark.curve.${measure}`)}</figcaption>
      <LinePlot
        height={230}
        lines={[
          {
            name: t(`benchmark.curve.${measure}`),
            colour: colours[measure],
            points: curve.map(({ at, value }) => ({ x: at, y: value })),
            filled: true,
          },
        ]}
        x={{ range: [first, last], ticks: powers(4, first, last), write: (at) => formatBytes(at, i18n.language), log: true }}
        y={{ range: [0, most], ticks: roundTicks(most, 5), write: (value) => (value === 0 ? '0' : write(value)) }}
        tip={(at, [value]) => (
          <p className="figures">
            <span className="text-muted">{formatBytes(at, i18n.language)}</span>{' '}
            <span className="font-medium">{typeof value === 'number' && write(value)}</span>
          </p>
        )}
      />
    </figure>
  );
}

/** The same as the charts, for those who cannot see them and those who want to know exactly. */
function FigureTable({ curves }: { curves: { measure: CurveMeasure; curve: readonly CurvePoint[] }[] }) {
  const { t, i18n } = useTranslation();
  const sizes = [...new Set(curves.flatMap(({ curve }) => curve.map((point) => point.at)))].sort((a, b) => a - b);
  return (
    <details className="text-sm">
      <summary className="w-fit cursor-pointer rounded text-muted">{t('benchmark.as_table')}</summary>
      <div className="pt-3">
        <table className="figures w-full max-w-xl text-right">
          <thead className="text-muted">
            <tr>
              <th scope="col" className="py-1 pr-4 text-left font-medium">
                {t('benchmark.curve.size')}
              </th>
              {curves.map(({ measure }) => (
                <th key={measure} scope="col" className="py-1 pl-4 font-medium">
                  {t(`benchmark.curve.${measure}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sizes.map((size) => (
              <tr key={size} className="border-t border-line">
                <th scope="row" className="py-1 pr-4 text-left font-normal">
                  {formatBytes(size, i18n.language)}
                </th>
                {curves.map(({ measure, curve }) => {
                  const value = curve.find((point) => point.at === size)?.value;
                  return (
                    <td key={measure} className="py-1 pl-4">
                      {value === undefined ? '' : writeMeasure(measure, value, i18n.language)}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
