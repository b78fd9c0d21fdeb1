import clsx from 'clsx';
import { Coins, House, ListChecks, ReceiptText, Settings } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import { Money } from '../components/money';
import { litPath } from '../sky/moon';
import { useSnapshot, useWorker } from '../worker/context';
import { useStateWords } from '../worker/use-state-words';
import { pageNames, type PageName } from './pages';

const marks = { overview: House, tasks: ListChecks, payouts: Coins, receipts: ReceiptText, settings: Settings };

/** The mark of the app: a crescent. */
function Crescent({ className }: { className?: string }) {
  return (
    <svg viewBox="-1.1 -1.1 2.2 2.2" aria-hidden className={className}>
      <path d={litPath(0.3)} fill="currentColor" transform="rotate(-28)" />
    </svg>
  );
}

const tones = {
  working: 'bg-aurora',
  benchmarking: 'bg-aurora',
  ready: 'bg-tide',
  connecting: 'bg-tide',
  starting: 'bg-tide',
  yielding: 'bg-dusk',
  draining: 'bg-dusk',
  stopped: 'bg-faint',
  faulted: 'bg-ember',
} as const;

/** Links to the pages: at the side of a wide window, along the bottom of a narrow one. */
export function Navigation({ page, onOpen }: { page: PageName; onOpen: (page: PageName) => void }) {
  const { t } = useTranslation();
  return (
    <header className="fixed inset-x-0 bottom-0 z-20 border-t border-line bg-surface/95 backdrop-blur md:sticky md:top-0 md:flex md:h-dvh md:flex-col md:gap-8 md:border-t-0 md:border-r md:bg-sunken md:p-5 day:md:bg-surface">
      <p className="hidden items-center gap-2.5 px-2.5 pt-2 font-display text-2xl font-semibold tracking-tight md:flex">
        <Crescent className="size-6 text-(--kind-4)" />
        {t('app.name')}
      </p>
      <nav aria-label={t('nav.label')}>
        <ul className="grid grid-cols-5 md:grid-cols-1 md:gap-1">
          {pageNames.map((name) => {
            const Mark = marks[name];
            return (
              <li key={name}>
                <button
                  type="button"
                  data-testid={`nav-${name}`}
                  aria-current={name === page ? 'page' : undefined}
                  onClick={() => onOpen(name)}
                  className={clsx(
                    'flex w-full flex-col items-center gap-1 px-1 py-2.5 text-xs font-medium transition-colors md:flex-row md:gap-3 md:rounded-xl md:px-3 md:text-[0.9375rem]',
                    name === page ? 'text-ink md:bg-raised' : 'text-muted hover:text-ink',
                  )}
                >
                  <Mark
                    aria-hidden
                    className={clsx('size-5 shrink-0', name === page && 'text-moon')}
                    strokeWidth={1.75}
                  />
                  <span className="max-w-full truncate">{t(`nav.${name}`)}</span>
                </button>
              </li>
            );
          })}
        </ul>
      </nav>
      <Glance />
    </header>
  );
}

/** State and today's earnings, on every page of a wide window. */
function Glance() {
  const { t } = useTranslation();
  const { lost } = useWorker();
  const { state, earnings } = useSnapshot();
  const words = useStateWords();
  return (
    <div className="mt-auto hidden gap-1 rounded-2xl border border-line bg-surface p-4 md:grid day:bg-raised">
      <p className="flex items-center gap-2 text-sm font-medium">
        <span aria-hidden className={clsx('size-2 rounded-full', lost ? 'bg-ember' : tones[state.name])} />
        {words.title}
      </p>
      <p className="text-sm text-muted">{t('overview.today')}</p>
      <Money units={earnings.today} className="text-lg font-medium" />
    </div>
  );
}
