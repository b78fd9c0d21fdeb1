import { useTranslation } from 'react-i18next';

import type { Snapshot } from '../bindings/Snapshot';
import { ask } from '../backend/ask';
import { Button } from '../components/button';
import { FaultNote } from '../components/notes';
import { useNow } from '../components/use-now';
import { explorerCluster } from '../format/chain';
import { formatMoment } from '../format/time';
import { useBackend } from '../worker/context';
import { useAnswer } from '../worker/use-answer';
import { FlowFrame } from './flow-frame';

/** The wallet that a phone can prove: the one that is set, if it is not proven and its ledger is one that phones reach. */
export function provableByPhone({ wallet, wallet_standing: standing, kept_wallet: kept, payouts }: Snapshot) {
  const cluster = payouts?.place?.cluster;
  if (wallet === null || !standing || !cluster || explorerCluster(cluster) === null) return null;
  const { next } = standing;
  const isProven = (standing.proven && standing.wallet === wallet) || (next?.proven === true && next.wallet === wallet);
  return isProven || kept?.address === wallet ? null : wallet;
}

/** A code by which the wallet on a phone proves itself; `wallet` is the one that is set. */
export function ProveByPhone({ wallet, onLeave }: { wallet: string; onLeave: () => void }) {
  const { t, i18n } = useTranslation();
  const backend = useBackend();
  const now = useNow(1_000);
  const { value: request, fault, again } = useAnswer(wallet, () =>
    ask(backend, { command: 'prove_wallet_by_phone' }, 'wallet_request'),
  );
  const isOver = request !== undefined && now >= request.expires_at;
  return (
    <FlowFrame title={t('phone.title')} text={t('phone.why')}>
      {request !== undefined && !isOver && (
        <div data-testid="wallet-request" className="flex flex-wrap items-start gap-x-6 gap-y-4">
          <img
            src={`data:image/svg+xml,${encodeURIComponent(request.picture)}`}
            alt={t('phone.code')}
            className="size-60 rounded-xl bg-white"
          />
          <div className="grid min-w-0 flex-1 basis-56 gap-3 text-sm">
            <ol className="grid list-decimal gap-1.5 pl-5 marker:text-muted">
              <li>
                {t('phone.open')}
                <span className="block font-mono text-xs break-all text-muted">{request.wallet}</span>
              </li>
              <li>{t('phone.scan')}</li>
              <li>{t('phone.wait')}</li>
            </ol>
            <p role="status" className="text-muted">
              {t('phone.waiting', { when: formatMoment(request.expires_at, now, i18n.language) })}
            </p>
          </div>
        </div>
      )}
      {isOver && (
        <p role="status" className="text-sm text-ember">
          {t('phone.over')}
        </p>
      )}
      {fault && <FaultNote fault={fault} onRetry={again} />}
      <div className="flex flex-wrap gap-2.5">
        {isOver && (
          <Button look="primary" size="small" onClick={again} data-testid="wallet-draw">
            {t('phone.again')}
          </Button>
        )}
        <Button look="plain" size="small" onClick={onLeave}>
          {t('phone.close')}
        </Button>
      </div>
    </FlowFrame>
  );
}
