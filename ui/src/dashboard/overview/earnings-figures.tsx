import clsx from 'clsx';
import { ChevronRight, Coins } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import { Button } from '../../components/button';
import { Money, usePractice } from '../../components/money';
import { formatNumber } from '../../format/measure';
import { useSnapshot } from '../../worker/context';
import { useNextPayout } from '../../worker/use-next-payout';

const parts = [
  { key: 'held', colour: 'var(--kind-4)' },
  { key: 'payable', colour: 'var(--kind-1)' },
  { key: 'paid', colour: 'var(--kind-2)' },
] as const;

/** Today, seven days and all time, and where that money is now. */
export function EarningsFigures({ onSetWallet, onPayouts }: { onSetWallet: () => void; onPayouts: () => void }) {
  const { t, i18n } = useTranslation();
  const { earnings, wallet } = useSnapshot();
  const practice = usePractice();
  const next = useNextPayout();
  const sum = parts.reduce((total, part) => total + earnings[part.key], 0);
  return (
    <section aria-label={t('overview.earnings')} className="card flex min-w-0 flex-col gap-6 p-6">
      <div>
        <h2 className="flex flex-wrap items-baseline justify-between gap-x-4">
          <span className="text-lg font-semibold">{t('overview.today')}</span>
          <span className="font-sans text-sm text-muted">
            {practice ? t('money.practice_usdc') : t('money.usdc')}
          </span>
        </h2>
        <Money
          units={earnings.today}
          named={false}
          testId="earnings-today"
          className="font-display text-[clamp(2.2rem,5vw,3.1rem)] leading-tight font-semibold tracking-tight text-figure"
        />
      </div>
      <dl className="grid grid-cols-[repeat(auto-fit,minmax(8rem,1fr))] gap-4">
        {(
          [
            ['week', earnings.seven_days],
            ['all', earnings.all_time],
          ] as const
        ).map(([key, units]) => (
          <div key={key} className="min-w-0">
            <dt className="text-sm text-muted">{t(`overview.${key}`)}</dt>
            <dd>
              <Money units={units} named={false} testId={`earnings-${key}`} className="text-xl font-medium" />
            </dd>
          </div>
        ))}
      </dl>
      <div className="mt-auto grid gap-3">
        <div aria-hidden className="flex h-2 gap-0.5 overflow-hidden rounded-full bg-sunken">
          {sum > 0 &&
            parts.map(({ key, colour }) => (
              <div
                key={key}
                className="transition-[width] duration-500"
                style={{ width: `${(earnings[key] / sum) * 100}%`, background: colour }}
              />
            ))}
        </div>
        <dl className="grid gap-1 text-sm">
          {parts.map(({ key, colour }) => (
            <div key={key} className="flex flex-wrap items-baseline gap-x-2">
              <dt className="flex items-baseline gap-2">
                <span aria-hidden className="size-2 rounded-full" style={{ background: colour }} />
                {t(`overview.${key}`)} <span className="text-faint">{t(`overview.${key}_why`)}</span>
              </dt>
              <dd className="ml-auto">
                <Money units={earnings[key]} named={false} />
              </dd>
            </div>
          ))}
        </dl>
        <p className="text-sm text-faint">
          {t('overview.receipts', { count: earnings.receipts })}
          {earnings.energy_watt_hours !== null &&
            ` · ${t('overview.energy', { energy: formatNumber(earnings.energy_watt_hours / 1000, i18n.language) })}`}
        </p>
        {practice && <p className="text-sm text-faint">{t('money.practice_note')}</p>}
        <button
          type="button"
          onClick={onPayouts}
          data-testid="next-payout"
          className={clsx(
            '-mx-3 flex items-center gap-3 rounded-xl px-3 py-2.5 text-left text-sm font-medium hover:bg-raised',
            next?.name === 'stopped' && 'text-ember',
          )}
        >
          <Coins aria-hidden className={clsx('size-4 shrink-0', next?.name !== 'stopped' && 'text-moon')} strokeWidth={1.75} />
          <span className="min-w-0 flex-1">{next?.line ?? t('overview.payouts')}</span>
          <ChevronRight aria-hidden className="size-4 shrink-0 text-faint" />
        </button>
        {wallet === null && (
          <Button size="small" onClick={onSetWallet} className="w-fit">
            {t('settings.wallet_set')}
          </Button>
        )}
      </div>
    </section>
  );
}
