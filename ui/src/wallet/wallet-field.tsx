import { useId } from 'react';
import { useTranslation } from 'react-i18next';

import type { Fault } from '../bindings/Fault';
import { useFaultSentence } from '../i18n/use-fault';

interface WalletFieldProps {
  value: string;
  fault: Fault | null;
  onChange: (value: string) => void;
}

/** The address of a wallet, with the worker's objection below it. */
export function WalletField({ value, fault, onChange }: WalletFieldProps) {
  const { t } = useTranslation();
  const sentence = useFaultSentence();
  const id = useId();
  return (
    <div className="grid gap-1.5">
      <label htmlFor={id} className="text-sm font-medium">
        {t('wizard.wallet.label')}
      </label>
      <input
        id={id}
        data-testid="wallet-input"
        value={value}
        onChange={(event) => onChange(event.target.value)}
        placeholder={t('wizard.wallet.placeholder')}
        aria-invalid={fault !== null}
        aria-describedby={`${id}-note`}
        spellCheck={false}
        autoComplete="off"
        autoCapitalize="off"
        className="min-h-12 w-full rounded-xl border border-line-strong bg-sunken px-4 font-mono text-sm placeholder:text-faint aria-invalid:border-ember"
      />
      <p id={`${id}-note`} aria-live="polite" className="min-h-5 text-sm">
        {fault && (
          <span data-testid="wallet-error" data-code={fault.code} className="text-ember">
            {sentence(fault)}
          </span>
        )}
      </p>
    </div>
  );
}
