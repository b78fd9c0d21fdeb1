import { useTranslation } from 'react-i18next';

import type { DeviceView } from '../../bindings/DeviceView';
import { ask } from '../../backend/ask';
import { BenchmarkBars } from '../../benchmark/benchmark-bars';
import { Button } from '../../components/button';
import { FaultNote } from '../../components/notes';
import { SwitchRow } from '../../components/switch-row';
import { useNow } from '../../components/use-now';
import { formatMeasure } from '../../format/measure';
import { formatAgo } from '../../format/time';
import { useBackend, useSnapshot } from '../../worker/context';
import { configure, withDevice } from '../../worker/settings';
import { useDeed } from '../../worker/use-answer';
import { Section } from './section';

/** Which devices are lent, and what they can do. */
export function DevicesSection() {
  const { t } = useTranslation();
  const { devices } = useSnapshot();
  return (
    <Section title={t('settings.devices')} text={t('settings.devices_why')}>
      <div className="grid divide-y divide-line">
        {devices.map((device) => (
          <DeviceSettings key={device.info.index} device={device} />
        ))}
      </div>
    </Section>
  );
}

function DeviceSettings({ device }: { device: DeviceView }) {
  const { t, i18n } = useTranslation();
  const backend = useBackend();
  const { settings, state } = useSnapshot();
  const now = useNow(60_000);
  const deed = useDeed();
  const { index, name } = device.info;
  const measuring = state.name === 'benchmarking' && state.device === index;
  const lend = (lent: boolean) =>
    deed.run(() => configure(backend, { devices_not_lent: withDevice(settings.devices_not_lent, index, lent) }));
  const measure = () =>
    deed.run(() => ask(backend, measuring ? { command: 'cancel_benchmark' } : { command: 'benchmark', device: index }, 'done'));
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
      {(device.benchmark || measuring) && <BenchmarkBars device={device} />}
      <div className="flex flex-wrap items-center justify-between gap-3">
        <div className="text-sm text-faint">
          <p>{measured}</p>
          {device.timed_gigaflops !== null && (
            <p className="figures">
              {t('settings.timed_by_network', {
                value: Object.values(formatMeasure('gemm_fp32', device.timed_gigaflops, i18n.language)).join(' '),
              })}
            </p>
          )}
        </div>
        <Button
          size="small"
          onClick={() => void measure()}
          disabled={deed.busy || (state.name === 'benchmarking' && !measuring)}
        >
          {measuring ? t('settings.cancel_benchmark') : t('settings.benchmark')}
        </Button>
      </div>
      {deed.fault && <FaultNote fault={deed.fault} />}
    </div>
  );
}
