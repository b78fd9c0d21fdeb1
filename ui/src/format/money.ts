/** Base units in one USDC. */
const BASE_UNITS = 1_000_000;
const DECIMALS = 6;

/** An amount of money, cut where it is written. */
export interface MoneyParts {
  /** `−`, or nothing. */
  sign: string;
  /** Whole USDC with the language's grouping. */
  whole: string;
  /** The language's decimal mark. */
  mark: string;
  /** Decimals that are always shown. */
  cents: string;
  /** The rest of the six decimals, without zeros at the end; may be empty. */
  rest: string;
}

/**
 * Writes base units in full: nothing is rounded, and no floating-point number is made of them.
 *
 * Throws a `RangeError` for anything else than an integer that JavaScript holds exactly.
 */
export function moneyParts(units: number, language: string): MoneyParts {
  if (!Number.isSafeInteger(units)) throw new RangeError(`not an amount in base units: ${units}`);
  const absolute = Math.abs(units);
  const whole = (absolute - (absolute % BASE_UNITS)) / BASE_UNITS;
  const decimals = String(absolute % BASE_UNITS).padStart(DECIMALS, '0');
  return {
    sign: units < 0 ? '−' : '',
    whole: new Intl.NumberFormat(language, { maximumFractionDigits: 0 }).format(whole),
    mark: decimalMark(language),
    cents: decimals.slice(0, 2),
    rest: decimals.slice(2).replace(/0+$/, ''),
  };
}

/** The same in one text, such as `0.00185`. */
export function formatMoney(units: number, language: string): string {
  const { sign, whole, mark, cents, rest } = moneyParts(units, language);
  return `${sign}${whole}${mark}${cents}${rest}`;
}

function decimalMark(language: string): string {
  const parts = new Intl.NumberFormat(language, { minimumFractionDigits: 1 }).formatToParts(0.5);
  return parts.find((part) => part.type === 'decimal')?.value ?? '.';
}

/** Turns what a person typed, such as `0.15` or `0,15`, into millionths; `null` when it is not a price. */
export function parseMillionths(text: string): number | null {
  const match = /^\s*(\d{1,6})(?:[.,](\d{0,6}))?\s*$/.exec(text);
  if (!match) return null;
  return Number(match[1]) * BASE_UNITS + Number((match[2] ?? '').padEnd(DECIMALS, '0'));
}

/** The same for what may be below zero, such as `-0.02`. */
export function parseSignedMillionths(text: string): number | null {
  const match = /^\s*([-−]?)(.*)$/s.exec(text);
  const size = parseMillionths(match?.[2] ?? '');
  return size !== null && size > 0 && match?.[1] ? -size : size;
}

/** Millionths as a person would type them, such as `0.15`. */
export function writeMillionths(millionths: number): string {
  const size = Math.abs(millionths);
  const whole = Math.floor(size / BASE_UNITS);
  const decimals = String(size % BASE_UNITS)
    .padStart(DECIMALS, '0')
    .replace(/0{1,4}$/, '');
  return `${millionths < 0 ? '-' : ''}${whole}.${decimals}`;
}
