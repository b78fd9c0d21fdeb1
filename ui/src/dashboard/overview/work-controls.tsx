import { ChevronDown, Pause, Play } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import type { Command } from '../../bindings/Command';
import { ask } from '../../backend/ask';
import { Button } from '../../components/button';
import { endsByHand } from '../../guards/causes';
import { useFaultSentence } from '../../i18n/use-fault';
import { useBackend, useWorker } from '../../worker/context';
import { useDeed } from '../../worker/use-answer';
import { PauseMenu } from './pause-menu';

const onSky =
  'border-(--on-sky)/30 bg-(--sky-top)/40 text-on-sky backdrop-blur-sm hover:bg-(--sky-top)/70 disabled:text-on-sky-muted';

/** Start, pause and resume. */
export function WorkControls() {
  const { t } = useTranslation();
  const backend = useBackend();
  const { snapshot, lost } = useWorker();
  const sentence = useFaultSentence();
  const deed = useDeed();
  if (!snapshot) return null;
  const send = (command: Command) => void deed.run(() => ask(backend, command, 'done'));
  const disabled = deed.busy || lost !== null;
  const { state, intent } = snapshot;
  const isOff = intent === 'off' || state.name === 'stopped';
  return (
    <div className="grid gap-2">
      <div className="flex flex-wrap gap-2.5">
        {state.name === 'yielding' && state.causes.some(endsByHand) ? (
          <Button
            look="primary"
            onClick={() => send({ command: 'resume', device: null })}
            disabled={disabled}
            data-testid="resume"
          >
            <Play aria-hidden className="size-4" />
            {t('control.resume')}
          </Button>
        ) : isOff ? (
          <Button look="primary" onClick={() => send({ command: 'start' })} disabled={disabled} data-testid="start">
            <Play aria-hidden className="size-4" />
            {t('control.start')}
          </Button>
        ) : (
          <PauseMenu device={null} onChoose={send}>
            <Button className={onSky} disabled={disabled} data-testid="pause">
              <Pause aria-hidden className="size-4" />
              {t('control.pause')}
              <ChevronDown aria-hidden className="size-4" />
            </Button>
          </PauseMenu>
        )}
      </div>
      {deed.fault && (
        <p role="alert" className="text-sm">
          {sentence(deed.fault)}
        </p>
      )}
    </div>
  );
}
