import { useTranslation } from 'react-i18next';

import type { AssignmentView } from '../../bindings/AssignmentView';
import { Money } from '../../components/money';
import { formatPercent } from '../../format/measure';
import { isShiftKind } from '../../models/shift';
import { RunningShift } from './running-shift';

/** One assignment that is worked on, under the sky. */
export function Running({ assignment }: { assignment: AssignmentView }) {
  return isShiftKind(assignment.kind) ? <RunningShift assignment={assignment} /> : <RunningTask assignment={assignment} />;
}

/** A task: how much of it is done, and what it earns. */
function RunningTask({ assignment }: { assignment: AssignmentView }) {
  const { t, i18n } = useTranslation();
  return (
    <>
      <div className="flex flex-wrap justify-between gap-x-4">
        <span>
          {t('overview.task_of', { index: assignment.task_index + 1, count: assignment.task_count })} ·{' '}
          {t(`stage.${assignment.stage}`)}
        </span>
        <span className="text-on-sky-muted">
          <Money units={assignment.price} flat />
        </span>
      </div>
      <div
        role="progressbar"
        aria-label={t('overview.moon', { percent: formatPercent(assignment.fraction, i18n.language) })}
        aria-valuenow={Math.round(assignment.fraction * 100)}
        className="h-1.5 overflow-hidden rounded-full bg-(--on-sky)/15"
      >
        <div
          className="h-full rounded-full bg-(--moon-lit) transition-[width] duration-300 ease-linear day:bg-primary"
          style={{ width: `${assignment.fraction * 100}%` }}
        />
      </div>
    </>
  );
}
