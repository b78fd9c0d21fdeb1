import { Sparkles } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { TaskRow } from '../../bindings/TaskRow';
import { EmptyNote, FaultNote, LoadingRows } from '../../components/notes';
import { Segmented } from '../../components/segmented';
import { usePictures, useTasks } from '../../worker/queries';
import { PageHeading } from '../page-heading';
import { TaskList } from './task-list';

const filters = {
  all: () => true,
  accepted: (row: TaskRow) => row.state.name === 'accepted',
  problems: (row: TaskRow) => ['rejected', 'inconclusive', 'abandoned'].includes(row.state.name),
};

/** The worker answers with this many at most. */
const ROWS_MAX = 200;

/** All recent tasks. */
export function TasksPage() {
  const { t } = useTranslation();
  const [filter, setFilter] = useState<keyof typeof filters>('all');
  const tasks = useTasks(ROWS_MAX);
  const pictures = usePictures(tasks.value);
  const rows = tasks.value?.filter(filters[filter]);
  return (
    <div className="grid gap-5">
      <PageHeading title={t('tasks.title')} text={t('tasks.text')}>
        <Segmented
          label={t('tasks.filter.label')}
          value={filter}
          options={(['all', 'accepted', 'problems'] as const).map((value) => ({
            value,
            label: t(`tasks.filter.${value}`),
          }))}
          onChange={setFilter}
        />
      </PageHeading>
      <div className="card min-w-0 p-3">
        {tasks.fault && <FaultNote fault={tasks.fault} onRetry={tasks.again} />}
        {!rows && !tasks.fault && <LoadingRows rows={6} />}
        {rows?.length === 0 && (
          <EmptyNote
            title={filter === 'all' ? t('tasks.empty') : t('tasks.filter_empty')}
            why={filter === 'all' ? t('tasks.empty_why') : t('tasks.filter_empty_why')}
            mark={<Sparkles className="size-8" strokeWidth={1.5} />}
          />
        )}
        {rows && <TaskList rows={rows} pictures={pictures} />}
      </div>
    </div>
  );
}
