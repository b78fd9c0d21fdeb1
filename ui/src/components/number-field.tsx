import { Minus, Plus } from 'lucide-react';
import { useEffect, useEffectEvent, useId, useState, type KeyboardEvent } from 'react';
import { useTranslation } from 'react-i18next';

interface NumberFieldProps {
  label: string;
  value: number;
  min: number;
  max: number;
  unit: string;
  onCommit: (value: number) => void;
  testId?: string;
}

/** Whoever types or steps has come to rest. */
const REST_MS = 500;

/** A whole number with buttons that step it; taken over once nobody types any more, and at once on Enter. */
export function NumberField({ label, value, min, max, unit, onCommit, testId }: NumberFieldProps) {
  const { t } = useTranslation();
  const id = useId();
  // `null` while nobody types: then the worker's own figure is shown.
  const [typed, setTyped] = useState<string | null>(null);
  const text = typed ?? String(value);
  const number = /^\s*\d{1,5}\s*$/.test(text) ? Number(text) : NaN;
  const wrong = !(number >= min && number <= max);
  const commit = () => {
    if (typed === null || wrong) return;
    setTyped(null);
    if (number !== value) onCommit(number);
  };
  const commitAtRest = useEffectEvent(commit);
  useEffect(() => {
    if (typed === null) return;
    const timer = setTimeout(commitAtRest, REST_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  const step = (by: number) =>
    setTyped(String(Math.min(max, Math.max(min, (Number.isNaN(number) ? value : number) + by))));
  const press = (event: KeyboardEvent) => {
    if (event.key === 'Enter') commit();
    else if (event.key === 'ArrowUp') step(1);
    else if (event.key === 'ArrowDown') step(-1);
    else return;
    event.preventDefault();
  };
  return (
    <div className="grid content-start gap-1.5">
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      <div className="flex items-center gap-2.5">
        <div className="flex rounded-xl border border-line-strong bg-sunken has-aria-invalid:border-ember">
          <Step label={t('common.less', { name: label })} disabled={number <= min} onPress={() => step(-1)} mark={Minus} />
          <input
            id={id}
            role="spinbutton"
            inputMode="numeric"
            value={text}
            onChange={(event) => setTyped(event.target.value)}
            onBlur={() => (text.trim() === '' ? setTyped(null) : commit())}
            onKeyDown={press}
            aria-valuenow={wrong ? value : number}
            aria-valuemin={min}
            aria-valuemax={max}
            aria-invalid={wrong}
            aria-describedby={wrong ? `${id}-wrong` : undefined}
            autoComplete="off"
            data-testid={testId}
            className="figures min-h-10 w-14 min-w-0 bg-transparent text-center"
          />
          <Step label={t('common.more', { name: label })} disabled={number >= max} onPress={() => step(1)} mark={Plus} />
        </div>
        <span className="text-sm text-muted">{unit}</span>
      </div>
      {wrong && (
        <p id={`${id}-wrong`} role="alert" className="text-sm text-ember">
          {t('common.from_to', { min, max })}
        </p>
      )}
    </div>
  );
}

interface StepButtonProps {
  label: string;
  disabled: boolean;
  onPress: () => void;
  mark: typeof Plus;
}

function Step({ label, disabled, onPress, mark: Mark }: StepButtonProps) {
  return (
    <button
      type="button"
      aria-label={label}
      disabled={disabled}
      onClick={onPress}
      // The keyboard steps with its arrows.
      tabIndex={-1}
      className="grid size-10 place-items-center rounded-xl text-muted transition-colors hover:bg-raised hover:text-ink disabled:text-faint disabled:opacity-50"
    >
      <Mark aria-hidden className="size-4" />
    </button>
  );
}
