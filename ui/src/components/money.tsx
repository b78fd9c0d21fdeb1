import clsx from 'clsx';
import { useTranslation } from 'react-i18next';

import { useWorker } from '../worker/context';
import { moneyParts } from '../format/money';

/** Whether the money on screen is for practice; it is until a network says otherwise. */
export function usePractice(): boolean {
  return useWorker().snapshot?.network?.practice ?? true;
}

interface MoneyProps {
  units: number;
  /** Whether to name the currency. */
  named?: boolean;
  /** Writes all decimals alike, where the text is dim already. */
  flat?: boolean;
  className?: string;
  testId?: string;
}

/** An amount in full: the decimals beyond cents are small, never dropped. */
export function Money({ units, named = true, flat = false, className, testId }: MoneyProps) {
  const { t, i18n } = useTranslation();
  const practice = usePractice();
  const { sign, whole, mark, cents, rest } = moneyParts(units, i18n.language);
  return (
    <span className={clsx('figures whitespace-nowrap', className)} data-testid={testId}>
      {sign}
      {whole}
      {mark}
      {cents}
      {rest && <span className={flat ? undefined : 'opacity-75'}>{rest}</span>}
      {named && (
        <span className="ml-[0.4em] font-sans text-[max(0.42em,0.75rem)] font-medium tracking-normal opacity-85">
          {practice ? t('money.practice_usdc') : t('money.usdc')}
        </span>
      )}
    </span>
  );
}
