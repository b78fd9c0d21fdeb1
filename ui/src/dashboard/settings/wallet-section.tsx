import { useState, type SyntheticEvent } from 'react';
import { useTranslation } from 'react-i18next';

import { ask } from '../../backend/ask';
import { Button } from '../../components/button';
import { useBackend, useSnapshot } from '../../worker/context';
import { WalletField } from '../../wallet/wallet-field';
import { useDeed } from '../../worker/use-answer';
import { Section } from './section';

/** Where earnings are paid. */
export function WalletSection() {
  const { t } = useTranslation();
  const backend = useBackend();
  const { wallet } = useSnapshot();
  const [typed, setTyped] = useState<string | null>(null);
  const deed = useDeed();
  const set = async (address: string | null) => {
    if (await deed.run(() => ask(backend, { command: 'set_wallet', address }, 'done'))) setTyped(null);
  };
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (typed?.trim()) void set(typed.trim());
  };
  return (
    <Section title={t('settings.wallet')}>
      {typed === null ? (
        <div className="grid gap-4">
          {wallet === null ? (
            <p className="text-muted">{t('settings.wallet_none')}</p>
          ) : (
            <div>
              <p className="font-mono text-sm break-all">{wallet}</p>
              <p className="text-sm text-muted">{t('settings.wallet_unproven')}</p>
            </div>
          )}
          <div className="flex flex-wrap gap-2.5">
            <Button size="small" onClick={() => setTyped('')}>
              {wallet === null ? t('settings.wallet_set') : t('settings.wallet_change')}
            </Button>
            {wallet !== null && (
              <Button look="plain" size="small" disabled={deed.busy} onClick={() => void set(null)}>
                {t('settings.wallet_clear')}
              </Button>
            )}
          </div>
        </div>
      ) : (
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
      )}
    </Section>
  );
}
