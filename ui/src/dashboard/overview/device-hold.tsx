import { ChevronDown, Pause, Play } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import type { Cause } from '../../bindings/Cause';
import type { Command } from '../../bindings/Command';
import type { DeviceView } from '../../bindings/DeviceView';
import { ask } from '../../backend/ask';
import { Button } from '../../components/button';
import { FaultNote } from '../../components/notes';
import { deviceOfCause, endsByHand } from '../../guards/causes';
import { causeClears, causeWhat, useSaying } from '../../guards/words';
import { useBackend, useSnapshot, useWorker } from '../../worker/context';
import { useDeed } from '../../worker/use-answer';
import { PauseMenu } from './pause-menu';

/** Why this device alone is held free: what holds all of them is said once, above. */
function ownCauses(device: DeviceView, isYielding: boolean): Cause[] {
  return device.held.filter((cause) => {
    if (cause.cause === 'resume_delay') return !isYielding;
    return deviceOfCause(cause) === device.info.index;
  });
}

/** Whether one device is held free while others may work, why, and how to end or begin that by hand. */
export function DeviceHold({ device }: { device: DeviceView }) {
  const { t } = useTranslation();
  const backend = useBackend();
  const { lost } = useWorker();
  const { devices, state, intent } = useSnapshot();
  const saying = useSaying();
  const deed = useDeed();
  const { index, name } = device.info;
  const causes = ownCauses(device, state.name === 'yielding');
  const isOnly = devices.filter((other) => other.lent).length < 2;
  const send = (command: Command) => void deed.run(() => ask(backend, command, 'done'));
  const disabled = deed.busy || lost !== null;
  const canResume = causes.some(endsByHand);
  // To pause the only device is to pause all, which is done above.
  const canPause = !canResume && device.lent && !isOnly && intent === 'on';
  if (causes.length === 0 && !canPause) return null;
  return (
    <div className="grid gap-3" data-testid={`device-hold-${index}`}>
      {causes.length > 0 && (
        <ul className="grid gap-2 rounded-xl bg-raised p-4 text-sm">
          {causes.map((cause, n) => (
            <li key={n}>
              <p className="font-medium">{causeWhat(cause, saying)}</p>
              <p className="text-muted">{causeClears(cause, saying)}</p>
            </li>
          ))}
        </ul>
      )}
      {canResume && (
        <Button
          size="small"
          className="w-fit"
          onClick={() => send({ command: 'resume', device: index })}
          disabled={disabled}
          aria-label={t('control.resume_device', { device: name })}
          data-testid={`resume-${index}`}
        >
          <Play aria-hidden className="size-3.5" />
          {t('control.resume')}
        </Button>
      )}
      {canPause && (
        <PauseMenu device={index} onChoose={send}>
          <Button
            size="small"
            className="w-fit"
            disabled={disabled}
            aria-label={t('control.pause_device', { device: name })}
            data-testid={`pause-${index}`}
          >
            <Pause aria-hidden className="size-3.5" />
            {t('control.pause')}
            <ChevronDown aria-hidden className="size-3.5" />
          </Button>
        </PauseMenu>
      )}
      {deed.fault && <FaultNote fault={deed.fault} />}
    </div>
  );
}
