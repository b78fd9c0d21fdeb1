import clsx from 'clsx';

import { Moon, type MoonProps } from './moon';

/** A moon with a piece of its sky around it, for where the ground is too bright for one. */
export function MoonPort({ className, ...moon }: MoonProps) {
  return (
    <span
      aria-hidden
      className={clsx(
        'grid shrink-0 place-items-center overflow-hidden rounded-full bg-[linear-gradient(180deg,var(--sky-top),var(--sky-middle))]',
        className,
      )}
    >
      <Moon {...moon} className="size-full" />
    </span>
  );
}
