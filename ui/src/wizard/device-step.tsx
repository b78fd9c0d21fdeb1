import { Cpu } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import type { DeviceView } from '../bindings/DeviceView';
import { EmptyNote, FaultNote, LoadingRows } from '../components/notes';
import { Tick } from '../components/tick';
import { formatGibibytes } from '../format/measure';
import { useBackend, useSnapshot } from '../worker/context';
import { configure, withDevice } from '../worker/settings';
import { useDeed } from '../worker/use-answer';
import { StepFrame, type StepProps } from './step-frame';

/** Which devices there are, and which of them are lent. */
export function DeviceStep({ onNext, onBack }: StepProps) {
  const { t, i18n } = useTranslation();
  const backend = useBackend();
  const { devices, steps, hardware, settings, state } = useSnapshot();
  const deed = useDeed();
  const lend = (device: number, lent: boolean) =>
    void deed.run(() =>
      configure(backend, { devices_not_lent: withDevice(settings.devices_not_lent, device, lent) }),
    );
  return (
    <StepFrame
      step="device"
      title={t('wizard.device.title')}
      text={t('wizard.device.text')}
      onBack={onBack}
      next={{ onPress: onNext, disabled: !devices.some((device) => device.lent) }}
    >
      <div className="grid gap-3">
        {state.name === 'faulted' && <FaultNote fault={state.fault} />}
        {!steps.devices_found && state.name !== 'faulted' && (
          <div className="card">
            <p className="px-5 pt-5 font-medium">{t('wizard.device.searching')}</p>
            <p className="px-5 text-sm text-muted">{t('wizard.device.searching_why')}</p>
            <LoadingRows rows={2} />
          </div>
        )}
        {steps.devices_found && devices.length === 0 && (
          <div className="card">
            <EmptyNote
              title={t('wizard.device.none')}
              why={t('wizard.device.none_why')}
              mark={<Cpu className="size-8" />}
            />
          </div>
        )}
        {devices.map((device) => (
          <DeviceChoice key={device.info.index} device={device} onLend={(lent) => lend(device.info.index, lent)} />
        ))}
        {devices.length > 0 && !devices.some((device) => device.lent) && (
          <p role="status" className="text-sm text-ember">
            {t('wizard.device.none_lent')}
          </p>
        )}
        {deed.fault && <FaultNote fault={deed.fault} />}
        {hardware && (
          <p className="pt-2 text-sm text-faint">
            {t('wizard.device.machine', {
              cpu: hardware.cpu,
              memory: formatGibibytes(hardware.memory_bytes, i18n.language),
              os: hardware.os,
            })}
          </p>
        )}
      </div>
    </StepFrame>
  );
}

function DeviceChoice({ device, onLend }: { device: DeviceView; onLend: (lent: boolean) => void }) {
  const { t, i18n } = useTranslation();
  const { info } = device;
  const facts = [
    {
      name: t('wizard.device.memory'),
      value: info.vram_bytes === null ? t('common.unknown') : `${formatGibibytes(info.vram_bytes, i18n.language)} GiB`,
    },
    { name: t('wizard.device.interface'), value: info.backend },
    { name: t('wizard.device.driver'), value: info.driver },
  ];
  return (
    <div className="card flex animate-arrive gap-4 p-5 has-data-[state=checked]:border-moon/70">
      <Tick
        id={`device-${info.index}`}
        checked={device.lent}
        onChange={onLend}
        label={t('wizard.device.lend', { device: info.name })}
      />
      <div className="grid min-w-0 flex-1 gap-3">
        <label htmlFor={`device-${info.index}`}>
          <span className="block text-sm text-muted">{t(`device.kind.${info.kind}`)}</span>
          <span className="font-display text-xl font-semibold">{info.name}</span>
        </label>
        {info.kind === 'software' && <p className="text-sm text-muted">{t('wizard.device.software')}</p>}
        <dl className="flex flex-wrap gap-x-8 gap-y-2 text-sm">
          {facts.map((fact) => (
            <div key={fact.name} className="min-w-0">
              <dt className="text-faint">{fact.name}</dt>
              <dd>{fact.value}</dd>
            </div>
          ))}
        </dl>
      </div>
    </div>
  );
}
