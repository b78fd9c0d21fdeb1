import clsx from 'clsx';
import { Box, CircleCheck, CircleDashed, CircleHelp, CircleX, Hourglass, MessagesSquare, Undo2 } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import type { TaskRow } from '../../bindings/TaskRow';
import { Money } from '../../components/money';
import { useNow } from '../../components/use-now';
import { formatNumber } from '../../format/measure';
import { formatAgo, formatInstant } from '../../format/time';
import { useFaultSentence } from '../../i18n/use-fault';
import { isShiftKind, shiftsOf } from '../../models/shift';
import { useShiftWords } from '../../models/use-shift-words';
import { useWorker } from '../../worker/context';
import { useKindName } from '../../worker/use-kind-name';

const looks = {
  open: { mark: CircleDashed, tone: 'text-tide' },
  reported: { mark: Hourglass, tone: 'text-dusk' },
  accepted: { mark: CircleCheck, tone: 'text-aurora' },
  rejected: { mark: CircleX, tone: 'text-ember' },
  inconclusive: { mark: CircleHelp, tone: 'text-muted' },
  abandoned: { mark: Undo2, tone: 'text-muted' },
} as const;

interface TaskListProps {
  rows: readonly TaskRow[];
  pictures: ReadonlyMap<string, string>;
}

/** Tasks with their verdicts, newest first. */
export function TaskList({ rows, pictures }: TaskListProps) {
  return (
    <ul className="grid">
      {rows.map((row) => (
        <TaskItem key={row.assignment} row={row} picture={pictures.get(row.job)} />
      ))}
    </ul>
  );
}

function TaskItem({ row, picture }: { row: TaskRow; picture: string | undefined }) {
  const { t, i18n } = useTranslation();
  const sentence = useFaultSentence();
  const kindName = useKindName();
  const now = useNow(15_000);
  const { mark: Mark, tone } = looks[row.state.name];
  const isShift = isShiftKind(row.kind);
  const checked = row.state.name === 'accepted' && row.state.checked;
  const why =
    row.state.name === 'rejected'
      ? row.state.difference
      : row.state.name === 'inconclusive'
        ? row.state.reason
        : row.state.name === 'abandoned'
          ? sentence(row.state.fault)
          : null;
  return (
    <li
      data-testid="task-row"
      className="grid grid-cols-[3rem_minmax(0,1fr)] items-center gap-x-4 rounded-xl px-3 py-2.5 hover:bg-raised/60 sm:grid-cols-[3rem_minmax(0,1fr)_auto]"
    >
      <TaskThumbnail row={row} picture={picture} />
      <div className="min-w-0">
        <p className="truncate font-medium" title={row.job_title}>
          {row.job_title}{' '}
          {!isShift && (
            <span className="figures font-normal text-faint">
              {t('tasks.of', { index: row.task_index + 1, count: row.task_count })}
            </span>
          )}
        </p>
        <p className="flex flex-wrap items-center gap-x-2 text-sm text-muted">
          <span className={clsx('inline-flex items-center gap-1', tone)}>
            <Mark aria-hidden className="size-3.5 shrink-0" />
            {checked ? t('tasks.state.accepted_checked') : t(`tasks.state.${row.state.name}`)}
          </span>
          <span>{row.customer_name}</span>
          <span>{kindName(row.kind)}</span>
        </p>
        {isShift && <ServedNow assignment={row.assignment} />}
        {why && <p className="text-sm text-muted">{why}</p>}
      </div>
      <div className="col-start-2 flex flex-wrap items-baseline justify-between gap-x-3 sm:col-start-auto sm:block sm:text-right">
        {isShift ? (
          // The price is what a shift pays for coming; what was served is added, and its receipt says all.
          <span className="text-sm text-faint">{t('shift.by_token')}</span>
        ) : (
          <Money
            units={row.price}
            named={false}
            flat={row.state.name !== 'accepted'}
            className={row.state.name === 'accepted' ? 'font-medium' : 'text-faint'}
          />
        )}
        <p className="figures text-sm whitespace-nowrap text-faint">
          {row.ran_ms !== null && `${t('tasks.ran', { seconds: formatNumber(row.ran_ms / 1000, i18n.language) })} · `}
          <time dateTime={new Date(row.started_at).toISOString()} title={formatInstant(row.started_at, i18n.language)}>
            {formatAgo(row.started_at, now, i18n.language)}
          </time>
        </p>
      </div>
    </li>
  );
}

/** How a shift that runs is doing. */
function ServedNow({ assignment }: { assignment: string }) {
  const { snapshot, lost } = useWorker();
  const words = useShiftWords();
  const shift = snapshot && !lost && shiftsOf(snapshot.state).find(({ id }) => id === assignment)?.shift;
  if (!shift) return null;
  return <p className="figures text-sm text-muted">{Object.values(words(shift)).join(' · ')}</p>;
}

/** The part of the job's picture that this task drew. */
function TaskThumbnail({ row, picture }: { row: TaskRow; picture: string | undefined }) {
  const tile = row.picture;
  const drawn = tile !== null && picture !== undefined && row.state.name === 'accepted';
  if (!drawn) {
    const Mark = isShiftKind(row.kind) ? MessagesSquare : Box;
    return (
      <div aria-hidden className="grid size-12 place-items-center rounded-lg bg-sunken text-faint">
        <Mark className={clsx('size-5', row.state.name === 'open' && 'animate-breathe text-moon')} strokeWidth={1.5} />
      </div>
    );
  }
  const place = (start: number, size: number, whole: number) => (whole === size ? 0 : (start / (whole - size)) * 100);
  return (
    <div
      aria-hidden
      className="size-12 rounded-lg bg-[#0a1022] bg-no-repeat"
      style={{
        backgroundImage: `url(${picture})`,
        backgroundSize: `${(tile.picture_width / tile.width) * 100}% ${(tile.picture_height / tile.height) * 100}%`,
        backgroundPosition: `${place(tile.x, tile.width, tile.picture_width)}% ${place(tile.y, tile.height, tile.picture_height)}%`,
      }}
    />
  );
}
