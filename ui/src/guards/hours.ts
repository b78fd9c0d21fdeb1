import type { WeekHours } from '../bindings/WeekHours';

export const DAYS = 7;
export const HOURS = 24;

/** An hour of the week: `day` from 0, Monday, to 6; `hour` from 0 to 23. */
export interface Hour {
  day: number;
  hour: number;
}

const WHOLE_DAY = (1 << HOURS) - 1;
/** From 22 to 8. */
const NIGHT = (0b11 << 22) | 0xff;

const week = (weekday: number, weekend: number): WeekHours => [
  weekday,
  weekday,
  weekday,
  weekday,
  weekday,
  weekend,
  weekend,
];

export const NIGHTS_AND_WEEKENDS = week(NIGHT, WHOLE_DAY);
export const NO_HOURS = week(0, 0);

/** Weeks that can be chosen at once. */
export const presets = {
  all: week(WHOLE_DAY, WHOLE_DAY),
  nights: week(NIGHT, NIGHT),
  weekends: week(0, WHOLE_DAY),
  both: NIGHTS_AND_WEEKENDS,
} as const;
export type Preset = keyof typeof presets;
export const presetNames = ['all', 'nights', 'weekends', 'both'] as const satisfies readonly Preset[];

export function isLent(hours: WeekHours, { day, hour }: Hour): boolean {
  return (((hours[day] ?? 0) >> hour) & 1) === 1;
}

export function isSame(one: WeekHours, other: WeekHours): boolean {
  return one.every((day, n) => (day & WHOLE_DAY) === ((other[n] ?? 0) & WHOLE_DAY));
}

export function isEmpty(hours: WeekHours): boolean {
  return isSame(hours, NO_HOURS);
}

/** How many hours of the week are lent. */
export function countHours(hours: WeekHours): number {
  let count = 0;
  for (let day = 0; day < DAYS; day += 1)
    for (let hour = 0; hour < HOURS; hour += 1) if (isLent(hours, { day, hour })) count += 1;
  return count;
}

/** The week after all hours between two corners of the grid were lent, or kept back. */
export function painted(hours: WeekHours, from: Hour, to: Hour, lent: boolean): WeekHours {
  const [first, last] = [Math.min(from.hour, to.hour), Math.max(from.hour, to.hour)];
  const span = (1 << (last + 1)) - (1 << first);
  const isBetween = (day: number) => day >= Math.min(from.day, to.day) && day <= Math.max(from.day, to.day);
  return hours.map((bits, day) => {
    if (!isBetween(day)) return bits;
    return lent ? bits | span : bits & ~span;
  }) as WeekHours;
}

/** The hour of the week at an instant, by this computer's clock. */
export function hourAt(instant: number): Hour {
  const at = new Date(instant);
  return { day: (at.getDay() + 6) % DAYS, hour: at.getHours() };
}

/** The hour to which a key leads in a grid of days below each other; `null` for a key that leads nowhere. */
export function hourAfterKey({ day, hour }: Hour, key: string, control: boolean): Hour | null {
  const within = (value: number, count: number) => Math.min(count - 1, Math.max(0, value));
  switch (key) {
    case 'ArrowLeft':
      return { day, hour: within(hour - 1, HOURS) };
    case 'ArrowRight':
      return { day, hour: within(hour + 1, HOURS) };
    case 'ArrowUp':
      return { day: within(day - 1, DAYS), hour };
    case 'ArrowDown':
      return { day: within(day + 1, DAYS), hour };
    case 'Home':
      return { day: control ? 0 : day, hour: 0 };
    case 'End':
      return { day: control ? DAYS - 1 : day, hour: HOURS - 1 };
    default:
      return null;
  }
}
