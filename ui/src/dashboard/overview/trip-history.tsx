import { History } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { TripRow } from '../../bindings/TripRow';
import { Button } from '../../components/button';
import { Money, usePractice } from '../../components/money';
import { EmptyNote, FaultNote, LoadingRows } from '../../components/notes';
import { formatDuration, formatInstant, formatMoment } from '../../format/time';
import { isHolding, sumOf } from '../../guards/trips';
import { tripSubject, useSaying, type Saying } from '../../guards/words';
import { useSnapshot } from '../../worker/context';
import { useTrips } from '../../worker/queries';

/** The worker answers with this many at most. */
const ROWS_MAX = 200;

/** So many are shown at first: about a week of them. */
const ROWS_SHOWN = 8;

/** When guards held devices free, newest first, and what that cost. */
export function TripHistory() {
  const { t } = useTranslation();
  const saying = useSaying();
  const trips = useTrips(ROWS_MAX);
  const [all, setAll] = useState(false);
  const rows = trips.value;
  const shown = all ? rows : rows?.slice(0, ROWS_SHOWN);
  return (
    <>
      {trips.fault && <FaultNote fault={trips.fault} onRetry={trips.again} />}
      {!rows && !trips.fault && <LoadingRows />}
      {rows?.length === 0 && (
        <EmptyNote
          title={t('trips.empty')}
          why={t('trips.empty_why')}
          mark={<History className="size-8" strokeWidth={1.5} />}
        />
      )}
      {shown && shown.length > 0 && (
        <>
          <ul className="grid">
            {shown.map((row, n) => (
              <TripItem key={`${row.since} ${n}`} row={row} saying={saying} />
            ))}
          </ul>
          <Sum rows={shown} />
          <p className="px-3 pt-1 pb-2 text-sm text-pretty text-faint">{t('trips.how')}</p>
        </>
      )}
      {rows && shown && rows.length > shown.length && (
        <Button look="plain" size="small" className="m-2" onClick={() => setAll(true)}>
          {t('trips.more', { count: rows.length })}
        </Button>
      )}
    </>
  );
}

const line = 'grid items-start gap-x-5 gap-y-1 px-3 py-2.5 sm:grid-cols-[minmax(0,1fr)_8rem_8rem]';

function TripItem({ row, saying }: { row: TripRow; saying: Saying }) {
  const { t, language, now } = saying;
  const { guards } = useSnapshot();
  const duration = (end: number) => formatDuration(end - row.since, language);
  const took =
    row.until !== null
      ? duration(row.until)
      : isHolding(row, guards)
        ? t('trips.so_far', { time: duration(now) })
        : t('trips.open');
  return (
    <li data-testid="trip-row" className={`${line} rounded-xl hover:bg-raised/60`}>
      <div className="min-w-0">
        <p className="font-medium">{tripSubject(row.trip, saying)}</p>
        <p className="figures text-sm text-muted">
          <time dateTime={new Date(row.since).toISOString()} title={formatInstant(row.since, language)}>
            {formatMoment(row.since, now, language)}
          </time>
          {` · ${took} · `}
          {t('trips.interrupted', { count: row.interrupted })}
        </p>
      </div>
      <Costs lost={row.lost} missed={row.missed} />
    </li>
  );
}

/** What the rows that are shown cost together. */
function Sum({ rows }: { rows: readonly TripRow[] }) {
  const { t } = useTranslation();
  const practice = usePractice();
  const { interrupted, lost, missed } = sumOf(rows);
  return (
    <div data-testid="trips-sum" className={`${line} border-t border-line font-medium`}>
      <div className="min-w-0">
        <p>
          {t('trips.sum', { count: rows.length })}{' '}
          <span className="text-sm font-normal text-faint">{practice ? t('money.practice_usdc') : t('money.usdc')}</span>
        </p>
        <p className="text-sm font-normal text-muted">{t('trips.interrupted', { count: interrupted })}</p>
      </div>
      <Costs lost={lost} missed={missed} />
    </div>
  );
}

/** Of work that was begun, which is known; and of the time, which is estimated. */
function Costs({ lost, missed }: { lost: number; missed: number | null }) {
  const { t } = useTranslation();
  const term = 'text-xs font-normal text-faint';
  return (
    <dl className="contents text-sm">
      <div className="flex flex-wrap items-baseline justify-between gap-x-3 sm:block sm:text-right">
        <dt className={term}>{t('trips.lost')}</dt>
        <dd>
          <Money units={lost} named={false} />
        </dd>
      </div>
      <div className="flex flex-wrap items-baseline justify-between gap-x-3 sm:block sm:text-right">
        <dt className={term}>{t('trips.missed')}</dt>
        <dd>
          {missed === null ? (
            <span className="text-faint">{t('common.unknown')}</span>
          ) : (
            <Money units={missed} named={false} />
          )}
        </dd>
      </div>
    </dl>
  );
}
