import clsx from 'clsx';
import { useTranslation } from 'react-i18next';

import type { BenchmarkReport } from '../bindings/BenchmarkReport';
import type { DeviceView } from '../bindings/DeviceView';
import { formatPercent, writeMeasure } from '../format/measure';
import { knownDevices, sheetOf, stated, type StatedMeasure } from './known-devices';
import { soundValue } from './measures';

interface Row {
  name: string;
  value: number;
  own: boolean;
}

/** The device as measured, among known ones as their vendors state them. */
export function Comparison({ device, report }: { device: DeviceView; report: BenchmarkReport }) {
  const { t, i18n } = useTranslation();
  const sheet = sheetOf(device);
  const reached = (measure: StatedMeasure) => {
    const value = soundValue(report, measure);
    return sheet && value !== null ? formatPercent(value / sheet[measure], i18n.language) : null;
  };
  const [fp32, memory] = stated.map(reached);
  return (
    <section aria-label={t('benchmark.known.title')} className="card grid min-w-0 gap-5 p-6">
      <header className="grid gap-1">
        <h2 className="text-lg font-semibold">{t('benchmark.known.title')}</h2>
        <p className="text-sm text-pretty text-muted">{t('benchmark.known.text')}</p>
      </header>
      <div className="grid gap-x-8 gap-y-6 sm:grid-cols-2">
        {stated.map((measure) => (
          <Bars key={measure} measure={measure} device={device} report={report} />
        ))}
      </div>
      {sheet && fp32 && memory && (
        <p className="text-sm text-pretty" data-testid="data-sheet-share">
          {t('benchmark.known.reached', { fp32, memory })}
        </p>
      )}
      <details className="text-sm text-muted">
        <summary className="w-fit cursor-pointer rounded">{t('benchmark.known.sources')}</summary>
        <dl className="grid gap-1.5 pt-3">
          {knownDevices.map((known) => (
            <div key={known.name}>
              <dt className="font-medium text-ink">{known.name}</dt>
              <dd className="font-mono text-xs break-all select-all">{known.source}</dd>
            </div>
          ))}
        </dl>
      </details>
    </section>
  );
}

function Bars({ measure, device, report }: { measure: StatedMeasure; device: DeviceView; report: BenchmarkReport }) {
  const { t, i18n } = useTranslation();
  const own = soundValue(report, measure);
  const rows: Row[] = knownDevices.map((known) => ({ name: known.name, value: known[measure], own: false }));
  if (own !== null) rows.push({ name: device.info.name, value: own, own: true });
  rows.sort((a, b) => b.value - a.value);
  const most = rows[0]?.value ?? 1;
  return (
    <div className="grid min-w-0 content-start gap-2.5">
      <h3 className="eyebrow font-sans">{t(`measure.${measure}`)}</h3>
      <ul className="grid gap-1.5" data-testid={`known-${measure}`}>
        {rows.map((row) => (
          <li key={`${row.name} ${row.own ? 'own' : ''}`} className="grid gap-0.5 text-[0.8125rem]">
            <div className="flex items-baseline justify-between gap-3">
              <span className={clsx('min-w-0', row.own ? 'font-semibold' : 'text-muted')}>
                {row.name}
                {row.own && <span className="font-normal text-muted"> · {t('benchmark.known.measured')}</span>}
              </span>
              <span className={clsx('figures shrink-0', row.own ? 'font-semibold' : 'text-muted')}>
                {writeMeasure(measure, row.value, i18n.language)}
              </span>
            </div>
            <div aria-hidden className={clsx('overflow-hidden rounded-full bg-sunken', row.own ? 'h-2.5' : 'h-1')}>
              <div
                className={clsx(
                  'h-full rounded-full',
                  row.own ? 'bg-gradient-to-r from-(--kind-2) to-(--kind-1)' : 'bg-line-strong',
                )}
                style={{ width: `${Math.max(0.01, row.value / most) * 100}%` }}
              />
            </div>
          </li>
        ))}
      </ul>
    </div>
  );
}
