import { TriangleAlert } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import { useSnapshot } from '../../worker/context';
import { PageHeading } from '../page-heading';
import { ChainCard } from './chain-card';
import { HowPaid } from './how-paid';
import { MoneyWayFigures } from './money-way';
import { PayoutList } from './payout-list';
import { Statements } from './statements';

/** How earnings become tokens in the contributor's wallet, and how to check each step. */
export function PayoutsPage({ onSettings }: { onSettings: () => void }) {
  const { t } = useTranslation();
  const { payouts: standing } = useSnapshot();
  return (
    <div className="grid gap-5">
      <PageHeading title={t('payouts.title')} text={t('payouts.text')} />
      {standing?.next === 'stopped' && <Stopped />}
      <MoneyWayFigures onSettings={onSettings} />
      <div className="grid gap-5 xl:grid-cols-[minmax(0,8fr)_minmax(21rem,5fr)] xl:items-start">
        <div className="grid min-w-0 gap-5">
          <PayoutList standing={standing} />
          <Statements />
        </div>
        <div className="grid min-w-0 gap-5 md:grid-cols-2 xl:grid-cols-1">
          {standing?.place && <HowPaid standing={standing} />}
          {standing?.place && <ChainCard standing={standing} place={standing.place} />}
        </div>
      </div>
    </div>
  );
}

/** The network's alarm: somebody must look before anything more is paid. */
function Stopped() {
  const { t } = useTranslation();
  return (
    <div
      role="alert"
      data-testid="payouts-stopped"
      className="flex items-start gap-4 rounded-2xl border border-ember/40 bg-ember-ground p-5"
    >
      <TriangleAlert aria-hidden className="mt-0.5 size-6 shrink-0 text-ember" strokeWidth={1.75} />
      <div className="min-w-0">
        <p className="font-display text-lg font-semibold text-ember">{t('payouts.stopped_title')}</p>
        <p>{t('payouts.stopped_why')}</p>
      </div>
    </div>
  );
}
