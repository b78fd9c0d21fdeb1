import { Switch } from 'radix-ui';
import { useId, type ReactNode } from 'react';

interface SwitchRowProps {
  title: string;
  why?: string;
  /** Beside the title, such as how it stands. */
  note?: ReactNode;
  checked: boolean;
  disabled?: boolean;
  onChange: (checked: boolean) => void;
  testId?: string;
}

/** A setting that is on or off, with what it means. */
export function SwitchRow({ title, why, note, checked, disabled, onChange, testId }: SwitchRowProps) {
  const id = useId();
  return (
    <div className="flex items-center justify-between gap-6 py-3">
      <label htmlFor={id} className="grid min-w-0 gap-0.5">
        <span className="flex flex-wrap items-center gap-x-3">
          <span className="font-medium">{title}</span>
          {note}
        </span>
        {why && (
          <span id={`${id}-why`} className="text-sm text-muted">
            {why}
          </span>
        )}
      </label>
      <Switch.Root
        id={id}
        checked={checked}
        disabled={disabled}
        onCheckedChange={onChange}
        aria-describedby={why ? `${id}-why` : undefined}
        data-testid={testId}
        className="relative h-6 w-11 shrink-0 rounded-full border border-line-strong bg-sunken transition-colors data-[state=checked]:border-transparent data-[state=checked]:bg-aurora"
      >
        <Switch.Thumb className="block size-4 translate-x-1 rounded-full bg-muted transition-transform data-[state=checked]:translate-x-[1.375rem] data-[state=checked]:bg-ground" />
      </Switch.Root>
    </div>
  );
}
