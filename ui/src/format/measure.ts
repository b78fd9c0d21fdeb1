import type { Measure } from '../bindings/Measure';
import type { Unit } from '../bindings/Unit';
import { unitOf } from '../benchmark/measures';

/** A number and its unit, so that they can be set in different sizes. */
export interface Figure {
  figure: string;
  unit: string;
}

/** Rates are told in the larger unit from one of it on: 455 GFLOPS are easier to read than 0.455 TFLOPS. */
const LARGER_FROM = 1000;

const rates = {
  gigaflops_per_second: { small: 'GFLOPS', large: 'TFLOPS' },
  gigaops_per_second: { small: 'GOPS', large: 'TOPS' },
} as const;

const plain = {
  gigabytes_per_second: 'GB/s',
  nanoseconds: 'ns',
  microseconds: 'µs',
  gigabytes: 'GB',
} as const;

/** Two significant digits, for what is said with “about”. */
export function formatRoughly(value: number, language: string): string {
  return new Intl.NumberFormat(language, { maximumSignificantDigits: 2 }).format(value);
}

/** Three significant digits: a benchmark spreads by about a percent, so that more would pretend. */
export function formatNumber(value: number, language: string): string {
  return new Intl.NumberFormat(language, { maximumSignificantDigits: 3 }).format(value);
}

/** A value and its unit, as people who know devices write it. */
export function formatUnit(unit: Unit, value: number, language: string): Figure {
  switch (unit) {
    case 'gigaflops_per_second':
    case 'gigaops_per_second': {
      const large = value >= LARGER_FROM;
      const { small, large: largeName } = rates[unit];
      return { figure: formatNumber(large ? value / 1000 : value, language), unit: large ? largeName : small };
    }
    case 'gigabytes_per_second':
    case 'nanoseconds':
    case 'microseconds':
    case 'gigabytes':
      return { figure: formatNumber(value, language), unit: plain[unit] };
  }
}

/** A measured value and its unit. */
export function formatMeasure(measure: Measure, value: number, language: string): Figure {
  return formatUnit(unitOf[measure], value, language);
}

/** The same in one piece of text. */
export function writeMeasure(measure: Measure, value: number, language: string): string {
  const { figure, unit } = formatMeasure(measure, value, language);
  return `${figure} ${unit}`;
}

/** Memory in GiB. */
export function formatGibibytes(bytes: number, language: string): string {
  return new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(bytes / 1024 ** 3);
}

/** Data in gigabytes of 10⁹ bytes, as providers count. */
export function formatGigabytes(bytes: number, language: string): string {
  const gigabytes = bytes / 1e9;
  return new Intl.NumberFormat(language, { maximumFractionDigits: gigabytes < 10 ? 2 : 1 }).format(gigabytes);
}

const binary = ['B', 'KiB', 'MiB', 'GiB'];

/** A size of memory in the largest binary unit that it has a whole one of. */
export function formatBytes(bytes: number, language: string): string {
  const power = Math.min(binary.length - 1, Math.max(0, Math.floor(Math.log2(bytes) / 10)));
  return `${formatNumber(bytes / 1024 ** power, language)} ${binary[power] ?? 'B'}`;
}

/** A share of one as a percentage. */
export function formatPercent(share: number, language: string, decimals = 0): string {
  return new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: decimals }).format(share);
}

/** A share in percent by two significant digits, however small it is. */
export function formatShare(share: number, language: string): string {
  return new Intl.NumberFormat(language, { style: 'percent', maximumSignificantDigits: 2 }).format(share);
}
