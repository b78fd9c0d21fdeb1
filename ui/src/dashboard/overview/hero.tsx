import { useTranslation } from 'react-i18next';

import type { AssignmentView } from '../../bindings/AssignmentView';
import type { Snapshot } from '../../bindings/Snapshot';
import type { TaskRow } from '../../bindings/TaskRow';
import { formatPercent } from '../../format/measure';
import { isShiftKind } from '../../models/shift';
import { Moon } from '../../sky/moon';
import { Sky } from '../../sky/sky';
import { useWorker } from '../../worker/context';
import { useTasksToday } from '../../worker/queries';
import { useStateWords } from '../../worker/use-state-words';
import { JobPicture, ServedUnseen, type PicturedJob } from './job-picture';
import { Running } from './running-task';
import { WorkControls } from './work-controls';

/** The moon's light for each state: while work runs, it waxes with the task. */
function moonOf(snapshot: Snapshot, lost: boolean): { lit: number; mood: 'clear' | 'asleep' | 'trouble' } {
  const { state } = snapshot;
  if (lost || state.name === 'faulted') return { lit: 0.15, mood: 'trouble' };
  switch (state.name) {
    case 'working': {
      const sum = state.assignments.reduce((total, a) => total + a.fraction, 0);
      return { lit: Math.max(0.04, sum / Math.max(1, state.assignments.length)), mood: 'clear' };
    }
    case 'benchmarking':
      return { lit: Math.max(0.04, state.fraction), mood: 'clear' };
    case 'ready':
    case 'connecting':
    case 'starting':
      return { lit: 0.12, mood: 'clear' };
    case 'yielding':
    case 'draining':
    case 'stopped':
      return { lit: 0.3, mood: 'asleep' };
  }
}

/** The picture to show: of the running task, else of the newest task that has one. */
function picturedJob(
  assignments: AssignmentView[],
  rows: readonly TaskRow[],
  pictures: ReadonlyMap<string, string>,
): PicturedJob | null {
  const job = assignments.find((a) => a.picture !== null) ?? rows.find((row) => row.picture !== null);
  if (!job?.picture) return null;
  const accepted = rows.filter((row) => row.job === job.job && row.state.name === 'accepted').length;
  return {
    title: job.job_title,
    customer: job.customer_name,
    tile: job.picture,
    source: pictures.get(job.job),
    share: Math.min(1, accepted / Math.max(1, job.task_count)),
    rendering: assignments.flatMap((a) => (a.job === job.job && a.picture ? [{ tile: a.picture, fraction: a.fraction }] : [])),
  };
}

interface HeroProps {
  rows: readonly TaskRow[];
  pictures: ReadonlyMap<string, string>;
}

/** What the worker is doing and why, under the sky that its work lights. */
export function Hero({ rows, pictures }: HeroProps) {
  const { t, i18n } = useTranslation();
  const { snapshot, lost } = useWorker();
  const words = useStateWords();
  const stars = useTasksToday();
  if (!snapshot) return null;
  const { state } = snapshot;
  // While the worker is out of reach nobody knows what still runs.
  const assignments = state.name === 'working' && !lost ? state.assignments : [];
  const moon = moonOf(snapshot, lost !== null);
  // A picture that was drawn earlier is no part of what a model is asked now.
  const serves = assignments.some(({ kind }) => isShiftKind(kind)) && assignments.every(({ picture }) => picture === null);
  const pictured = picturedJob(assignments, rows, pictures);
  return (
    <Sky
      stars={stars}
      dimmed={moon.mood !== 'clear'}
      className="grid gap-8 rounded-3xl border border-line p-6 sm:p-9 lg:grid-cols-[1fr_minmax(0,29rem)] lg:items-center"
    >
      <div className="flex min-w-0 flex-col gap-5 lg:min-h-88">
        <Moon lit={moon.lit} mood={moon.mood} className="-ml-2 size-24 animate-drift sm:size-32" />
        <div aria-live="polite" className="grid gap-2">
          <h1
            data-testid="state-title"
            className="font-display text-[clamp(2.4rem,6vw,3.75rem)] leading-none font-semibold tracking-tight"
          >
            {words.title}
          </h1>
          <p data-testid="state-why" className="max-w-[44ch] text-lg text-pretty text-on-sky-muted">
            {words.why}
          </p>
        </div>
        {assignments.length > 0 && (
          <ul className="grid max-w-md gap-4">
            {assignments.map((assignment) => (
              <li key={assignment.id} className="grid gap-1.5 text-sm">
                <Running assignment={assignment} />
              </li>
            ))}
          </ul>
        )}
        <WorkControls />
        <p className="mt-auto text-sm text-on-sky-muted">{t('overview.stars', { count: stars })}</p>
      </div>
      <div className="grid min-w-0 grid-cols-1 gap-3">
        {serves ? <ServedUnseen /> : <JobPicture job={pictured} />}
        {pictured && !serves && (
          <div className="flex flex-wrap items-baseline justify-between gap-x-4 px-1 text-sm">
            <p className="min-w-0">
              <span className="font-medium">{pictured.title}</span>{' '}
              <span className="text-on-sky-muted">{pictured.customer}</span>
            </p>
            <p className="figures text-on-sky-muted" data-testid="picture-share">
              {t('overview.picture_done', { share: formatPercent(pictured.share, i18n.language) })}
            </p>
          </div>
        )}
      </div>
    </Sky>
  );
}
