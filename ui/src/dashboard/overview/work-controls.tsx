import { ChevronDown, Pause, Play } from 'lucide-react';
import { DropdownMenu } from 'radix-ui';
import { useTranslation } from 'react-i18next';

import type { Cause } from '../../bindings/Cause';
import type { Command } from '../../bindings/Command';
import { ask } from '../../backend/ask';
import { Button } from '../../components/button';
import { useFaultSentence } from '../../i18n/use-fault';
import { useBackend, useWorker } from '../../worker/context';
import { useDeed } from '../../worker/use-answer';

const onSky =
  'border-(--on-sky)/30 bg-(--sky-top)/40 text-on-sky backdrop-blur-sm hover:bg-(--sky-top)/70 disabled:text-on-sky-muted';

/** Whether a person ends it by resuming: a game goes on all the same. */
const endsByHand = (cause: Cause) => cause.guard === 'paused' || cause.guard === 'resume_delay';

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
          <Button look="primary" onClick={() => send({ command: 'resume' })} disabled={disabled} data-testid="resume">
            <Play aria-hidden className="size-4" />
            {t('control.resume')}
          </Button>
        ) : isOff ? (
          <Button look="primary" onClick={() => send({ command: 'start' })} disabled={disabled} data-testid="start">
            <Play aria-hidden className="size-4" />
            {t('control.start')}
          </Button>
        ) : (
          <DropdownMenu.Root modal={false}>
            <DropdownMenu.Trigger asChild>
              <Button className={onSky} disabled={disabled} data-testid="pause">
                <Pause aria-hidden className="size-4" />
                {t('control.pause')}
                <ChevronDown aria-hidden className="size-4" />
              </Button>
            </DropdownMenu.Trigger>
            <DropdownMenu.Portal>
              <DropdownMenu.Content
                align="start"
                sideOffset={6}
                className="z-40 min-w-48 animate-arrive rounded-2xl border border-line-strong bg-raised p-1.5 shadow-card"
              >
                <PauseItem
                  label={t('control.pause_hour')}
                  testId="pause-hour"
                  onSelect={() => send({ command: 'pause', duration: { minutes: 60 } })}
                />
                <PauseItem
                  label={t('control.pause_restart')}
                  testId="pause-restart"
                  onSelect={() => send({ command: 'pause', duration: 'until_restart' })}
                />
                <DropdownMenu.Separator className="my-1 h-px bg-line" />
                <PauseItem label={t('control.stop')} testId="stop" onSelect={() => send({ command: 'stop' })} />
              </DropdownMenu.Content>
            </DropdownMenu.Portal>
          </DropdownMenu.Root>
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

function PauseItem({ label, testId, onSelect }: { label: string; testId: string; onSelect: () => void }) {
  return (
    <DropdownMenu.Item
      onSelect={onSelect}
      data-testid={testId}
      className="rounded-xl px-3 py-2 text-sm outline-none data-highlighted:bg-line"
    >
      {label}
    </DropdownMenu.Item>
  );
}
