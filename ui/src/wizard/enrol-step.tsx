import { ChevronRight } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { ask } from '../backend/ask';
import { Button } from '../components/button';
import { FaultNote } from '../components/notes';
import { TextField } from '../components/text-field';
import { useStateWords } from '../worker/use-state-words';
import { useBackend, useSnapshot } from '../worker/context';
import { useDeed } from '../worker/use-answer';
import { StepFrame, type StepProps } from './step-frame';

/** Joins a network: the practice one on this machine, or another by its ticket. */
export function EnrolStep({ onBack }: StepProps) {
  const { t } = useTranslation();
  const backend = useBackend();
  const { network, intent, devices, settings, wallet } = useSnapshot();
  const [ticket, setTicket] = useState('');
  const deed = useDeed();
  const joining = network !== null && deed.fault === null;
  const enrol = () =>
    void deed.run(async () => {
      await ask(backend, { command: 'enrol', ticket: ticket.trim() === '' ? null : ticket.trim() }, 'done');
      if (intent === 'off') await ask(backend, { command: 'start' }, 'done');
    });
  const choices = [
    {
      name: t('wizard.enrol.summary_devices'),
      value: devices
        .filter((device) => device.lent)
        .map((device) => device.info.name)
        .join(', '),
    },
    { name: t('wizard.enrol.summary_effort'), value: t(`effort.${settings.effort}`) },
    { name: t('wizard.enrol.summary_wallet'), value: wallet ?? t('wizard.enrol.summary_no_wallet') },
  ];
  return (
    <StepFrame step="enrol" title={t('wizard.enrol.title')} text={t('wizard.enrol.text')} onBack={onBack}>
      <dl className="card grid gap-4 p-6" aria-label={t('wizard.enrol.summary')}>
        {choices.map((choice) => (
          <div key={choice.name} className="grid gap-x-6 sm:grid-cols-[8rem_1fr]">
            <dt className="text-muted">{choice.name}</dt>
            <dd className="min-w-0 font-medium">{choice.value}</dd>
          </div>
        ))}
      </dl>
      {joining && <Joining />}
      <div className="grid justify-items-start gap-5">
        {!joining && (
          <Button look="primary" size="large" onClick={enrol} disabled={deed.busy} data-testid="enrol-start">
            {ticket.trim() === '' ? t('wizard.enrol.start') : t('wizard.enrol.start_ticket')}
          </Button>
        )}
        {deed.fault && <FaultNote fault={deed.fault} />}
        <details className="group w-full">
          <summary className="flex w-fit cursor-pointer list-none items-center gap-1.5 rounded-md text-sm text-muted hover:text-ink">
            <ChevronRight aria-hidden className="size-4 transition-transform group-open:rotate-90" />
            {t('wizard.enrol.advanced')}
          </summary>
          <div className="grid gap-3 pt-4">
            <TextField
              label={t('wizard.enrol.ticket')}
              value={ticket}
              onChange={setTicket}
              placeholder={t('wizard.enrol.ticket_placeholder')}
              monospace
            />
            {joining && ticket.trim() !== '' && (
              <Button onClick={enrol} disabled={deed.busy} className="w-fit">
                {t('wizard.enrol.start_ticket')}
              </Button>
            )}
          </div>
        </details>
      </div>
    </StepFrame>
  );
}

/** What the worker is doing to enrol, in its own state's words. */
function Joining() {
  const { t } = useTranslation();
  const words = useStateWords();
  return (
    <div role="status" className="flex items-start gap-4 rounded-2xl bg-raised p-5">
      <span aria-hidden className="mt-1.5 size-3 shrink-0 animate-breathe rounded-full bg-moon" />
      <div className="min-w-0">
        <p className="font-medium">{t('wizard.enrol.joining')}</p>
        <p className="text-sm text-muted">{t('wizard.enrol.joining_why')}</p>
        <p className="pt-2 text-sm">{words.why}</p>
      </div>
    </div>
  );
}
