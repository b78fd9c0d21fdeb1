import type { Measure } from '../bindings/Measure';

const unitOf: Record<Measure, { unit: string; divisor: number }> = {
  fp32_peak: { unit: 'TFLOPS', divisor: 1000 },
  gemm_fp32: { unit: 'TFLOPS', divisor: 1000 },
  memory_read: { unit: 'GB/s', divisor: 1 },
};

/** Three significant digits: a benchmark spreads by about a percent, so that more would pretend. */
export function formatNumber(value: number, language: string): string {
  return new Intl.NumberFormat(language, { maximumSignificantDigits: 3 }).format(value);
}

/** A measured value and its unit, as people who know devices write it. */
export function formatMeasure(measure: Measure, value: number, language: string): { figure: string; unit: string } {
  const { unit, divisor } = unitOf[measure];
  // A small software device would read 0.0 in the larger unit.
  if (unit === 'TFLOPS' && value < 100) return { figure: formatNumber(value, language), unit: 'GFLOPS' };
  return { figure: formatNumber(value / divisor, language), unit };
}

/** Memory in GiB. */
export function formatGibibytes(bytes: number, language: string): string {
  return new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(bytes / 1024 ** 3);
}

/** A share of one as a percentage. */
export function formatPercent(share: number, language: string, decimals = 0): string {
  return new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: decimals }).format(share);
}
