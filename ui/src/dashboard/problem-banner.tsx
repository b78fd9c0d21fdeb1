import { TriangleAlert } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import { ask } from '../backend/ask';
import { Button } from '../components/button';
import { useFaultSentence } from '../i18n/use-fault';
import { useBackend, useWorker } from '../worker/context';
import { useDeed } from '../worker/use-answer';

/** What is wrong and what to do about it, above every page; nothing while nothing is wrong. */
export function ProblemBanner() {
  const { t } = useTranslation();
  const backend = useBackend();
  const { snapshot, lost } = useWorker();
  const sentence = useFaultSentence();
  const deed = useDeed();
  const faulted = snapshot?.state.name === 'faulted' ? snapshot.state : null;
  const fault = lost ?? faulted?.fault;
  if (!fault) return null;
  const title = lost ? t('problem.lost_title') : t('problem.faulted_title');
  const stuck = faulted?.retry_at === null;
  const todo = lost ? t('problem.lost_todo') : stuck ? t('problem.faulted_stuck') : t('problem.faulted_retry');
  return (
    <div
      role="alert"
      aria-label={t('problem.label')}
      data-testid="problem"
      data-code={fault.code}
      className="mb-5 flex animate-arrive flex-wrap items-start gap-x-5 gap-y-3 rounded-2xl border border-ember/40 bg-ember-ground p-5"
    >
      <TriangleAlert aria-hidden className="mt-0.5 size-6 shrink-0 text-ember" strokeWidth={1.75} />
      <div className="min-w-0 flex-1 basis-64">
        <p className="font-display text-lg font-semibold text-ember">{title}</p>
        <p>{sentence(fault)}</p>
        <p className="text-sm text-muted">{todo}</p>
        {deed.fault && <p className="text-sm text-ember">{sentence(deed.fault)}</p>}
      </div>
      {!lost && (
        <Button look="danger" disabled={deed.busy} onClick={() => void deed.run(() => ask(backend, { command: 'start' }, 'done'))}>
          {t('problem.start_again')}
        </Button>
      )}
    </div>
  );
}
