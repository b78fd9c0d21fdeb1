import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { EarningsBucket } from '../../bindings/EarningsBucket';
import { stacked } from '../../charts/stack';
import { kindColour, StackedBars } from '../../charts/stacked-bars';
import { Money } from '../../components/money';
import { EmptyNote, FaultNote, LoadingRows } from '../../components/notes';
import { Segmented } from '../../components/segmented';
import { formatMoney } from '../../format/money';
import { useEarnings, type EarningsOverTime } from '../../worker/queries';
import { useKindName } from '../../worker/use-kind-name';

/** Earnings by hour or by day, stacked by job kind. */
export function EarningsChart() {
  const { t } = useTranslation();
  const [bucket, setBucket] = useState<EarningsBucket>('hour');
  const earnings = useEarnings(bucket);
  const width = earnings.value ? (earnings.value.starts[1] ?? 0) - (earnings.value.starts[0] ?? 0) : 0;
  // While the other span is being asked for, the old bars are not labelled as the new ones.
  const current = width > 3_600_000 === (bucket === 'day') ? earnings.value : undefined;
  return (
    <figure className="card flex min-w-0 flex-col p-6" data-testid="earnings-chart">
      <figcaption className="mb-4 flex flex-wrap items-center justify-between gap-3">
        <h2 className="text-lg font-semibold">{t('overview.chart')}</h2>
        <Segmented
          label={t('overview.chart')}
          value={bucket}
          options={[
            { value: 'hour', label: t('overview.by_hour') },
            { value: 'day', label: t('overview.by_day') },
          ]}
          onChange={setBucket}
        />
      </figcaption>
      {earnings.fault && <FaultNote fault={earnings.fault} onRetry={earnings.again} />}
      {!current && !earnings.fault && <LoadingRows rows={3} />}
      {current && <Bars earnings={current} bucket={bucket} />}
    </figure>
  );
}

function Bars({ earnings, bucket }: { earnings: EarningsOverTime; bucket: EarningsBucket }) {
  const { t, i18n } = useTranslation();
  const kindName = useKindName();
  const stack = useMemo(() => stacked(earnings), [earnings]);
  const { starts } = earnings;
  const writeStart = (at: number) =>
    new Intl.DateTimeFormat(
      i18n.language,
      bucket === 'hour' ? { hour: 'numeric' } : { day: 'numeric', month: 'short' },
    ).format(at);
  const total = stack.totals.reduce((sum, units) => sum + units, 0);
  if (total === 0) {
    return <EmptyNote title={t('overview.chart_empty')} why={t('overview.chart_empty_why')} mark={<EmptyBars />} />;
  }
  const most = stack.totals.indexOf(Math.max(...stack.totals));
  const summary = t('overview.chart_summary', {
    total: formatMoney(total, i18n.language),
    most: formatMoney(stack.totals[most] ?? 0, i18n.language),
    when: writeStart(starts[most] ?? 0),
  });
  return (
    <>
      <p className="sr-only">{summary}</p>
      <StackedBars
        starts={starts}
        stack={stack}
        writeAmount={(units) => formatMoney(units, i18n.language)}
        writeStart={writeStart}
        tip={(n) => (
          <div className="grid gap-1">
            <p className="text-muted">
              {writeStart(starts[n] ?? 0)} · {t('overview.chart_tasks', { count: stack.tasks[n] ?? 0 })}
            </p>
            <Money units={stack.totals[n] ?? 0} className="text-base font-medium" />
            {stack.kinds.map((kind, k) => (
              <p key={kind} className="flex items-center gap-2 text-muted">
                <span className="size-2 rounded-full" style={{ background: `var(${kindColour(k)})` }} />
                {kindName(kind)}
                <Money units={stack.amounts[n]?.[k] ?? 0} named={false} className="ml-auto pl-4 text-ink" />
              </p>
            ))}
          </div>
        )}
      />
      <ul className="mt-auto flex pt-3 flex-wrap gap-x-5 gap-y-1 text-sm text-muted">
        {stack.kinds.map((kind, k) => (
          <li key={kind} className="flex items-center gap-2">
            <span aria-hidden className="size-2.5 rounded-full" style={{ background: `var(${kindColour(k)})` }} />
            {kindName(kind)}
          </li>
        ))}
      </ul>
    </>
  );
}

function EmptyBars() {
  return (
    <svg viewBox="0 0 96 40" className="h-10 w-24">
      {[14, 22, 10, 30, 18, 34].map((height, n) => (
        <rect
          key={n}
          x={n * 16 + 2}
          y={40 - height}
          width="10"
          height={height}
          rx="3"
          fill="none"
          stroke="currentColor"
          strokeDasharray="3 3"
        />
      ))}
    </svg>
  );
}
