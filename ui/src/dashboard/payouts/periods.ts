/** What a statement covers. */
export type Span = 'month' | 'year';

/** A calendar month or year of the contributor's own, `until` exclusive. */
export interface Period {
  from: number;
  until: number;
}

/** The period so many months or years before the one that `now` is in. */
export function periodBefore(span: Span, now: number, back: number): Period {
  const today = new Date(now);
  const [year, month] = [today.getFullYear(), today.getMonth()];
  if (span === 'year')
    return { from: new Date(year - back, 0, 1).getTime(), until: new Date(year - back + 1, 0, 1).getTime() };
  return { from: new Date(year, month - back, 1).getTime(), until: new Date(year, month - back + 1, 1).getTime() };
}

/** Its name, such as `November 2026`. */
export function periodName(span: Span, { from }: Period, language: string): string {
  const options: Intl.DateTimeFormatOptions = span === 'year' ? { year: 'numeric' } : { month: 'long', year: 'numeric' };
  return new Intl.DateTimeFormat(language, options).format(from);
}
