import { BookOpenText, PenLine, Sparkles } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import type { Score } from '../bindings/Score';
import type { WorkClass } from '../bindings/WorkClass';
import { formatNumber, formatRoughly } from '../format/measure';

const marks: Record<WorkClass, typeof PenLine> = { decode: PenLine, prefill: BookOpenText, render: Sparkles };
const colours: Record<WorkClass, string> = { decode: '--tide', prefill: '--dusk', render: '--aurora' };

/** Words a token, for English text and the usual vocabularies. */
const WORDS_PER_TOKEN = 0.75;

/** Words on a page of a book. */
const WORDS_PER_PAGE = 300;

/** What a benchmark means for each kind of work, in figures that can be imagined. */
export function ScoreCards({ scores }: { scores: readonly Score[] }) {
  const { t, i18n } = useTranslation();
  const write = (value: number) => formatNumber(value, i18n.language);
  const roughly = (value: number) => formatRoughly(value, i18n.language);
  const sentence = ({ work, value }: Score) => {
    switch (work) {
      case 'decode':
        return t('benchmark.score.decode_why', { words: roughly(value * WORDS_PER_TOKEN) });
      case 'prefill':
        return t('benchmark.score.prefill_why', { pages: roughly((value * WORDS_PER_TOKEN) / WORDS_PER_PAGE) });
      case 'render':
        return t('benchmark.score.render_why');
    }
  };
  return (
    <ul className="grid gap-x-8 gap-y-6 sm:grid-cols-[repeat(auto-fit,minmax(11rem,1fr))]">
      {scores.map((score) => {
        const Mark = marks[score.work];
        return (
          <li key={score.work} data-testid={`score-${score.work}`} className="grid min-w-0 content-start gap-1">
            <p className="flex items-center gap-2 text-sm text-muted">
              <Mark aria-hidden className="size-4 shrink-0" strokeWidth={1.75} style={{ color: `var(${colours[score.work]})` }} />
              {t(`benchmark.score.${score.work}`)}
            </p>
            <p className="figures">
              <span className="font-display text-3xl font-semibold tracking-tight">{write(score.value)}</span>{' '}
              <span className="text-sm text-muted">
                {score.work === 'render' ? 'TFLOPS' : t('benchmark.score.tokens')}
              </span>
            </p>
            <p className="text-sm text-pretty text-muted">{sentence(score)}</p>
          </li>
        );
      })}
    </ul>
  );
}
