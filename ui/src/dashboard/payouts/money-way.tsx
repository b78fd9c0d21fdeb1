import clsx from 'clsx';
import { CircleSlash, Clock, HandCoins, Hourglass, Send, Signature, Wallet, type LucideIcon } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import { Button } from '../../components/button';
import { Money, usePractice } from '../../components/money';
import { useNow } from '../../components/use-now';
import { formatMoment, formatUntil } from '../../format/time';
import { Moon } from '../../sky/moon';
import { Sky } from '../../sky/sky';
import { useSnapshot } from '../../worker/context';
import { moneyWay, type NextName } from '../../worker/payouts';
import { useNextPayout } from '../../worker/use-next-payout';

/** The moon waxes along the way, and is full where the money has arrived. */
const stations = [
  { key: 'held', lit: 0.14 },
  { key: 'payable', lit: 0.45 },
  { key: 'underWay', lit: 0.75 },
  { key: 'paid', lit: 1 },
] as const;

/** What comes next, and where the money is on its way to the wallet. */
export function MoneyWayFigures({ onSettings }: { onSettings: () => void }) {
  const { t } = useTranslation();
  const snapshot = useSnapshot();
  const practice = usePractice();
  const { payouts: standing, network } = snapshot;
  const way = moneyWay(snapshot);
  return (
    <Sky className="@container rounded-3xl border border-line [--star-reach:75%]">
      <div className="grid gap-9 p-6 pb-24 sm:p-8 sm:pb-30">
        <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-2 text-sm text-on-sky-muted">
          <h2 className="font-sans">{t('payouts.next_label')}</h2>
          <div className="flex flex-wrap gap-2">
            {network && !network.connected && (
              <p data-testid="payouts-stale" className="rounded-full border border-on-sky/25 px-3 py-0.5">
                {standing ? t('payouts.stale') : t('payouts.not_connected')}
              </p>
            )}
            <p className="rounded-full border border-on-sky/25 px-3 py-0.5">
              {practice ? t('payouts.unit_practice') : t('money.usdc')}
            </p>
          </div>
        </div>
        <Next onSettings={onSettings} />
        <ol className="grid gap-6 @2xl:grid-cols-4 @2xl:gap-4" aria-label={t('payouts.way.label')}>
          {stations.map(({ key, lit }, n) => {
            const units = way[key];
            return (
              <li
                key={key}
                className="relative grid grid-cols-[3.25rem_minmax(0,1fr)] items-center gap-x-4 gap-y-3 @2xl:grid-cols-1 @2xl:content-start"
              >
                {n + 1 < stations.length && (
                  <span
                    aria-hidden
                    className="absolute top-[3.75rem] -bottom-5 left-[1.625rem] border-l border-dashed border-on-sky/35 @2xl:top-[1.625rem] @2xl:right-0 @2xl:bottom-auto @2xl:left-[4.25rem] @2xl:border-t @2xl:border-l-0"
                  />
                )}
                <Moon
                  lit={lit}
                  mood={units ? 'clear' : 'asleep'}
                  className={clsx('size-13', key === 'underWay' && Boolean(units) && 'animate-drift')}
                />
                <div className="min-w-0">
                  <p className="font-medium">{t(`payouts.way.${key}`)}</p>
                  {units === null ? (
                    <p className="text-lg text-on-sky-muted">{t('common.unknown')}</p>
                  ) : (
                    <Money
                      units={units}
                      named={false}
                      testId={`payouts-${key}`}
                      className="font-display text-[1.65rem] leading-tight font-semibold tracking-tight"
                    />
                  )}
                  <p className="text-sm text-on-sky-muted">{t(`payouts.way.${key}_why`)}</p>
                </div>
              </li>
            );
          })}
        </ol>
      </div>
    </Sky>
  );
}

const marks: Record<NextName, LucideIcon> = {
  at_epoch: Clock,
  below_threshold: Hourglass,
  under_way: Send,
  by_contributor: HandCoins,
  nothing: Hourglass,
  no_wallet: Wallet,
  wallet_unproven: Signature,
  no_chain: CircleSlash,
  stopped: CircleSlash,
};

/** When the next payout comes and what it costs, or why none comes and what would change that. */
function Next({ onSettings }: { onSettings: () => void }) {
  const { t, i18n } = useTranslation();
  const { payouts: standing, network } = useSnapshot();
  const words = useNextPayout();
  const now = useNow(15_000);
  if (!standing || !words)
    return (
      <div data-testid="payouts-next" className="grid gap-2">
        <p className="font-display text-3xl leading-tight font-semibold tracking-tight">{t('payouts.untold_title')}</p>
        <p className="max-w-[56ch] text-pretty text-on-sky-muted">
          {network?.connected ? t('payouts.untold_why') : t('payouts.untold_offline')}
        </p>
      </div>
    );
  const { name } = words;
  const needsWallet = name === 'no_wallet' || name === 'wallet_unproven';
  const Mark = marks[name];
  const sends = standing.place !== null && standing.threshold !== null;
  return (
    <div className="flex flex-wrap items-end justify-between gap-x-10 gap-y-6">
      <div data-testid="payouts-next" data-next={name} className="grid min-w-0 flex-1 basis-80 gap-2">
        <p className="flex items-start gap-3 font-display text-[clamp(1.7rem,4.2vw,2.6rem)] leading-[1.1] font-semibold tracking-tight text-balance">
          <Mark aria-hidden className={clsx('mt-[0.1em] size-[0.9em] shrink-0', name === 'stopped' && 'text-ember')} strokeWidth={1.75} />
          <span className="min-w-0">{words.title}</span>
        </p>
        <p className="max-w-[58ch] text-pretty text-on-sky-muted">{words.why}</p>
        {needsWallet && (
          <Button look="primary" onClick={onSettings} className="mt-2 w-fit" data-testid="payouts-to-wallet">
            {name === 'no_wallet' ? t('payouts.choose_wallet') : t('payouts.prove_wallet')}
          </Button>
        )}
      </div>
      {standing.place && (
        <dl className="grid gap-x-8 gap-y-3 text-sm @md:grid-flow-col">
          {sends && (
            <div data-testid="payouts-fee">
              <dt className="text-on-sky-muted">{t('payouts.fee')}</dt>
              <dd>
                <Money units={standing.fee_next} flat className="text-base font-medium" />
                {standing.fee_later !== standing.fee_next && (
                  <span className="block text-on-sky-muted">
                    {t('payouts.fee_later')} <Money units={standing.fee_later} named={false} flat />
                  </span>
                )}
              </dd>
            </div>
          )}
          <div>
            <dt className="text-on-sky-muted">{t('payouts.epoch_ends')}</dt>
            <dd>
              <time dateTime={new Date(standing.epoch_ends_at).toISOString()} className="text-base font-medium">
                {standing.epoch_ends_at > now
                  ? formatUntil(standing.epoch_ends_at, now, i18n.language)
                  : t('payouts.any_moment')}
              </time>
              <span className="block text-on-sky-muted">{formatMoment(standing.epoch_ends_at, now, i18n.language)}</span>
            </dd>
          </div>
        </dl>
      )}
    </div>
  );
}
