import clsx from 'clsx';
import { useEffect, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react';
import { useTranslation } from 'react-i18next';

import type { WeekHours } from '../../bindings/WeekHours';
import { useNow } from '../../components/use-now';
import { DAYS, hourAfterKey, hourAt, HOURS, isLent, painted, type Hour } from '../../guards/hours';

interface HoursGridProps {
  hours: WeekHours;
  onChange: (hours: WeekHours) => void;
}

const dayNumbers = Array.from({ length: DAYS }, (_, day) => day);
const hourNumbers = Array.from({ length: HOURS }, (_, hour) => hour);

/** Any Monday. */
const MONDAY = Date.UTC(2024, 0, 1);

/** The names of days and hours in a language; of a clock without a zone. */
function namesIn(language: string) {
  const written = (options: Intl.DateTimeFormatOptions) => {
    const format = new Intl.DateTimeFormat(language, { ...options, timeZone: 'UTC' });
    return (day: number, hour: number) => format.format(MONDAY + (day * HOURS + hour) * 3_600_000);
  };
  const [long, short, time] = [written({ weekday: 'long' }), written({ weekday: 'short' }), written({ hour: 'numeric' })];
  return { day: (day: number) => long(day, 0), shortDay: (day: number) => short(day, 0), time: (hour: number) => time(0, hour) };
}

interface Painting {
  from: Hour;
  to: Hour;
  lent: boolean;
}

/** A week of hours to be painted with the pointer, or walked and changed with the keyboard. */
export function HoursGrid({ hours, onChange }: HoursGridProps) {
  const { t, i18n } = useTranslation();
  const now = hourAt(useNow(60_000));
  const [at, setAt] = useState<Hour>({ day: 0, hour: 0 });
  const [painting, setPainting] = useState<Painting | null>(null);
  const grid = useRef<HTMLDivElement>(null);
  const shown = painting ? painted(hours, painting.from, painting.to, painting.lent) : hours;
  const names = namesIn(i18n.language);

  // The pointer may be let go of anywhere.
  useEffect(() => {
    if (!painting) return;
    const end = () => {
      setPainting(null);
      onChange(painted(hours, painting.from, painting.to, painting.lent));
    };
    const leave = () => setPainting(null);
    window.addEventListener('pointerup', end);
    window.addEventListener('pointercancel', leave);
    return () => {
      window.removeEventListener('pointerup', end);
      window.removeEventListener('pointercancel', leave);
    };
  }, [painting, hours, onChange]);

  const begin = (event: PointerEvent) => {
    const from = hourOf(event.target);
    if (!from || event.button !== 0) return;
    // A finger would keep every move to the hour on which it began.
    if (event.target instanceof Element && event.target.hasPointerCapture(event.pointerId))
      event.target.releasePointerCapture(event.pointerId);
    setAt(from);
    setPainting({ from, to: from, lent: !isLent(hours, from) });
  };
  const move = (event: PointerEvent) => {
    const to = hourOf(event.target);
    if (painting && to) setPainting({ ...painting, to });
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === ' ' || event.key === 'Enter') {
      event.preventDefault();
      onChange(painted(hours, at, at, !isLent(hours, at)));
      return;
    }
    const next = hourAfterKey(at, event.key, event.ctrlKey);
    if (!next) return;
    event.preventDefault();
    setAt(next);
    if (event.shiftKey) onChange(painted(hours, at, next, isLent(hours, at)));
    grid.current?.querySelector<HTMLElement>(`[data-day="${next.day}"][data-hour="${next.hour}"]`)?.focus();
  };
  return (
    <div className="grid min-w-0 gap-1 text-xs">
      <div
        ref={grid}
        role="grid"
        aria-label={t('hours.grid')}
        aria-multiselectable
        data-testid="hours-grid"
        onPointerDown={begin}
        onPointerOver={move}
        onKeyDown={press}
        className="grid touch-none gap-px select-none"
      >
        {dayNumbers.map((day) => (
          <div key={day} role="row" className="grid grid-cols-[2.75rem_minmax(0,1fr)] items-center">
            <span role="rowheader" className="truncate pr-2 text-muted" title={names.day(day)}>
              {names.shortDay(day)}
            </span>
            <div role="presentation" className="grid h-6 grid-cols-24 gap-px">
              {hourNumbers.map((hour) => {
                const lent = isLent(shown, { day, hour });
                return (
                  <div
                    key={hour}
                    role="gridcell"
                    aria-label={t('hours.cell', { day: names.day(day), from: names.time(hour) })}
                    aria-selected={lent}
                    tabIndex={at.day === day && at.hour === hour ? 0 : -1}
                    onFocus={() => setAt({ day, hour })}
                    data-day={day}
                    data-hour={hour}
                    className={clsx(
                      'rounded-[2px] focus-visible:z-10 focus-visible:outline-2 focus-visible:outline-offset-1 focus-visible:outline-ink',
                      lent ? 'bg-aurora' : 'bg-sunken ring-1 ring-line ring-inset',
                      now.day === day && now.hour === hour && 'outline-2 -outline-offset-2 outline-moon',
                    )}
                  />
                );
              })}
            </div>
          </div>
        ))}
      </div>
      <div aria-hidden className="ml-11 grid grid-cols-4 text-faint">
        {[0, 6, 12, 18].map((hour) => (
          <span key={hour}>{names.time(hour)}</span>
        ))}
      </div>
    </div>
  );
}

/** The hour that a cell of the grid stands for. */
function hourOf(target: EventTarget): Hour | null {
  if (!(target instanceof HTMLElement) || target.dataset.hour === undefined) return null;
  return { day: Number(target.dataset.day), hour: Number(target.dataset.hour) };
}
