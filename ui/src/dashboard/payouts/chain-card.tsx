import { ShieldCheck } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import type { ChainPlace } from '../../bindings/ChainPlace';
import type { PayoutStanding } from '../../bindings/PayoutStanding';
import { Button } from '../../components/button';
import { Copyable } from '../../components/copyable';
import { Money } from '../../components/money';
import { FaultNote } from '../../components/notes';
import { useNow } from '../../components/use-now';
import { shortName } from '../../format/chain';
import { formatMoment } from '../../format/time';
import { useSnapshot } from '../../worker/context';
import { presentWallet } from '../../worker/payouts';
import { CheckVerdict } from './check-verdict';
import { EndpointChoice } from './endpoint-choice';
import { Transaction } from './transaction';
import { useCheck } from './use-check';

interface ChainCardProps {
  standing: PayoutStanding;
  place: ChainPlace;
}

/** What the newest epoch lists on the chain, the check of it, and whom the check asks. */
export function ChainCard({ standing, place }: ChainCardProps) {
  const { t, i18n } = useTranslation();
  const now = useNow(60_000);
  const wallet = presentWallet(useSnapshot());
  const checking = useCheck(null);
  const { anchored, wallets } = standing;
  const mine = wallets.find((row) => row.wallet === wallet);
  const others = wallets.filter((row) => row.wallet !== wallet && row.lifetime > row.paid);
  const known = ['mainnet', 'devnet', 'testnet', 'practice'] as const;
  const cluster = known.find((name) => name === place.cluster);
  return (
    <section aria-label={t('payouts.chain.title')} data-testid="chain-card" className="card grid min-w-0 content-start gap-5 p-6">
      <header>
        <h2 className="text-lg font-semibold">{t('payouts.chain.title')}</h2>
        <p className="text-sm text-muted">{t('payouts.chain.text')}</p>
      </header>
      {anchored === null ? (
        <p className="text-sm text-muted">{t('payouts.chain.none')}</p>
      ) : (
        <dl className="grid gap-3 text-sm">
          <div>
            <dt className="text-muted">{t('payouts.chain.epoch', { epoch: anchored.epoch })}</dt>
            <dd>
              {t('payouts.chain.anchored', { when: formatMoment(anchored.at, now, i18n.language) })}
              <Transaction signature={anchored.signature} cluster={place.cluster} />
            </dd>
          </div>
          {mine && (
            <div>
              <dt className="text-muted">{t('payouts.chain.listed')}</dt>
              <dd>
                <Money units={mine.lifetime} flat className="text-base font-medium" />
                <span className="block text-muted">
                  {t('payouts.chain.paid')} <Money units={mine.paid} named={false} flat />
                </span>
              </dd>
            </div>
          )}
          {others.map((row) => (
            <div key={row.wallet}>
              <dt className="text-muted">
                {t('payouts.chain.other')} <span className="font-mono text-xs">{shortName(row.wallet)}</span>
              </dt>
              <dd>
                <Money units={row.lifetime - row.paid} flat className="text-base" />
                <span className="block text-muted">{t('payouts.chain.other_why')}</span>
              </dd>
            </div>
          ))}
        </dl>
      )}
      {anchored !== null && (
        <Button className="w-fit" disabled={checking.busy} onClick={checking.run} data-testid="epoch-verify">
          <ShieldCheck aria-hidden className="size-4" />
          {checking.busy ? t('payouts.verifying') : t('payouts.chain.verify')}
        </Button>
      )}
      {checking.fault && <FaultNote fault={checking.fault} onRetry={checking.run} />}
      {checking.check && <CheckVerdict check={checking.check} onClose={checking.clear} />}
      <EndpointChoice place={place} />
      <details className="border-t border-line pt-5 text-sm">
        <summary className="cursor-pointer text-muted hover:text-ink">{t('payouts.chain.addresses')}</summary>
        <dl className="grid gap-2 pt-3">
          <div>
            <dt className="text-muted">{t('payouts.chain.ledger')}</dt>
            <dd>{cluster ? t(`payouts.cluster.${cluster}`) : place.cluster}</dd>
          </div>
          {(['program', 'account', 'mint'] as const).map((name) => (
            <div key={name}>
              <dt className="text-muted">{t(`payouts.chain.${name}`)}</dt>
              <dd>
                <Copyable text={place[name]} name={t(`payouts.chain.${name}`)} />
              </dd>
            </div>
          ))}
        </dl>
      </details>
    </section>
  );
}
