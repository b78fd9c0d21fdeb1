import clsx from 'clsx';
import { useId, type ReactNode } from 'react';

interface TextFieldProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  /** Shown behind the text, such as a unit. */
  unit?: string;
  /** What is wrong with the text. */
  wrong?: string | null;
  placeholder?: string;
  inputMode?: 'decimal' | 'text';
  monospace?: boolean;
  /** Beside the text, such as a button. */
  children?: ReactNode;
  onCommit?: () => void;
}

/** One line of text with its label. */
export function TextField(props: TextFieldProps) {
  const { label, value, onChange, unit, wrong, placeholder, inputMode = 'text', monospace, children, onCommit } = props;
  const id = useId();
  return (
    <div className="grid gap-1.5">
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      <div className="flex items-center gap-2.5">
        <input
          id={id}
          value={value}
          inputMode={inputMode}
          onChange={(event) => onChange(event.target.value)}
          onBlur={onCommit}
          onKeyDown={(event) => event.key === 'Enter' && onCommit?.()}
          placeholder={placeholder}
          aria-invalid={Boolean(wrong)}
          aria-describedby={wrong ? `${id}-wrong` : undefined}
          spellCheck={false}
          autoComplete="off"
          className={clsx(
            'min-h-10 min-w-0 rounded-xl border border-line-strong bg-sunken px-3.5 placeholder:text-faint aria-invalid:border-ember',
            inputMode === 'decimal' ? 'figures w-24 text-right' : 'w-full',
            monospace && 'font-mono text-sm',
          )}
        />
        {unit && <span className="text-sm text-muted">{unit}</span>}
        {children}
      </div>
      {wrong && (
        <p id={`${id}-wrong`} role="alert" className="text-sm text-ember">
          {wrong}
        </p>
      )}
    </div>
  );
}
