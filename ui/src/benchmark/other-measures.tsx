import clsx from 'clsx';
import { useTranslation } from 'react-i18next';

import type { DeviceView } from '../bindings/DeviceView';
import { writeMeasure } from '../format/measure';
import { others, skippedOf } from './measures';
import { useBenchmarkValues } from './use-benchmark-values';

/** All measures but the headlines, small: they collect here while the device is measured. */
export function OtherMeasures({ device }: { device: DeviceView }) {
  const { t, i18n } = useTranslation();
  const { running, current, valueOf, reportOf } = useBenchmarkValues(device);
  if (!running && !device.benchmark) return null;
  return (
    <dl
      data-testid="benchmark-others"
      className="grid gap-x-8 border-t border-line pt-4 text-[0.8125rem] sm:grid-cols-[repeat(auto-fill,minmax(14rem,1fr))]"
    >
      {others.map((measure) => {
        const value = valueOf(measure);
        const skipped = !running && device.benchmark && skippedOf(device.benchmark, measure);
        const wrong = reportOf(measure)?.correct === false;
        return (
          <div key={measure} className="flex items-baseline justify-between gap-3 py-0.5">
            <dt className={clsx('min-w-0', current === measure ? 'animate-breathe text-ink' : 'text-muted')}>
              {t(`measure.${measure}`)}
            </dt>
            <dd
              className={clsx('figures shrink-0', value === null ? 'text-faint' : 'font-medium', wrong && 'text-ember')}
              data-testid={`benchmark-value-${measure}`}
            >
              {value !== null && writeMeasure(measure, value, i18n.language)}
              {value === null && (skipped ? t('benchmark.not_measured') : <Waiting now={current === measure} />)}
            </dd>
          </div>
        );
      })}
    </dl>
  );
}

function Waiting({ now }: { now: boolean }) {
  const { t } = useTranslation();
  return (
    <>
      <span aria-hidden>{now ? '…' : '·'}</span>
      <span className="sr-only">{now ? t('benchmark.measuring') : t('wizard.benchmark.waiting')}</span>
    </>
  );
}
