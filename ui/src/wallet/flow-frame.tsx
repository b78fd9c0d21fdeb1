import { useEffect, useRef, type ReactNode } from 'react';

/** One step of a flow with words: its heading takes the focus, since the button that led here is gone. */
export function FlowFrame({ title, text, children }: { title: string; text?: string; children: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), [title]);
  return (
    <section aria-label={title} className="@container grid gap-4">
      <header className="grid gap-1">
        <h3 ref={heading} tabIndex={-1} className="text-lg font-semibold outline-none">
          {title}
        </h3>
        {text && <p className="max-w-[60ch] text-sm text-pretty text-muted">{text}</p>}
      </header>
      {children}
    </section>
  );
}
