import type { ReactNode } from 'react';

/** A group of settings under its heading. */
export function Section({ title, text, children }: { title: string; text?: string; children: ReactNode }) {
  return (
    <section aria-label={title} className="card grid min-w-0 gap-5 p-6">
      <header>
        <h2 className="text-xl font-semibold">{title}</h2>
        {text && <p className="text-sm text-muted">{text}</p>}
      </header>
      {children}
    </section>
  );
}
