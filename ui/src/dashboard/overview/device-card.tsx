import clsx from 'clsx';
import { ChevronRight } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import type { DeviceTelemetry } from '../../bindings/DeviceTelemetry';
import type { DeviceView } from '../../bindings/DeviceView';
import { headlines, measurementOf } from '../../benchmark/measures';
import { Sparkline } from '../../charts/sparkline';
import { Button } from '../../components/button';
import { formatGibibytes, formatNumber, writeMeasure } from '../../format/measure';
import { isBeingPrepared, modelOf, shiftsOf } from '../../models/shift';
import { useWorker } from '../../worker/context';
import type { TelemetrySample } from '../../worker/snapshot-store';
import { DeviceHold } from './device-hold';

interface Gauge {
  key: 'load' | 'vram' | 'temperature' | 'power' | 'power_package';
  colour: string;
  read: (telemetry: DeviceTelemetry) => number | null;
  write: (value: number) => string;
  range: [number, number | null];
}

/** A device with what it is doing now and in the last minutes. */
export function DeviceCard({ device, onMeasured }: { device: DeviceView; onMeasured: (device: number) => void }) {
  const { t, i18n } = useTranslation();
  const { telemetry } = useWorker();
  const { info } = device;
  const samples = telemetry.get(info.index) ?? [];
  const whole = (value: number) => new Intl.NumberFormat(i18n.language, { maximumFractionDigits: 0 }).format(value);
  const total = info.vram_bytes;
  const gauges: Gauge[] = [
    { key: 'load', colour: '--kind-1', read: (d) => d.load_percent, write: (v) => `${whole(v)} %`, range: [0, 100] },
    {
      key: 'vram',
      colour: '--kind-2',
      read: (d) => d.vram_used_bytes,
      write: (v) =>
        total === null
          ? `${formatGibibytes(v, i18n.language)} GiB`
          : `${formatGibibytes(v, i18n.language)} / ${formatGibibytes(total, i18n.language)} GiB`,
      range: [0, total],
    },
    { key: 'temperature', colour: '--kind-4', read: (d) => d.temperature_celsius, write: (v) => `${whole(v)} °C`, range: [20, 95] },
    { key: device.power_of_package ? 'power_package' : 'power', colour: '--kind-3', read: (d) => d.power_watts, write: (v) => `${formatNumber(v, i18n.language)} W`, range: [0, null] },
  ];
  const [fp32, memory] = headlines.map((measure) => measurementOf(device.benchmark, measure));
  const measured = [fp32, memory].flatMap((m) => (m ? [writeMeasure(m.measure, m.value, i18n.language)] : []));
  const silent = gauges.every((gauge) => gauge.read(device.telemetry) === null);
  const standing = !device.lent ? 'not_lent' : device.held.length > 0 ? 'held' : 'lent';
  return (
    <section aria-label={info.name} className="card grid min-w-0 content-start gap-5 p-6">
      <header className="flex items-start justify-between gap-4">
        <div className="min-w-0">
          <p className="text-sm text-muted">{t(`device.kind.${info.kind}`)}</p>
          <h3 className="text-lg font-semibold">{info.name}</h3>
        </div>
        <span
          className={clsx(
            'shrink-0 rounded-full px-2.5 py-0.5 text-xs font-medium',
            standing === 'lent' ? 'bg-aurora/15 text-aurora' : 'bg-raised text-muted',
          )}
        >
          {t(`device.${standing}`)}
        </span>
      </header>
      <DeviceHold device={device} />
      {device.pace_percent < 100 && device.held.length === 0 && (
        <p className="text-sm text-moon" data-testid={`pace-${info.index}`}>
          {t('device.slowed', { percent: device.pace_percent })}
        </p>
      )}
      <Serves device={info.index} />
      {silent ? (
        <p className="text-sm text-muted">{t('device.no_telemetry')}</p>
      ) : (
        <ul className="grid grid-cols-2 gap-x-6 gap-y-5">
          {gauges.map((gauge) => (
            <GaugeTile key={gauge.key} gauge={gauge} now={gauge.read(device.telemetry)} samples={samples} />
          ))}
        </ul>
      )}
      <footer className="-mb-2 flex flex-wrap items-center justify-between gap-x-4 gap-y-2 border-t border-line pt-3 text-sm text-muted">
        <p className="figures">{measured.length > 0 ? measured.join(' · ') : t('settings.never_measured')}</p>
        <Button
          look="plain"
          size="small"
          className="-mr-3"
          onClick={() => onMeasured(info.index)}
          aria-label={t('benchmark.open_of', { device: info.name })}
          data-testid={`open-benchmark-${info.index}`}
        >
          {t('benchmark.open')}
          <ChevronRight aria-hidden className="-ml-1 size-4" />
        </Button>
      </footer>
    </section>
  );
}

/** Which model fills a device's memory now. */
function Serves({ device }: { device: number }) {
  const { t } = useTranslation();
  const { snapshot, lost } = useWorker();
  const shift = snapshot && !lost && shiftsOf(snapshot.state).find((assignment) => assignment.device === device);
  if (!shift) return null;
  return (
    <p className="text-sm text-muted" data-testid={`serves-${device}`}>
      {t(isBeingPrepared(shift) ? 'device.prepares' : 'device.serves', { model: modelOf(shift) })}
    </p>
  );
}

function GaugeTile({ gauge, now, samples }: { gauge: Gauge; now: number | null; samples: readonly TelemetrySample[] }) {
  const { t } = useTranslation();
  const written = now === null ? t('common.unknown') : gauge.write(now);
  return (
    <li className="grid min-w-0 content-start gap-1">
      <p className="text-sm text-muted">{t(`device.${gauge.key}`)}</p>
      <p className={clsx('figures', now === null ? 'text-sm text-faint' : 'text-lg font-medium')}>{written}</p>
      {now === null ? (
        <div aria-hidden className="mt-5 border-t border-dashed border-line-strong" />
      ) : (
        <div role="img" aria-label={t('device.graph', { measure: t(`device.${gauge.key}`), value: written })}>
          <Sparkline
            at={samples.map((sample) => sample.at / 1000)}
            values={samples.map((sample) => gauge.read(sample.telemetry))}
            range={gauge.range}
            colour={gauge.colour}
          />
        </div>
      )}
    </li>
  );
}
