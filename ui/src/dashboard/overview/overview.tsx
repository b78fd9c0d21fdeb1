import { useTranslation } from 'react-i18next';

import { Button } from '../../components/button';
import { EmptyNote, FaultNote, LoadingRows } from '../../components/notes';
import { useSnapshot } from '../../worker/context';
import { usePictures, useTasks } from '../../worker/queries';
import type { PageName } from '../pages';
import { TaskList } from '../tasks/task-list';
import { DeviceCard } from './device-card';
import { EarningsChart } from './earnings-chart';
import { EarningsFigures } from './earnings-figures';
import { Hero } from './hero';
import { WhyIdle } from './why-idle';

/** Rows shown under "recent"; the rest of what is asked for says how much of a picture is done. */
const RECENT_ROWS = 6;
const ASKED_ROWS = 120;

interface OverviewProps {
  onOpen: (page: PageName) => void;
  /** Opens the benchmark of a device. */
  onMeasured: (device: number) => void;
}

/** What is going on, what it brought, and on which devices. */
export function Overview({ onOpen, onMeasured }: OverviewProps) {
  const { t } = useTranslation();
  const { devices } = useSnapshot();
  const tasks = useTasks(ASKED_ROWS);
  const pictures = usePictures(tasks.value);
  return (
    <div className="grid gap-5">
      <Hero rows={tasks.value ?? []} pictures={pictures} />
      <WhyIdle onSettings={() => onOpen('settings')} onMeasured={onMeasured} />
      <div className="grid gap-5 lg:grid-cols-[minmax(18rem,5fr)_minmax(0,8fr)]">
        <EarningsFigures onSetWallet={() => onOpen('settings')} onPayouts={() => onOpen('payouts')} />
        <EarningsChart />
      </div>
      <div className="grid gap-5 lg:grid-cols-[minmax(0,8fr)_minmax(18rem,5fr)] lg:items-start">
        <section aria-label={t('overview.recent')} className="card min-w-0 p-3">
          <header className="flex flex-wrap items-center justify-between gap-3 px-3 pt-3 pb-2">
            <h2 className="text-lg font-semibold">{t('overview.recent')}</h2>
            <Button look="plain" size="small" onClick={() => onOpen('tasks')}>
              {t('overview.all_tasks')}
            </Button>
          </header>
          {tasks.fault && <FaultNote fault={tasks.fault} onRetry={tasks.again} />}
          {!tasks.value && !tasks.fault && <LoadingRows />}
          {tasks.value?.length === 0 && <EmptyNote title={t('tasks.empty')} why={t('tasks.empty_why')} />}
          {tasks.value && <TaskList rows={tasks.value.slice(0, RECENT_ROWS)} pictures={pictures} />}
        </section>
        <section aria-label={t('overview.devices')} className="grid min-w-0 gap-5">
          {devices.map((device) => (
            <DeviceCard key={device.info.index} device={device} onMeasured={onMeasured} />
          ))}
        </section>
      </div>
    </div>
  );
}
