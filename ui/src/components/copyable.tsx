import { Check, Copy } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';

import { shortName } from '../format/chain';

/** For so long it says that it was copied. */
const SAID_MS = 2_000;

interface CopyableProps {
  text: string;
  /** What it is, for who does not see the page. */
  name: string;
  testId?: string;
}

/** A long name, shortened, that can be copied whole; where there is no clipboard it is shown whole instead. */
export function Copyable({ text, name, testId }: CopyableProps) {
  const { t } = useTranslation();
  const [outcome, setOutcome] = useState<'copied' | 'refused' | null>(null);
  useEffect(() => {
    if (outcome !== 'copied') return;
    const timer = setTimeout(() => setOutcome(null), SAID_MS);
    return () => clearTimeout(timer);
  }, [outcome]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setOutcome('copied');
    } catch {
      setOutcome('refused');
    }
  };
  if (outcome === 'refused') return <span className="font-mono text-xs break-all select-all">{text}</span>;
  const Mark = outcome === 'copied' ? Check : Copy;
  return (
    <button
      type="button"
      title={text}
      aria-label={outcome === 'copied' ? t('common.copied') : t('common.copy', { name })}
      data-testid={testId}
      onClick={() => void copy()}
      className="-mx-1.5 inline-flex items-center gap-1.5 rounded-md px-1.5 font-mono text-xs whitespace-nowrap text-muted hover:bg-raised hover:text-ink"
    >
      {shortName(text)}
      <Mark aria-hidden className="size-3.5 shrink-0" />
      <span role="status" className="sr-only">
        {outcome === 'copied' && t('common.copied')}
      </span>
    </button>
  );
}
