import { Minus } from 'lucide-react';
import { Checkbox } from 'radix-ui';

interface TickProps {
  id: string;
  checked: boolean | 'indeterminate';
  onChange: (checked: boolean) => void;
  /** Where no label element names it. */
  label?: string;
  describedBy?: string;
  testId?: string;
}

/** A box with a tick; with a line where what it stands for holds in part. */
export function Tick({ id, checked, onChange, label, describedBy, testId }: TickProps) {
  return (
    <Checkbox.Root
      id={id}
      checked={checked}
      onCheckedChange={(next) => onChange(next === true)}
      aria-label={label}
      aria-describedby={describedBy}
      data-testid={testId}
      className="mt-1 grid size-6 shrink-0 place-items-center rounded-md border border-line-strong bg-sunken data-[state=checked]:border-transparent data-[state=checked]:bg-primary data-[state=indeterminate]:border-moon"
    >
      <Checkbox.Indicator>
        {checked === 'indeterminate' ? (
          <Minus aria-hidden className="size-4 text-moon" strokeWidth={2.5} />
        ) : (
          <svg viewBox="0 0 16 16" aria-hidden className="size-4 text-on-primary">
            <path d="M3.5 8.5 6.7 12l6-7.5" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
          </svg>
        )}
      </Checkbox.Indicator>
    </Checkbox.Root>
  );
}
