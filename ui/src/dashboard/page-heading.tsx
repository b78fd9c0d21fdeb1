import type { ReactNode } from 'react';

/** A page's heading, its sentence, and what can be done there. */
export function PageHeading({ title, text, children }: { title: string; text?: string; children?: ReactNode }) {
  return (
    <header className="flex flex-wrap items-end justify-between gap-4 pb-2">
      <div className="grid min-w-0 gap-1.5">
        <h1 className="font-display text-4xl font-semibold tracking-tight">{title}</h1>
        {text && <p className="max-w-[62ch] text-pretty text-muted">{text}</p>}
      </div>
      {children && <div className="flex flex-wrap gap-2.5">{children}</div>}
    </header>
  );
}
