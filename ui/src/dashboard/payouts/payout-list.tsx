import { Coins } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { PayoutStanding } from '../../bindings/PayoutStanding';
import { Button } from '../../components/button';
import { usePractice } from '../../components/money';
import { EmptyNote, FaultNote, LoadingRows } from '../../components/notes';
import { usePayouts } from '../../worker/queries';
import { PayoutItem } from './payout-item';

/** The worker answers with this many at most. */
const ROWS_MAX = 200;

/** So many are shown at first: two months of weekly ones, and the cards below stay in reach on a narrow window. */
const ROWS_SHOWN = 8;

/** Every payout that the network has told of. */
export function PayoutList({ standing }: { standing: PayoutStanding | null }) {
  const { t } = useTranslation();
  const practice = usePractice();
  const payouts = usePayouts(ROWS_MAX);
  const [all, setAll] = useState(false);
  const rows = payouts.value;
  const shown = all ? rows : rows?.slice(0, ROWS_SHOWN);
  return (
    <section aria-label={t('payouts.list')} className="card min-w-0 p-3">
      <header className="px-3 pt-3 pb-2">
        <h2 className="text-lg font-semibold">{t('payouts.list')}</h2>
        {practice && <p className="text-sm text-muted">{t('payouts.list_practice')}</p>}
      </header>
      {payouts.fault && <FaultNote fault={payouts.fault} onRetry={payouts.again} />}
      {!rows && !payouts.fault && <LoadingRows rows={4} />}
      {rows?.length === 0 && (
        <EmptyNote
          title={t('payouts.empty')}
          why={t('payouts.empty_why')}
          mark={<Coins className="size-8" strokeWidth={1.5} />}
        />
      )}
      <ul className="grid">
        {shown?.map((row) => (
          <PayoutItem key={row.id} payout={row} cluster={standing?.place?.cluster ?? null} />
        ))}
      </ul>
      {rows && shown && rows.length > shown.length && (
        <Button look="plain" size="small" className="m-3" onClick={() => setAll(true)}>
          {t('payouts.show_all', { count: rows.length })}
        </Button>
      )}
    </section>
  );
}
