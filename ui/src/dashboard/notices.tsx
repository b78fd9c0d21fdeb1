import clsx from 'clsx';
import { Moon as MoonMark, TriangleAlert, X } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { Notice } from '../bindings/Notice';
import { useFaultSentence } from '../i18n/use-fault';
import { useSnapshot } from '../worker/context';

const STORED_NOTICE = 'lull.notice';

/** More at once would cover the page; what was missed is in the logs. */
const SHOWN_MAX = 3;

/** The highest notice that was dismissed, for this worker: another one counts from one again. */
function dismissedUpTo(worker: string): number {
  const [storedWorker, id] = (localStorage.getItem(STORED_NOTICE) ?? '').split(' ');
  return storedWorker === worker ? Number(id) : 0;
}

/** Things that a person should be told once, newest at the bottom. */
export function Notices() {
  const { t } = useTranslation();
  const { notices, worker } = useSnapshot();
  const [dismissed, setDismissed] = useState(() => dismissedUpTo(worker));
  const shown = notices.filter((notice) => notice.id > dismissed).slice(-SHOWN_MAX);
  const dismiss = (id: number) => {
    localStorage.setItem(STORED_NOTICE, `${worker} ${id}`);
    setDismissed(id);
  };
  return (
    <section
      aria-label={t('notice.label')}
      aria-live="polite"
      className="pointer-events-none fixed right-4 bottom-24 z-30 grid w-[min(24rem,calc(100vw-2rem))] gap-2.5 md:right-6 md:bottom-6"
    >
      {shown.map((notice) => (
        <NoticeCard key={notice.id} notice={notice} onDismiss={() => dismiss(notice.id)} />
      ))}
    </section>
  );
}

function NoticeCard({ notice, onDismiss }: { notice: Notice; onDismiss: () => void }) {
  const { t } = useTranslation();
  const sentence = useFaultSentence();
  const words = notice.code === 'first_earning' ? t('notice.first_earning') : sentence(notice);
  const Mark = notice.problem ? TriangleAlert : MoonMark;
  return (
    <div
      data-testid="notice"
      className="pointer-events-auto flex animate-arrive items-start gap-3 rounded-2xl border border-line-strong bg-raised p-4 shadow-card"
    >
      <Mark
        aria-hidden
        className={clsx('mt-0.5 size-5 shrink-0', notice.problem ? 'text-ember' : 'text-moon')}
        strokeWidth={1.75}
      />
      <p className="min-w-0 flex-1 text-sm">{words}</p>
      <button
        type="button"
        onClick={onDismiss}
        aria-label={t('notice.dismiss')}
        className="-m-1 rounded-full p-1 text-muted hover:text-ink"
      >
        <X aria-hidden className="size-4" />
      </button>
    </div>
  );
}
