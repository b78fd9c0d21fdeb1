import { ShieldAlert, ShieldCheck } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import { useSnapshot } from '../../worker/context';
import { Section } from './section';

/** What a job cannot do on this machine, and what this machine lacks to forbid it. */
export function SandboxSection() {
  const { t } = useTranslation();
  const { sandbox } = useSnapshot();
  if (sandbox.length === 0) return null;
  return (
    <Section title={t('settings.sandbox')} text={t('settings.sandbox_why')}>
      <ul className="grid gap-2.5 text-sm">
        {sandbox.map((part) => {
          const Mark = part.holds ? ShieldCheck : ShieldAlert;
          return (
            <li key={part.words} className="flex items-start gap-3">
              <Mark aria-hidden className={`mt-0.5 size-4 shrink-0 ${part.holds ? 'text-aurora' : 'text-ember'}`} />
              <span className="min-w-0 break-words">
                {!part.holds && <span className="text-ember">{t('settings.sandbox_missing')} </span>}
                {part.words}
              </span>
            </li>
          );
        })}
      </ul>
    </Section>
  );
}
