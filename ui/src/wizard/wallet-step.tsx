import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { ask } from '../backend/ask';
import { useBackend, useSnapshot } from '../worker/context';
import { WalletField } from '../wallet/wallet-field';
import { useDeed } from '../worker/use-answer';
import { StepFrame, type StepProps } from './step-frame';

/** Where earnings are paid. */
export function WalletStep({ onNext, onBack }: StepProps) {
  const { t } = useTranslation();
  const backend = useBackend();
  const { wallet } = useSnapshot();
  const [address, setAddress] = useState(wallet ?? '');
  const deed = useDeed();
  const save = async () => {
    const set = () => ask(backend, { command: 'set_wallet', address: address.trim() }, 'done');
    if (await deed.run(set)) onNext();
  };
  return (
    <StepFrame
      step="wallet"
      title={t('wizard.wallet.title')}
      text={t('wizard.wallet.text')}
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
        <ul className="grid gap-2 text-sm text-muted">
          <li>{t('wizard.wallet.skip_why')}</li>
          <li>{t('wizard.wallet.unproven')}</li>
          <li>{t('wizard.wallet.practice')}</li>
        </ul>
      </form>
    </StepFrame>
  );
}
