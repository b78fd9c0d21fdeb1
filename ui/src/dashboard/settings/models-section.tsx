import clsx from 'clsx';
import { useTranslation } from 'react-i18next';

import { ModelFacts } from '../../models/model-facts';
import { ServeSwitch } from '../../models/serve-switch';
import { isBeingPrepared, modelOf, shiftsOf } from '../../models/shift';
import { useSnapshot, useWorker } from '../../worker/context';
import { Section } from './section';

/** The contributor's consent to serve language models, and what comes of it now. */
export function ModelsSection() {
  const { t } = useTranslation();
  return (
    <Section title={t('models.title')} text={t('models.text')}>
      <div className="grid gap-1">
        <ServeSwitch />
        <Now />
      </div>
      <div className="border-t border-line pt-5">
        <ModelFacts />
      </div>
    </Section>
  );
}

/** Which models are served now; nothing where none may be. */
function Now() {
  const { t } = useTranslation();
  const { settings, state } = useSnapshot();
  const { lost } = useWorker();
  // Of a worker out of reach nobody knows what it serves.
  if (lost || !settings.serves_models) return null;
  const shifts = shiftsOf(state);
  const lines = shifts.map((shift) =>
    t(isBeingPrepared(shift) ? 'models.now_preparing' : 'models.now_serving', { model: modelOf(shift) }),
  );
  return (
    <ul role="status" className="grid gap-1 text-sm text-muted" data-testid="models-now">
      {(lines.length > 0 ? lines : [t('models.now_none')]).map((line, at) => (
        <li key={at} className="flex items-start gap-2">
          <span
            aria-hidden
            className={clsx('mt-1.5 size-2 shrink-0 rounded-full', shifts.length > 0 ? 'bg-aurora' : 'bg-faint')}
          />
          <span className="min-w-0">{line}</span>
        </li>
      ))}
    </ul>
  );
}
