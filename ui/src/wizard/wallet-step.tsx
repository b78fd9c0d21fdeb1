import { KeyRound } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { ask } from '../backend/ask';
import { Button } from '../components/button';
import { useBackend, useSnapshot } from '../worker/context';
import { MakeWallet } from '../wallet/make-wallet';
import { RestoreWallet } from '../wallet/restore-wallet';
import { WalletField } from '../wallet/wallet-field';
import { useDeed } from '../worker/use-answer';
import { StepFrame, type StepProps } from './step-frame';

/** Where earnings are paid: an address that is given, or a wallet that is made or taken over here. */
export function WalletStep({ onNext, onBack }: StepProps) {
  const { t } = useTranslation();
  const backend = useBackend();
  const { wallet, kept_wallet: kept } = useSnapshot();
  const [address, setAddress] = useState(wallet ?? '');
  const [flow, setFlow] = useState<'make' | 'restore' | null>(null);
  const deed = useDeed();
  const save = async () => {
    const given = address.trim();
    const set = () => ask(backend, { command: 'set_wallet', address: given }, 'done');
    if (given === wallet || (await deed.run(set))) onNext();
  };
  const frame = { step: 'wallet', title: t('wizard.wallet.title'), text: t('wizard.wallet.text') } as const;
  if (flow)
    return (
      <StepFrame {...frame} onBack={() => setFlow(null)}>
        <div className="card p-6">
          {flow === 'make' ? (
            <MakeWallet unconfirmed={kept?.confirmed === false} onDone={onNext} onLeave={() => setFlow(null)} />
          ) : (
            <RestoreWallet onDone={onNext} onLeave={() => setFlow(null)} />
          )}
        </div>
      </StepFrame>
    );
  return (
    <StepFrame
      {...frame}
      onBack={onBack}
      skip={{ onPress: onNext }}
      next={{ onPress: () => void save(), disabled: address.trim() === '' || deed.busy }}
    >
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (address.trim() !== '') void save();
        }}
      >
        <WalletField
          value={address}
          fault={deed.fault}
          onChange={(text) => {
            setAddress(text);
            deed.clear();
          }}
        />
        {!kept?.confirmed && (
          <div className="grid gap-3 rounded-2xl border border-line bg-surface p-5">
            <div className="flex items-start gap-3">
              <KeyRound aria-hidden className="mt-0.5 size-5 shrink-0 text-moon" strokeWidth={1.75} />
              <div className="min-w-0">
                <p className="font-medium">{kept ? t('kept.unconfirmed') : t('kept.none')}</p>
                <p className="text-sm text-muted">{kept ? t('kept.unconfirmed_why') : t('kept.none_why')}</p>
              </div>
            </div>
            <div className="flex flex-wrap gap-2.5">
              <Button size="small" onClick={() => setFlow('make')} data-testid="wallet-make">
                {kept ? t('kept.finish') : t('kept.make')}
              </Button>
              <Button look="plain" size="small" onClick={() => setFlow('restore')} data-testid="wallet-restore">
                {t('kept.restore_open')}
              </Button>
            </div>
          </div>
        )}
        <ul className="grid gap-2 text-sm text-muted">
          <li>{t('wizard.wallet.skip_why')}</li>
          <li>{t('wizard.wallet.unproven')}</li>
          <li>{t('wizard.wallet.practice')}</li>
        </ul>
      </form>
    </StepFrame>
  );
}
