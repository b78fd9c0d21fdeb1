import { ChevronDown } from 'lucide-react';
import { useState, type ReactNode } from 'react';

interface DisclosureProps {
  /** In the page's outline; 2 unless it is within a section that has a heading. */
  level?: 2 | 3;
  title: string;
  text?: string;
  /** A word at its end. */
  aside?: string;
  /** Whether it is open until somebody opens or closes it. */
  opened?: boolean;
  /** Shown once it is open. */
  children: () => ReactNode;
  testId?: string;
  className?: string;
}

/** A heading under which more unfolds. */
export function Disclosure({ level = 2, title, text, aside, opened = false, children, testId, className }: DisclosureProps) {
  const [chosen, setChosen] = useState<boolean | null>(null);
  const isOpen = chosen ?? opened;
  const Heading = level === 2 ? 'h2' : 'h3';
  return (
    <details open={isOpen} data-testid={testId} className={className}>
      <summary
        onClick={(event) => {
          event.preventDefault();
          setChosen(!isOpen);
        }}
        className="flex cursor-pointer list-none items-center justify-between gap-4 rounded-xl px-3 py-2.5 transition-colors hover:bg-raised [&::-webkit-details-marker]:hidden"
      >
        <div className="grid min-w-0">
          <Heading className="text-lg font-semibold">{title}</Heading>
          {text && <span className="text-sm text-pretty text-muted">{text}</span>}
        </div>
        <span className="flex shrink-0 items-center gap-3 text-sm text-faint">
          {aside}
          <ChevronDown aria-hidden className={`size-4 transition-transform ${isOpen ? 'rotate-180' : ''}`} />
        </span>
      </summary>
      {isOpen && children()}
    </details>
  );
}
