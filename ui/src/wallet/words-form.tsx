import { useRef, useState, type ClipboardEvent, type KeyboardEvent, type SyntheticEvent } from 'react';
import { useTranslation } from 'react-i18next';

import type { Fault } from '../bindings/Fault';
import { Button } from '../components/button';
import { FaultNote } from '../components/notes';
import { Segmented } from '../components/segmented';

const counts = ['12', '24'] as const;
type Count = (typeof counts)[number];

interface WordsFormProps {
  /** Whether a wallet of twenty-four words can be given, too. */
  anyCount?: boolean;
  label: string;
  busy: boolean;
  fault: Fault | null;
  onChange: () => void;
  onSubmit: (words: string) => void;
  /** What leads away. */
  leave: { label: string; onPress: () => void };
}

const split = (text: string) => text.trim().split(/\s+/).filter(Boolean);

/** A field for each word. They are held by this component alone, and are gone with it. */
export function WordsForm({ anyCount = false, label, busy, fault, onChange, onSubmit, leave }: WordsFormProps) {
  const { t } = useTranslation();
  const [count, setCount] = useState<Count>('12');
  const [words, setWords] = useState<string[]>([]);
  const form = useRef<HTMLFormElement>(null);
  const fields = Array.from({ length: Number(count) }, (_, n) => words[n] ?? '');
  const complete = fields.every((word) => word.trim() !== '');
  const focus = (n: number) => form.current?.querySelectorAll('input')[n]?.focus();
  const write = (n: number, given: readonly string[]) => {
    const next = [...words];
    given.forEach((word, offset) => {
      if (n + offset < 24) next[n + offset] = word;
    });
    setWords(Array.from(next, (word: string | undefined) => word ?? ''));
    onChange();
  };
  const paste = (event: ClipboardEvent, n: number) => {
    const given = split(event.clipboardData.getData('text'));
    if (given.length < 2) return;
    event.preventDefault();
    if (anyCount && given.length > 12) setCount('24');
    write(n, given);
    focus(Math.min(n + given.length, fields.length) - 1);
  };
  const step = (event: KeyboardEvent, n: number) => {
    // People type words with spaces between them.
    if (event.key !== ' ') return;
    event.preventDefault();
    if (fields[n]) focus(n + 1);
  };
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (complete && !busy) onSubmit(fields.map((word) => word.trim().toLowerCase()).join(' '));
  };
  return (
    <form ref={form} onSubmit={submit} autoComplete="off" className="grid gap-4">
      {anyCount && (
        <Segmented
          label={t('kept.count')}
          value={count}
          options={counts.map((value) => ({ value, label: t('kept.count_words', { number: value }) }))}
          onChange={setCount}
          className="w-fit"
        />
      )}
      <ol className="grid grid-cols-2 gap-2 @md:grid-cols-3 @2xl:grid-cols-4">
        {fields.map((word, n) => (
          <li key={n}>
            <label className="flex items-baseline gap-2 rounded-lg border border-line-strong bg-sunken pl-3 focus-within:outline-2 focus-within:outline-offset-2 focus-within:outline-tide">
              <span className="figures w-5 shrink-0 text-right text-xs text-muted">
                <span className="sr-only">{t('kept.word')} </span>
                {n + 1}
              </span>
              <input
                value={word}
                onChange={(event) => write(n, [event.target.value])}
                onPaste={(event) => paste(event, n)}
                onKeyDown={(event) => step(event, n)}
                data-testid={`word-${n + 1}`}
                // Nothing may learn these: no dictionary, no memory of forms.
                spellCheck={false}
                autoComplete="off"
                autoCapitalize="none"
                autoCorrect="off"
                className="min-h-10 w-full min-w-0 bg-transparent pr-2 font-mono text-sm outline-none"
              />
            </label>
          </li>
        ))}
      </ol>
      {fault && <FaultNote fault={fault} testId="words-fault" />}
      <div className="flex flex-wrap gap-2.5">
        <Button type="submit" look="primary" size="small" disabled={!complete || busy} data-testid="words-submit">
          {label}
        </Button>
        <Button look="plain" size="small" onClick={leave.onPress}>
          {leave.label}
        </Button>
      </div>
    </form>
  );
}
