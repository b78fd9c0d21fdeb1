import { CameraOff, KeyRound, LifeBuoy } from 'lucide-react';
import { useTranslation } from 'react-i18next';

const warnings = [
  { key: 'whoever', mark: KeyRound },
  { key: 'photograph', mark: CameraOff },
  { key: 'restore', mark: LifeBuoy },
] as const;

/** What must be known before words are on the screen. */
export function WordWarnings() {
  const { t } = useTranslation();
  return (
    <ul className="grid gap-2.5 rounded-xl bg-sunken p-4 text-sm">
      {warnings.map(({ key, mark: Mark }) => (
        <li key={key} className="flex items-start gap-3">
          <Mark aria-hidden className="mt-0.5 size-4 shrink-0 text-moon" strokeWidth={1.75} />
          <span className="min-w-0">{t(`kept.warn_${key}`)}</span>
        </li>
      ))}
    </ul>
  );
}
