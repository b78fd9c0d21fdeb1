import { BadgeCheck, Smartphone } from 'lucide-react';
import { useState, type SyntheticEvent } from 'react';
import { useTranslation } from 'react-i18next';

import { ask } from '../../backend/ask';
import { Button } from '../../components/button';
import { FaultNote } from '../../components/notes';
import { formatInstant } from '../../format/time';
import { useBackend, useSnapshot } from '../../worker/context';
import { KeptWallet } from '../../wallet/kept-wallet';
import { ProveByPhone, provableByPhone } from '../../wallet/prove-by-phone';
import { WalletField } from '../../wallet/wallet-field';
import { useDeed } from '../../worker/use-answer';
import { Section } from './section';

/** Where earnings are paid. */
export function WalletSection() {
  const { t } = useTranslation();
  const backend = useBackend();
  const snapshot = useSnapshot();
  const { wallet: wanted, wallet_standing: standing } = snapshot;
  const wallet = standing ? standing.wallet : wanted;
  const next = standing?.next ?? null;
  const [typed, setTyped] = useState<string | null>(null);
  const [page, setPage] = useState<string | null>(null);
  const [byPhone, setByPhone] = useState(false);
  const provable = provableByPhone(snapshot);
  const deed = useDeed();
  const proving = useDeed();
  const set = async (address: string | null) => {
    if (await deed.run(() => ask(backend, { command: 'set_wallet', address }, 'done'))) setTyped(null);
  };
  const prove = () =>
    proving.run(async () => {
      const { url } = await ask(backend, { command: 'prove_wallet' }, 'wallet_page');
      setPage(url);
      await backend.openWalletPage(url);
    });
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (typed?.trim()) void set(typed.trim());
  };
  if (typed !== null)
    return (
      <Section title={t('settings.wallet')}>
        <form onSubmit={submit} className="grid gap-3">
          <WalletField
            value={typed}
            fault={deed.fault}
            onChange={(text) => {
              setTyped(text);
              deed.clear();
            }}
          />
          <div className="flex flex-wrap gap-2.5">
            <Button type="submit" look="primary" size="small" disabled={deed.busy || typed.trim() === ''}>
              {t('common.save')}
            </Button>
            <Button
              look="plain"
              size="small"
              onClick={() => {
                setTyped(null);
                deed.clear();
              }}
            >
              {t('common.cancel')}
            </Button>
          </div>
        </form>
      </Section>
    );
  const isProven = standing?.proven === true;
  // Once it is proven there is nothing to scan any more.
  if (byPhone && provable !== null)
    return (
      <Section title={t('settings.wallet')}>
        <ProveByPhone wallet={provable} onLeave={() => setByPhone(false)} />
      </Section>
    );
  return (
    <Section title={t('settings.wallet')}>
      <div className="grid gap-4">
        {wallet === null ? (
          <p className="text-muted">{t('settings.wallet_none')}</p>
        ) : (
          <div>
            <p className="font-mono text-sm break-all">{wallet}</p>
            <p data-testid="wallet-proof" className="flex items-center gap-1.5 text-sm text-muted">
              {isProven && <BadgeCheck aria-hidden className="size-4 text-aurora" />}
              {isProven ? t('settings.wallet_proven') : t('settings.wallet_unproven')}
            </p>
          </div>
        )}
        {next && <Change wallet={next.wallet} from={next.from} busy={deed.busy} onKeep={() => void set(wallet)} />}
        <div className="flex flex-wrap gap-2.5">
          <Button
            look={isProven ? 'quiet' : 'primary'}
            size="small"
            disabled={proving.busy}
            onClick={() => void prove()}
          >
            {isProven ? t('settings.wallet_prove_another') : t('settings.wallet_prove')}
          </Button>
          {provable !== null && (
            <Button size="small" onClick={() => setByPhone(true)} data-testid="wallet-by-phone">
              <Smartphone aria-hidden className="size-4" strokeWidth={1.75} />
              {t('phone.start')}
            </Button>
          )}
          <Button size="small" onClick={() => setTyped('')}>
            {wallet === null ? t('settings.wallet_paste') : t('settings.wallet_change')}
          </Button>
          {wallet !== null && (
            <Button look="plain" size="small" disabled={deed.busy} onClick={() => void set(null)}>
              {t('settings.wallet_clear')}
            </Button>
          )}
        </div>
        {page !== null && !isProven && (
          <div className="grid gap-1 text-sm text-muted">
            <p>{t('settings.wallet_page')}</p>
            <p className="font-mono text-xs break-all select-all">{page}</p>
          </div>
        )}
        {proving.fault && <FaultNote fault={proving.fault} />}
        {deed.fault && <FaultNote fault={deed.fault} />}
        <div className="border-t border-line pt-5">
          <KeptWallet />
        </div>
      </div>
    </Section>
  );
}

interface ChangeProps {
  wallet: string | null;
  from: number;
  busy: boolean;
  onKeep: () => void;
}

/** A change that waits, and the way to take it back. */
function Change({ wallet, from, busy, onKeep }: ChangeProps) {
  const { t, i18n } = useTranslation();
  const when = formatInstant(from, i18n.language);
  return (
    <div data-testid="wallet-change" className="grid gap-2 rounded-xl bg-sunken p-4 text-sm">
      <p className="break-words">
        {wallet === null ? t('settings.wallet_next_none', { when }) : t('settings.wallet_next', { when, wallet })}
      </p>
      <p className="text-muted">{t('settings.wallet_next_why')}</p>
      <Button size="small" className="w-fit" disabled={busy} onClick={onKeep}>
        {t('settings.wallet_keep')}
      </Button>
    </div>
  );
}
