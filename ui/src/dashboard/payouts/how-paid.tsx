import { HandCoins, Send } from 'lucide-react';
import { useState, type SyntheticEvent } from 'react';
import { useTranslation } from 'react-i18next';

import type { PayoutStanding } from '../../bindings/PayoutStanding';
import { ask } from '../../backend/ask';
import { Button } from '../../components/button';
import { ChoiceCards } from '../../components/choice-cards';
import { usePractice } from '../../components/money';
import { FaultNote } from '../../components/notes';
import { TextField } from '../../components/text-field';
import { formatShare } from '../../format/measure';
import { formatMoney, parseMillionths, writeMillionths } from '../../format/money';
import { useBackend, useSnapshot } from '../../worker/context';
import { claimable, presentWallet } from '../../worker/payouts';
import { useDeed } from '../../worker/use-answer';
import { ClaimRow } from './claim-row';

interface Draft {
  way: 'sent' | 'claimed';
  amount: string;
}

/** Whether the network sends payouts by itself, and from how much on. */
export function HowPaid({ standing }: { standing: PayoutStanding }) {
  const { t, i18n } = useTranslation();
  const backend = useBackend();
  const snapshot = useSnapshot();
  const practice = usePractice();
  const deed = useDeed();
  // `null` while nobody changes it: then what the network says is shown.
  const [draft, setDraft] = useState<Draft | null>(null);
  const [told, setTold] = useState(false);
  const { threshold, threshold_min: least, fee_later: fee } = standing;
  const { way, amount } = draft ?? {
    way: threshold === null ? 'claimed' : 'sent',
    amount: writeMillionths(threshold ?? least),
  };
  const parsed = parseMillionths(amount);
  const wanted = way === 'claimed' ? null : parsed;
  const tooLittle = way === 'sent' && parsed !== null && parsed < least;
  const wrong = way === 'sent' && (parsed === null || tooLittle);
  const changed = draft !== null && (wrong || wanted !== threshold);
  const change = (next: Partial<Draft>) => {
    setDraft({ way, amount, ...next });
    setTold(false);
    deed.clear();
  };
  const save = (event: SyntheticEvent) => {
    event.preventDefault();
    if (wrong || !changed) return;
    const tell = () => ask(backend, { command: 'set_payout_threshold', least: wanted }, 'done');
    void deed.run(tell).then(setTold);
  };
  const currency = practice ? t('money.practice_usdc') : t('money.usdc');
  const inCurrency = (units: number) => `${formatMoney(units, i18n.language)} ${currency}`;
  const wallet = presentWallet(snapshot);
  const open = wallet === null ? 0 : claimable(standing, wallet);
  return (
    <section aria-label={t('payouts.how.title')} data-testid="how-paid" className="card grid min-w-0 content-start gap-5 p-6">
      <h2 className="text-lg font-semibold">{t('payouts.how.title')}</h2>
      <form onSubmit={save} className="grid gap-4">
        <ChoiceCards
          label={t('payouts.how.title')}
          value={way}
          stacked
          options={[
            {
              value: 'sent',
              title: t('payouts.how.sent'),
              why: t('payouts.how.sent_why'),
              mark: <Send aria-hidden className="mb-1 size-5 text-moon" strokeWidth={1.75} />,
            },
            {
              value: 'claimed',
              title: t('payouts.how.claimed'),
              why: t('payouts.how.claimed_why'),
              mark: <HandCoins aria-hidden className="mb-1 size-5 text-moon" strokeWidth={1.75} />,
            },
          ]}
          onChange={(next) => change({ way: next })}
        />
        {way === 'sent' && (
          <div className="grid gap-1.5">
            <TextField
              label={t('payouts.how.from')}
              value={amount}
              onChange={(text) => change({ amount: text })}
              unit={currency}
              inputMode="decimal"
              wrong={
                parsed === null
                  ? t('payouts.how.no_amount')
                  : tooLittle
                    ? t('payouts.how.too_little', { least: inCurrency(least) })
                    : null
              }
            />
            {!wrong && (
              <p data-testid="threshold-share" className="text-sm text-muted">
                {t('payouts.how.share', {
                  fee: inCurrency(fee),
                  share: formatShare(fee / (parsed ?? least), i18n.language),
                })}
              </p>
            )}
          </div>
        )}
        {changed && (
          <div className="flex flex-wrap gap-2.5">
            <Button type="submit" look="primary" size="small" disabled={wrong || deed.busy || told} data-testid="threshold-save">
              {told ? t('payouts.how.told') : t('common.save')}
            </Button>
            <Button look="plain" size="small" onClick={() => setDraft(null)}>
              {t('common.cancel')}
            </Button>
          </div>
        )}
        {deed.fault && <FaultNote fault={deed.fault} />}
      </form>
      <ClaimRow open={open} epoch={standing.anchored?.epoch ?? null} cluster={standing.place?.cluster ?? null} />
    </section>
  );
}
