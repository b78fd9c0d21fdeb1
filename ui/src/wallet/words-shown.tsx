import { Eye, EyeOff } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';

import { Button } from '../components/button';

/** As long as a middling word, so that the grid does not jump. */
const COVER = '••••••';

interface WordsShownProps {
  words: readonly string[];
  /** Told when they were uncovered. */
  onShown?: () => void;
}

/**
 * Words in their order. While they are covered they are not in the document at all, and they are covered again when the
 * window is out of sight. They cannot be selected: a clipboard can be read by every other program.
 */
export function WordsShown({ words, onShown }: WordsShownProps) {
  const { t } = useTranslation();
  const [uncovered, setUncovered] = useState(false);
  useEffect(() => {
    const cover = () => {
      if (document.hidden) setUncovered(false);
    };
    document.addEventListener('visibilitychange', cover);
    return () => document.removeEventListener('visibilitychange', cover);
  }, []);
  const Mark = uncovered ? EyeOff : Eye;
  return (
    <div className="grid gap-3">
      <ol
        data-testid="words"
        data-uncovered={uncovered}
        aria-label={t('kept.words')}
        className="grid grid-cols-2 gap-2 select-none @md:grid-cols-3 @2xl:grid-cols-4"
      >
        {words.map((word, n) => (
          <li key={n} className="flex items-baseline gap-3 rounded-lg border border-line bg-sunken px-3 py-2">
            <span aria-hidden className="figures w-5 text-right text-xs text-muted">
              {n + 1}
            </span>
            <span className={uncovered ? 'font-mono' : 'font-mono text-muted'}>
              {uncovered ? word : <span aria-label={t('kept.covered')}>{COVER}</span>}
            </span>
          </li>
        ))}
      </ol>
      <Button
        size="small"
        className="w-fit"
        aria-pressed={uncovered}
        data-testid="words-uncover"
        onClick={() => {
          setUncovered(!uncovered);
          onShown?.();
        }}
      >
        <Mark aria-hidden className="size-4" />
        {uncovered ? t('kept.cover') : t('kept.uncover')}
      </Button>
    </div>
  );
}
