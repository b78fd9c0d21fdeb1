import { useTranslation } from 'react-i18next';

import type { DeviceView } from '../../bindings/DeviceView';
import { ask } from '../../backend/ask';
import { BenchmarkBars } from '../../benchmark/benchmark-bars';
import { BenchmarkProgress } from '../../benchmark/benchmark-progress';
import { NetworkTimings } from '../../benchmark/network-timings';
import { Button } from '../../components/button';
import { FaultNote } from '../../components/notes';
import { SwitchRow } from '../../components/switch-row';
import { useNow } from '../../components/use-now';
import { formatAgo } from '../../format/time';
import { useBackend, useSnapshot } from '../../worker/context';
import { configure, withDevice } from '../../worker/settings';
import { useDeed } from '../../worker/use-answer';
import { Section } from './section';

/** Which devices are lent, and what they can do. */
export function DevicesSection({ onMeasured }: { onMeasured: (device: number) => void }) {
  const { t } = useTranslation();
  const { devices } = useSnapshot();
  return (
    <Section title={t('settings.devices')} text={t('settings.devices_why')}>
      <div className="grid divide-y divide-line">
        {devices.map((device) => (
          <DeviceSettings key={device.info.index} device={device} onMeasured={onMeasured} />
        ))}
      </div>
    </Section>
  );
}

function DeviceSettings({ device, onMeasured }: { device: DeviceView; onMeasured: (device: number) => void }) {
  const { t, i18n } = useTranslation();
  const backend = useBackend();
  const { settings, state } = useSnapshot();
  const now = useNow(60_000);
  const deed = useDeed();
  const { index, name } = device.info;
  const running = state.name === 'benchmarking' ? state : null;
  const lend = (lent: boolean) =>
    deed.run(() => configure(backend, { devices_not_lent: withDevice(settings.devices_not_lent, index, lent) }));
  const measure = () =>
    void deed.run(() => ask(backend, { command: 'benchmark', device: index, sustained_seconds: 0 }, 'done'));
  const measured = device.benchmark
    ? t('settings.measured', { when: formatAgo(device.benchmark.measured_at, now, i18n.language) })
    : t('settings.never_measured');
  return (
    <div className="grid gap-4 py-4 first:pt-0 last:pb-0">
      <SwitchRow
        title={name}
        why={`${t(`device.kind.${device.info.kind}`)} · ${device.info.driver}`}
        checked={device.lent}
        onChange={(lent) => void lend(lent)}
      />
      {(device.benchmark !== null || running?.device === index) && <BenchmarkBars device={device} />}
      {running?.device === index && <BenchmarkProgress view={running} />}
      <div className="flex flex-wrap items-center justify-between gap-3">
        <div className="text-sm text-faint">
          <p>{measured}</p>
          <NetworkTimings device={device} />
        </div>
        <div className="flex flex-wrap gap-2.5">
          {running?.device !== index && (
            <Button size="small" onClick={measure} disabled={deed.busy || running !== null}>
              {t('settings.benchmark')}
            </Button>
          )}
          {device.benchmark && (
            <Button
              size="small"
              onClick={() => onMeasured(index)}
              aria-label={t('benchmark.open_of', { device: name })}
              data-testid={`settings-benchmark-${index}`}
            >
              {t('benchmark.open_all')}
            </Button>
          )}
        </div>
      </div>
      {deed.fault && <FaultNote fault={deed.fault} />}
    </div>
  );
}
