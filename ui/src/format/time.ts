/** `0:42`, `12:05` or `1:02:09`: time until something happens. Never negative. */
export function formatCountdown(milliseconds: number): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const pad = (n: number) => String(n).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(seconds % 60)}` : `${minutes}:${pad(seconds % 60)}`;
}

/** How long ago something was, in the language's words. */
export function formatAgo(at: number, now: number, language: string): string {
  const words = new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'short' });
  const seconds = Math.min(0, Math.round((at - now) / 1000));
  if (seconds > -60) return words.format(seconds, 'second');
  if (seconds > -3600) return words.format(Math.round(seconds / 60), 'minute');
  if (seconds > -86_400) return words.format(Math.round(seconds / 3600), 'hour');
  return words.format(Math.round(seconds / 86_400), 'day');
}

/** The time of day, or day and time when that is another day. */
export function formatMoment(at: number, now: number, language: string): string {
  const sameDay = new Date(at).toDateString() === new Date(now).toDateString();
  const options: Intl.DateTimeFormatOptions = sameDay
    ? { timeStyle: 'short' }
    : { dateStyle: 'medium', timeStyle: 'short' };
  return new Intl.DateTimeFormat(language, options).format(at);
}

/** When something comes, in the next days: the time, with the day of the week unless that is today. */
export function formatComing(at: number, now: number, language: string): string {
  const sameDay = new Date(at).toDateString() === new Date(now).toDateString();
  const week = 7 * 86_400_000;
  if (!sameDay && at - now >= week) return formatMoment(at, now, language);
  const time: Intl.DateTimeFormatOptions = { hour: 'numeric', minute: '2-digit' };
  return new Intl.DateTimeFormat(language, sameDay ? time : { weekday: 'short', ...time }).format(at);
}

/** A day of this year. */
export function formatDay(at: number, language: string): string {
  return new Intl.DateTimeFormat(language, { day: 'numeric', month: 'short' }).format(at);
}

/** How long something took, in one unit. */
export function formatDuration(milliseconds: number, language: string): string {
  const write = (value: number, unit: 'second' | 'minute' | 'hour', decimals = 0) =>
    new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: decimals }).format(value);
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 90) return write(seconds, 'second');
  if (seconds < 5400) return write(Math.round(seconds / 60), 'minute');
  return write(seconds / 3600, 'hour', 1);
}

/** Day and time, to the second. */
export function formatInstant(at: number, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium' }).format(at);
}

/** How long until something happens, in the language's words; what is past happens at once. */
export function formatUntil(at: number, now: number, language: string): string {
  const words = new Intl.RelativeTimeFormat(language, { numeric: 'always' });
  const seconds = Math.max(0, Math.round((at - now) / 1000));
  if (seconds < 90) return words.format(seconds, 'second');
  if (seconds < 5400) return words.format(Math.round(seconds / 60), 'minute');
  if (seconds < 2 * 86_400) return words.format(Math.round(seconds / 3600), 'hour');
  return words.format(Math.round(seconds / 86_400), 'day');
}
