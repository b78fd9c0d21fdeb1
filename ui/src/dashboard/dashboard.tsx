import { useEffect, useRef, useState } from 'react';

import { Navigation } from './navigation';
import { Notices } from './notices';
import { Overview } from './overview/overview';
import type { PageName } from './pages';
import { ProblemBanner } from './problem-banner';
import { ReceiptsPage } from './receipts/receipts-page';
import { SettingsPage } from './settings/settings-page';
import { TasksPage } from './tasks/tasks-page';

/** Everything after enrolment. */
export function Dashboard() {
  const [page, setPage] = useState<PageName>('overview');
  const main = useRef<HTMLElement>(null);
  const opened = useRef(page);
  useEffect(() => {
    if (opened.current === page) return;
    opened.current = page;
    // Readers are taken to the new page; the window starts at its top.
    main.current?.focus({ preventScroll: true });
    window.scrollTo({ top: 0 });
  }, [page]);
  return (
    <div data-testid="dashboard" className="grid md:grid-cols-[14.5rem_minmax(0,1fr)]">
      <Navigation page={page} onOpen={setPage} />
      <main
        id="content"
        ref={main}
        tabIndex={-1}
        className="mx-auto w-full max-w-[84rem] px-4 pt-4 pb-28 outline-none sm:px-6 md:p-6 md:pb-12 lg:p-8"
      >
        <ProblemBanner />
        <div key={page} className="animate-arrive">
          {page === 'overview' && <Overview onOpen={setPage} />}
          {page === 'tasks' && <TasksPage />}
          {page === 'receipts' && <ReceiptsPage />}
          {page === 'settings' && <SettingsPage />}
        </div>
      </main>
      <Notices />
    </div>
  );
}
