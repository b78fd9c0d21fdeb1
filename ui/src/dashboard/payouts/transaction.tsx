import { ExternalLink } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import { Button } from '../../components/button';
import { Copyable } from '../../components/copyable';
import { FaultNote } from '../../components/notes';
import { explorerCluster } from '../../format/chain';
import { useBackend } from '../../worker/context';
import { useDeed } from '../../worker/use-answer';

interface TransactionProps {
  signature: string | null;
  /** The ledger it is on, if that is known. */
  cluster: string | null;
  /** Whether the contributor sent it. */
  own?: boolean;
}

/** The signature by which a transaction is found, and its page in an explorer where one knows the ledger. */
export function Transaction({ signature, cluster, own = false }: TransactionProps) {
  const { t } = useTranslation();
  const backend = useBackend();
  const deed = useDeed();
  if (signature === null) return own ? <p className="text-sm text-faint">{t('payouts.own_signature')}</p> : null;
  const explored = cluster === null ? null : explorerCluster(cluster);
  return (
    <div className="grid gap-2 pt-0.5">
      <p className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm">
        <Copyable text={signature} name={t('payouts.signature')} testId="payout-signature" />
        {explored !== null && (
          <Button
            look="plain"
            size="small"
            className="-my-1"
            onClick={() => void deed.run(() => backend.openExplorer(explored, signature))}
            data-testid="payout-explorer"
          >
            <ExternalLink aria-hidden className="size-3.5" />
            {t('payouts.explorer')}
          </Button>
        )}
        {explored === null && cluster !== null && (
          <span className="text-xs text-faint">
            {cluster === 'practice' ? t('payouts.on_practice') : t('payouts.on_elsewhere', { cluster })}
          </span>
        )}
      </p>
      {deed.fault && <FaultNote fault={deed.fault} />}
    </div>
  );
}
