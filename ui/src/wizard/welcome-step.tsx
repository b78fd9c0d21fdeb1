import { MoonStar, ReceiptText, ShieldCheck } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import { StepFrame, type StepProps } from './step-frame';

const promises = [
  { key: 'promise_way', mark: MoonStar },
  { key: 'promise_truth', mark: ReceiptText },
  { key: 'promise_safe', mark: ShieldCheck },
] as const;

/** What Lull is, and what it promises. */
export function WelcomeStep({ onNext }: StepProps) {
  const { t } = useTranslation();
  return (
    <StepFrame
      step="welcome"
      title={t('wizard.welcome.title')}
      text={t('wizard.welcome.text')}
      next={{ label: t('wizard.welcome.begin'), onPress: onNext }}
    >
      <ul className="grid gap-5">
        {promises.map(({ key, mark: Mark }) => (
          <li key={key} className="flex gap-4">
            <span className="grid size-11 shrink-0 place-items-center rounded-2xl bg-raised text-moon">
              <Mark aria-hidden className="size-5" strokeWidth={1.75} />
            </span>
            <div className="min-w-0">
              <h2 className="text-base font-medium">{t(`wizard.welcome.${key}_title`)}</h2>
              <p className="text-muted">{t(`wizard.welcome.${key}`)}</p>
            </div>
          </li>
        ))}
      </ul>
      <p className="text-sm text-faint">{t('wizard.welcome.duration')}</p>
    </StepFrame>
  );
}
