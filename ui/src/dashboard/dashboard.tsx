import { useEffect, useRef, useState } from 'react';

import { useSnapshot } from '../worker/context';
import { BenchmarkPage } from './benchmark/benchmark-page';
import { Navigation } from './navigation';
import { Notices } from './notices';
import { Overview } from './overview/overview';
import type { PageName } from './pages';
import { PayoutsPage } from './payouts/payouts-page';
import { ProblemBanner } from './problem-banner';
import { ReceiptsPage } from './receipts/receipts-page';
import { SettingsPage } from './settings/settings-page';
import { TasksPage } from './tasks/tasks-page';

/** Everything after enrolment. */
export function Dashboard() {
  const [page, setPage] = useState<PageName>('overview');
  // Above the page that led there, which its way back opens again.
  const [measured, setMeasured] = useState<number | null>(null);
  const { devices } = useSnapshot();
  const device = devices.find((view) => view.info.index === measured);
  const place = device ? `${page} ${device.info.index}` : page;
  const open = (name: PageName) => {
    setMeasured(null);
    setPage(name);
  };
  const main = useRef<HTMLElement>(null);
  const opened = useRef(place);
  useEffect(() => {
    if (opened.current === place) return;
    opened.current = place;
    // Readers are taken to the new page; the window starts at its top.
    main.current?.focus({ preventScroll: true });
    window.scrollTo({ top: 0 });
  }, [place]);
  return (
    <div data-testid="dashboard" className="grid md:grid-cols-[14.5rem_minmax(0,1fr)]">
      <Navigation page={page} onOpen={open} />
      <main
        id="content"
        ref={main}
        tabIndex={-1}
        className="mx-auto w-full max-w-[84rem] px-4 pt-4 pb-28 outline-none sm:px-6 md:p-6 md:pb-12 lg:p-8"
      >
        <ProblemBanner />
        <div key={place} className="animate-arrive">
          {device && <BenchmarkPage device={device} from={page} onBack={() => setMeasured(null)} />}
          {!device && page === 'overview' && <Overview onOpen={open} onMeasured={setMeasured} />}
          {!device && page === 'tasks' && <TasksPage />}
          {!device && page === 'payouts' && <PayoutsPage onSettings={() => open('settings')} />}
          {!device && page === 'receipts' && <ReceiptsPage />}
          {!device && page === 'settings' && <SettingsPage onMeasured={setMeasured} />}
        </div>
      </main>
      <Notices />
    </div>
  );
}
