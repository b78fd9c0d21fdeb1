import clsx from 'clsx';
import { Check, TriangleAlert } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import type { DeviceView } from '../bindings/DeviceView';
import { formatMeasure, formatPercent } from '../format/measure';
import { headlines } from './measures';
import { useBenchmarkValues } from './use-benchmark-values';

/** Ends of the logarithmic bars: a program on an old processor, and twice the fastest card of 2025. */
const range: Record<(typeof headlines)[number], [number, number]> = {
  fp32_peak: [10, 200_000],
  gemm_fp32: [5, 150_000],
  memory_read: [2, 3_600],
};

function barShare(measure: (typeof headlines)[number], value: number | null): number {
  if (value === null || value <= 0) return 0;
  const [low, high] = range[measure];
  return Math.min(1, Math.max(0.02, Math.log(value / low) / Math.log(high / low)));
}

/** The headline measures of one device: filling while it is measured, then with their spread. */
export function BenchmarkBars({ device }: { device: DeviceView }) {
  const { t, i18n } = useTranslation();
  const { current, valueOf, reportOf } = useBenchmarkValues(device);
  return (
    <ul className="grid gap-5">
      {headlines.map((measure) => {
        const report = reportOf(measure);
        const value = valueOf(measure);
        const isCurrent = current === measure;
        const shown = value === null ? null : formatMeasure(measure, value, i18n.language);
        return (
          <li key={measure} className="grid gap-1.5">
            <div className="flex flex-wrap items-baseline justify-between gap-x-4">
              <p>
                <span className="font-medium">{t(`benchmark.headline.${measure}`)}</span>{' '}
                <span className="text-sm text-muted">{t(`benchmark.headline.${measure}_why`)}</span>
              </p>
              <p className="figures" data-testid={`benchmark-value-${measure}`}>
                {shown ? (
                  <>
                    <span className="font-display text-2xl font-semibold">{shown.figure}</span>{' '}
                    <span className="text-sm text-muted">{shown.unit}</span>
                  </>
                ) : (
                  <span className="text-sm text-faint">{isCurrent ? '…' : t('wizard.benchmark.waiting')}</span>
                )}
              </p>
            </div>
            <div className="h-2.5 overflow-hidden rounded-full bg-sunken">
              <div
                className={clsx(
                  'h-full rounded-full bg-gradient-to-r from-(--kind-2) to-(--kind-1) transition-[width] duration-300 ease-out',
                  isCurrent && 'animate-breathe',
                )}
                style={{ width: `${barShare(measure, value) * 100}%` }}
              />
            </div>
            {report && (
              <p className={clsx('flex items-center gap-1.5 text-xs', report.correct ? 'text-faint' : 'text-ember')}>
                {report.correct ? (
                  <Check aria-hidden className="size-3.5 text-aurora" />
                ) : (
                  <TriangleAlert aria-hidden className="size-3.5" />
                )}
                {report.correct
                  ? t('wizard.benchmark.spread', {
                      spread: formatPercent(report.spread, i18n.language, 1),
                      count: report.samples.length,
                    })
                  : t('wizard.benchmark.wrong')}
              </p>
            )}
          </li>
        );
      })}
    </ul>
  );
}
