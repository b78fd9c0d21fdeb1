import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';

import type { DataDay } from '../../bindings/DataDay';
import { kindColour, StackedBars } from '../../charts/stacked-bars';
import { FaultNote, LoadingRows } from '../../components/notes';
import { formatGigabytes } from '../../format/measure';
import { formatDay } from '../../format/time';
import { movedBytes } from '../../guards/data';
import { useDataDays } from '../../worker/queries';

/** The longest month: what providers bill together is seen together. */
const DAYS_SHOWN = 31;

/** Drawn from below: what is received is usually the most. */
const ways = ['received', 'sent'] as const;

/** How much data moved on each of the last days. */
export function DataChart() {
  const { t } = useTranslation();
  const days = useDataDays(DAYS_SHOWN);
  return (
    <figure className="grid min-w-0 gap-2" data-testid="data-chart">
      <figcaption className="text-sm font-medium">{t('data.chart')}</figcaption>
      {days.fault && <FaultNote fault={days.fault} onRetry={days.again} />}
      {!days.value && !days.fault && <LoadingRows rows={2} />}
      {days.value && <Bars days={days.value} />}
    </figure>
  );
}

function Bars({ days }: { days: readonly DataDay[] }) {
  const { t, i18n } = useTranslation();
  const { language } = i18n;
  const stack = useMemo(
    () => ({
      kinds: [...ways],
      amounts: days.map(({ moved }) => ways.map((way) => movedBytes(moved, way))),
      totals: days.map(({ moved }) => movedBytes(moved, 'both')),
    }),
    [days],
  );
  const total = stack.totals.reduce((sum, bytes) => sum + bytes, 0);
  if (total === 0) return <p className="text-sm text-faint">{t('data.chart_empty')}</p>;
  const most = stack.totals.indexOf(Math.max(...stack.totals));
  const write = (bytes: number) => `${formatGigabytes(bytes, language)} GB`;
  const dayAt = (n: number) => formatDay(days[n]?.at ?? 0, language);
  return (
    <>
      <p className="sr-only">
        {t('data.chart_summary', { total: write(total), most: write(stack.totals[most] ?? 0), day: dayAt(most) })}
      </p>
      <StackedBars
        height={140}
        starts={days.map(({ at }) => at)}
        stack={stack}
        writeAmount={write}
        writeStart={(at) => formatDay(at, language)}
        tip={(n) => (
          <div className="grid gap-1">
            <p className="text-muted">{dayAt(n)}</p>
            {ways.map((way, kind) => (
              <p key={way} className="flex items-center gap-2 text-muted">
                <span className="size-2 rounded-full" style={{ background: `var(${kindColour(kind)})` }} />
                {t(`data.${way}`)}
                <span className="figures ml-auto pl-4 text-ink">{write(stack.amounts[n]?.[kind] ?? 0)}</span>
              </p>
            ))}
          </div>
        )}
      />
      <ul className="flex flex-wrap gap-x-5 gap-y-1 text-sm text-muted">
        {ways.map((way, kind) => (
          <li key={way} className="flex items-center gap-2">
            <span aria-hidden className="size-2.5 rounded-full" style={{ background: `var(${kindColour(kind)})` }} />
            {t(`data.${way}`)}
          </li>
        ))}
      </ul>
    </>
  );
}
