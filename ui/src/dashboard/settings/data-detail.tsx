import clsx from 'clsx';
import { useTranslation } from 'react-i18next';

import type { DataCaps } from '../../bindings/DataCaps';
import { NumberField } from '../../components/number-field';
import { formatGigabytes, formatPercent } from '../../format/measure';
import { formatDay } from '../../format/time';
import { dataDirections, givenCaps, movedBytes } from '../../guards/data';
import { DATA_CAP_GB, DATA_MONTH_DAY } from '../../guards/rules';
import { useSnapshot } from '../../worker/context';
import { DataChart } from './data-chart';

interface DataDetailProps {
  caps: DataCaps;
  onChange: (caps: DataCaps) => void;
}

/** How much data may move in a month, and how much has. */
export function DataDetail({ caps, onChange }: DataDetailProps) {
  const { t } = useTranslation();
  return (
    <div className="grid min-w-0 gap-4 pb-3">
      <div className="grid gap-2">
        <div className="flex flex-wrap gap-x-5 gap-y-3">
          {dataDirections.map((direction) => (
            <NumberField
              key={direction}
              label={t(`data.cap_${direction}`)}
              value={caps[`${direction}_gb`] ?? 0}
              min={0}
              max={DATA_CAP_GB.max}
              unit="GB"
              onCommit={(gigabytes) => onChange({ ...caps, [`${direction}_gb`]: gigabytes === 0 ? null : gigabytes })}
              testId={`data-${direction}`}
            />
          ))}
          <NumberField
            label={t('data.month_day')}
            value={caps.month_day}
            {...DATA_MONTH_DAY}
            unit={t('data.month_day_unit')}
            onCommit={(day) => onChange({ ...caps, month_day: day })}
            testId="data-month-day"
          />
        </div>
        <p className="text-sm text-pretty text-faint">{t('data.how')}</p>
      </div>
      <ThisMonth caps={caps} />
      <DataChart />
    </div>
  );
}

/** What has moved, beside what may. */
function ThisMonth({ caps }: { caps: DataCaps }) {
  const { t, i18n } = useTranslation();
  const { data } = useSnapshot();
  const { language } = i18n;
  const day = (at: number) => formatDay(at, language);
  return (
    <div className="grid gap-3" data-testid="data-month">
      <p className="text-sm text-muted">
        {t('data.month', {
          since: day(data.begins_at),
          sent: formatGigabytes(data.moved.sent_bytes, language),
          received: formatGigabytes(data.moved.received_bytes, language),
          anew: day(data.ends_at),
        })}
      </p>
      {givenCaps(caps).map(({ direction, bytes }) => {
        const used = movedBytes(data.moved, direction);
        const share = Math.min(1, used / bytes);
        const label = t(`data.of_${direction}`, {
          used: formatGigabytes(used, language),
          cap: formatGigabytes(bytes, language),
        });
        return (
          <div key={direction} className="grid gap-1">
            <p className="figures flex justify-between gap-3 text-sm">
              <span>{label}</span>
              <span className="shrink-0 text-muted">{formatPercent(share, language)}</span>
            </p>
            <div
              role="meter"
              aria-label={label}
              aria-valuenow={Math.round(share * 100)}
              aria-valuemin={0}
              aria-valuemax={100}
              className="h-1.5 overflow-hidden rounded-full bg-sunken"
            >
              <div
                className={clsx('h-full rounded-full', share >= NEARLY ? 'bg-moon' : 'bg-aurora')}
                style={{ width: `${share * 100}%` }}
              />
            </div>
          </div>
        );
      })}
      {data.reached_at !== null && (
        <p className="text-sm text-moon" data-testid="data-forecast">
          {t('data.forecast', { day: day(data.reached_at) })}
        </p>
      )}
    </div>
  );
}

/** From this share on a cap is shown as one that is about to be reached. */
const NEARLY = 0.9;
