import { ShieldCheck } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import type { Payout } from '../../bindings/Payout';
import type { PayoutStage } from '../../bindings/PayoutStage';
import { Button } from '../../components/button';
import { Money } from '../../components/money';
import { FaultNote } from '../../components/notes';
import { useNow } from '../../components/use-now';
import { shortName } from '../../format/chain';
import { formatInstant, formatMoment } from '../../format/time';
import { MoonPort } from '../../sky/moon-port';
import { CheckVerdict } from './check-verdict';
import { Transaction } from './transaction';
import { useCheck } from './use-check';

const looks: Record<PayoutStage, { lit: number; mood: 'clear' | 'asleep' | 'trouble'; tone: string }> = {
  planned: { lit: 0.2, mood: 'asleep', tone: 'text-muted' },
  signed: { lit: 0.5, mood: 'clear', tone: 'text-tide' },
  sent: { lit: 0.75, mood: 'clear', tone: 'text-tide' },
  confirmed: { lit: 1, mood: 'clear', tone: 'text-aurora' },
  failed: { lit: 0.3, mood: 'trouble', tone: 'text-ember' },
  expired: { lit: 0.3, mood: 'asleep', tone: 'text-dusk' },
};

interface PayoutItemProps {
  payout: Payout;
  /** The ledger it is on, if the network has said. */
  cluster: string | null;
}

/** One payout: how far it is, and whether the chain agrees. */
export function PayoutItem({ payout, cluster }: PayoutItemProps) {
  const { t, i18n } = useTranslation();
  const now = useNow(60_000);
  const checking = useCheck(payout.id);
  const { lit, mood, tone } = looks[payout.stage];
  const own = payout.stage === 'confirmed' && payout.signature === null;
  const arrived = payout.stage === 'confirmed';
  return (
    <li data-testid="payout-row" data-stage={payout.stage} className="@container grid gap-3 rounded-xl px-3 py-3">
      <div className="grid grid-cols-[2.5rem_minmax(0,1fr)] items-start gap-x-4 gap-y-2 @md:grid-cols-[2.5rem_minmax(0,1fr)_auto]">
        <MoonPort lit={lit} mood={mood} className="mt-0.5 size-10" />
        <div className="min-w-0">
          <p className="flex flex-wrap items-baseline gap-x-3">
            <Money units={payout.amount} flat={!arrived} className={arrived ? 'text-lg font-medium' : 'text-lg text-muted'} />
            <span className={`text-sm ${tone}`}>{own ? t('payouts.stage.own') : t(`payouts.stage.${payout.stage}`)}</span>
          </p>
          <p className="flex flex-wrap gap-x-4 text-sm text-muted">
            <time dateTime={new Date(payout.at).toISOString()} title={formatInstant(payout.at, i18n.language)}>
              {formatMoment(payout.at, now, i18n.language)}
            </time>
            <span>
              {payout.fee === 0 ? t('payouts.no_fee') : <>{t('payouts.row_fee')} <Money units={payout.fee} named={false} flat /></>}
            </span>
            <span title={payout.wallet}>
              {t('payouts.row_to')} <span className="font-mono text-xs">{shortName(payout.wallet)}</span>
            </span>
          </p>
          <Transaction signature={payout.signature} cluster={cluster} own={own} />
        </div>
        {payout.stage !== 'planned' && (
          <Button
            size="small"
            className="col-start-2 w-fit @md:col-start-auto"
            disabled={checking.busy}
            onClick={checking.run}
            data-testid="payout-verify"
          >
            <ShieldCheck aria-hidden className="size-4" />
            {checking.busy ? t('payouts.verifying') : t('payouts.verify')}
          </Button>
        )}
      </div>
      {checking.fault && <FaultNote fault={checking.fault} onRetry={checking.run} />}
      {checking.check && <CheckVerdict check={checking.check} onClose={checking.clear} />}
    </li>
  );
}
