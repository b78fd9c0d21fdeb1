import clsx from 'clsx';
import { useTranslation } from 'react-i18next';

import type { BenchmarkReport } from '../bindings/BenchmarkReport';
import type { DeviceTelemetry } from '../bindings/DeviceTelemetry';
import type { TelemetryPoint } from '../bindings/TelemetryPoint';
import { roundTicks } from '../charts/align';
import { LinePlot } from '../charts/line-plot';
import { Sparkline } from '../charts/sparkline';
import { formatPercent, writeMeasure } from '../format/measure';
import { formatCountdown } from '../format/time';
import { throttling } from './curves';
import { measurementOf } from './measures';

/** Below this share of its speed a device is said to throttle; what is above may be noise. */
const THROTTLES_BELOW = 0.97;

/** Speed over minutes of load, with the heat that goes with it. */
export function SustainedChart({ report }: { report: BenchmarkReport }) {
  const { t, i18n } = useTranslation();
  const { language } = i18n;
  const curve = measurementOf(report, 'sustained')?.curve ?? [];
  const write = (value: number) => writeMeasure('sustained', value, language);
  const seconds = curve.at(-1)?.at ?? 0;
  const most = Math.max(0, ...curve.map((point) => point.value)) * 1.15;
  const heat = throttling(curve);
  return (
    <section aria-label={t('benchmark.sustained.title')} className="card grid min-w-0 gap-5 p-6" data-testid="sustained">
      <header className="grid gap-1">
        <h2 className="text-lg font-semibold">{t('benchmark.sustained.title')}</h2>
        <p className="max-w-[75ch] text-sm text-pretty text-muted">{t('benchmark.sustained.text')}</p>
      </header>
      {curve.length < 2 ? (
        <p className="text-sm text-muted">{t('benchmark.sustained.none')}</p>
      ) : (
        <>
          {heat && (
            <p className="max-w-[75ch] text-pretty" data-testid="throttling">
              <span className={clsx('font-semibold', heat.kept < THROTTLES_BELOW ? 'text-moon' : 'text-aurora')}>
                {t('benchmark.sustained.keeps', { share: formatPercent(heat.kept, language) })}
              </span>{' '}
              {heat.kept < THROTTLES_BELOW
                ? t('benchmark.sustained.throttles', { cold: write(heat.cold), hot: write(heat.hot) })
                : t('benchmark.sustained.steady')}
            </p>
          )}
          <LinePlot
            height={230}
            lines={[
              {
                name: t('measure.sustained'),
                colour: '--aurora',
                points: curve.map(({ at, value }) => ({ x: at, y: value })),
                filled: true,
              },
            ]}
            x={{ range: [0, seconds], ticks: roundTicks(seconds, 6), write: (at) => formatCountdown(at * 1000) }}
            y={{ range: [0, most], ticks: roundTicks(most, 5), write: (value) => (value === 0 ? '0' : write(value)) }}
            tip={(at, [value]) => (
              <p className="figures">
                <span className="text-muted">{formatCountdown(at * 1000)}</span>{' '}
                <span className="font-medium">{typeof value === 'number' && write(value)}</span>
              </p>
            )}
          />
          <Heat points={report.sustained_telemetry} />
        </>
      )}
    </section>
  );
}

interface Reading {
  key: 'temperature' | 'clock' | 'power';
  colour: string;
  read: (telemetry: DeviceTelemetry) => number | null;
  unit: string;
  low: number;
}

const readings: Reading[] = [
  { key: 'temperature', colour: '--kind-4', read: (d) => d.temperature_celsius, unit: '°C', low: 20 },
  { key: 'clock', colour: '--kind-2', read: (d) => d.clock_mhz, unit: 'MHz', low: 0 },
  { key: 'power', colour: '--kind-3', read: (d) => d.power_watts, unit: 'W', low: 0 },
];

/** What the platform told meanwhile; readings that it did not tell are left out. */
function Heat({ points }: { points: readonly TelemetryPoint[] }) {
  const { t, i18n } = useTranslation();
  const whole = (value: number) => new Intl.NumberFormat(i18n.language, { maximumFractionDigits: 0 }).format(value);
  const told = readings.flatMap((reading) => {
    const values = points.map((point) => reading.read(point.telemetry));
    const known = values.filter((value) => value !== null);
    const [first, last] = [known[0], known.at(-1)];
    return first === undefined || last === undefined ? [] : [{ ...reading, values, first, last }];
  });
  if (told.length === 0) return <p className="text-sm text-muted">{t('benchmark.sustained.no_telemetry')}</p>;
  return (
    <ul className="grid gap-x-8 gap-y-5 sm:grid-cols-3">
      {told.map(({ key, colour, unit, low, values, first, last }) => (
        <li key={key} className="grid min-w-0 content-start gap-1">
          <p className="text-sm text-muted">{t(`benchmark.sustained.${key}`)}</p>
          <p className="figures text-lg font-medium">
            {t('benchmark.sustained.from_to', { from: whole(first), to: whole(last), unit })}
          </p>
          <Sparkline at={points.map((point) => point.seconds)} values={values} range={[low, null]} colour={colour} />
        </li>
      ))}
    </ul>
  );
}
