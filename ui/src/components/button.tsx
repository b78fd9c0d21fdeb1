import clsx from 'clsx';
import type { ComponentProps } from 'react';

const looks = {
  primary:
    'bg-primary text-on-primary hover:bg-primary-hover shadow-[0_8px_24px_-12px_var(--glow)] disabled:bg-raised disabled:text-faint disabled:shadow-none',
  quiet: 'border border-line-strong text-ink hover:bg-raised disabled:text-faint',
  plain: 'text-muted hover:bg-raised hover:text-ink disabled:text-faint',
  danger: 'border border-ember/50 text-ember hover:bg-ember-ground disabled:text-faint',
} as const;

const sizes = {
  small: 'min-h-8 px-3 text-[0.8125rem]',
  normal: 'min-h-10 px-4 text-sm',
  large: 'min-h-12 px-6 text-base',
} as const;

interface ButtonProps extends ComponentProps<'button'> {
  look?: keyof typeof looks;
  size?: keyof typeof sizes;
}

/** A button in one of four looks; one `primary` at most is on screen at a time. */
export function Button({ look = 'quiet', size = 'normal', className, type = 'button', ...rest }: ButtonProps) {
  return (
    <button
      type={type}
      className={clsx(
        'inline-flex items-center justify-center gap-2 rounded-full py-1.5 text-center leading-tight font-medium transition-colors disabled:cursor-not-allowed',
        looks[look],
        sizes[size],
        className,
      )}
      {...rest}
    />
  );
}
