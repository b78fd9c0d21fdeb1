import { HandCoins } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { askToClaim, type Claim } from '../../backend/ask';
import { Button } from '../../components/button';
import { Money } from '../../components/money';
import { FaultNote, GoodNote } from '../../components/notes';
import { useBackend, useSnapshot } from '../../worker/context';
import { presentWallet } from '../../worker/payouts';
import { useDeed } from '../../worker/use-answer';
import { Transaction } from './transaction';

interface ClaimRowProps {
  /** What the newest epoch lists for the wallet and nobody has claimed. */
  open: number;
  epoch: number | null;
  cluster: string | null;
}

/** Claims what is listed: signed here where the wallet is kept here, else in the wallet that the contributor has. */
export function ClaimRow({ open, epoch, cluster }: ClaimRowProps) {
  const { t } = useTranslation();
  const backend = useBackend();
  const snapshot = useSnapshot();
  const deed = useDeed();
  const [claim, setClaim] = useState<Claim | null>(null);
  const kept = snapshot.kept_wallet;
  const signsHere = kept?.confirmed === true && kept.address === presentWallet(snapshot);
  const run = () =>
    void deed.run(async () => {
      setClaim(null);
      const made = await askToClaim(backend);
      setClaim(made);
      if ('url' in made) await backend.openWalletPage(made.url);
    });
  return (
    <div className="grid gap-3 border-t border-line pt-5">
      {open === 0 ? (
        <p data-testid="claim-nothing" className="text-sm text-muted">
          {t('payouts.claim.nothing')}
        </p>
      ) : (
        <>
          <div>
            <p className="text-sm text-muted">{t('payouts.claim.listed', { epoch: epoch ?? 0 })}</p>
            <Money units={open} testId="claim-open" className="text-xl font-medium" />
          </div>
          <Button className="w-fit" disabled={deed.busy} onClick={run} data-testid="claim">
            <HandCoins aria-hidden className="size-4" />
            {t('payouts.claim.button')}
          </Button>
          <p className="text-sm text-muted">
            {signsHere ? t('payouts.claim.signed_here') : t('payouts.claim.signed_there')}{' '}
            {cluster === 'practice' ? t('payouts.claim.practice') : t('payouts.claim.needs_sol')}
          </p>
        </>
      )}
      {deed.fault && <FaultNote fault={deed.fault} />}
      {claim && 'signature' in claim && (
        <GoodNote>
          <div data-testid="claimed">
            <p>{t('payouts.claim.sent')}</p>
            <Transaction signature={claim.signature} cluster={cluster} />
          </div>
        </GoodNote>
      )}
      {claim && 'url' in claim && (
        <div className="grid gap-1 text-sm text-muted">
          <p>{t('payouts.claim.page')}</p>
          <p className="font-mono text-xs break-all select-all">{claim.url}</p>
        </div>
      )}
    </div>
  );
}
