import clsx from 'clsx';
import { RadioGroup } from 'radix-ui';
import type { ReactNode } from 'react';

interface ChoiceCardsProps<V extends string> {
  label: string;
  value: V;
  options: readonly { value: V; title: string; why: string; mark?: ReactNode }[];
  onChange: (value: V) => void;
  /** Below each other, for a narrow place. */
  stacked?: boolean;
}

/** A choice among a few things that each need a sentence. */
export function ChoiceCards<V extends string>({ label, value, options, onChange, stacked = false }: ChoiceCardsProps<V>) {
  return (
    <RadioGroup.Root
      aria-label={label}
      value={value}
      onValueChange={(next) => onChange(next as V)}
      className={clsx('grid gap-2.5', !stacked && 'sm:grid-cols-3')}
    >
      {options.map((option) => (
        <RadioGroup.Item
          key={option.value}
          value={option.value}
          className="group relative grid content-start gap-1 rounded-2xl border border-line bg-surface p-4 text-left transition-colors hover:border-line-strong data-[state=checked]:border-moon data-[state=checked]:bg-raised day:data-[state=checked]:bg-surface day:data-[state=checked]:ring-1 day:data-[state=checked]:ring-moon"
        >
          {option.mark}
          <span className="font-medium">{option.title}</span>
          <span className="text-sm text-muted">{option.why}</span>
        </RadioGroup.Item>
      ))}
    </RadioGroup.Root>
  );
}
