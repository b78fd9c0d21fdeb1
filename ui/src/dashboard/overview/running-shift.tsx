import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';

import type { AssignmentView } from '../../bindings/AssignmentView';
import type { ShiftView } from '../../bindings/ShiftView';
import { Money } from '../../components/money';
import { formatPercent } from '../../format/measure';
import { formatMoney } from '../../format/money';
import { modelOf } from '../../models/shift';
import { useShiftWords } from '../../models/use-shift-words';

/**
 * A model that is served: how many texts, how fast, for what. Nothing of the texts is shown, as they are the customers'.
 * A shift has a time and no goal, so that there is no progress to show.
 */
export function RunningShift({ assignment }: { assignment: AssignmentView }) {
  const { t, i18n } = useTranslation();
  const { shift, stage, fraction } = assignment;
  const time = t('shift.time', { share: formatPercent(Math.min(1, fraction), i18n.language) });
  return (
    <div className="grid gap-3 rounded-2xl bg-(--sky-top)/40 p-4" data-testid="shift">
      <div className="flex flex-wrap items-baseline justify-between gap-x-4">
        <p className="min-w-0 text-base font-medium">{modelOf(assignment)}</p>
        {shift && <p className="figures text-on-sky-muted">{time}</p>}
      </div>
      {shift ? <Figures shift={shift} /> : <p className="text-on-sky-muted">{t(`shift.stage.${stage}`)}</p>}
    </div>
  );
}

function Figures({ shift }: { shift: ShiftView }) {
  const { t, i18n } = useTranslation();
  const words = useShiftWords()(shift);
  return (
    <dl className="grid grid-cols-[repeat(auto-fit,minmax(9.5rem,1fr))] gap-x-5 gap-y-3">
      <Figure name={t('shift.now')}>{words.texts}</Figure>
      <Figure name={t('shift.how_fast')}>{words.speed}</Figure>
      <Figure name={t('shift.so_far')}>{words.generated}</Figure>
      <Figure name={t('shift.pays')}>
        <Money units={shift.price_per_1000_generated_tokens} flat />
        <span className="block text-on-sky-muted">
          {t('shift.pays_read', { amount: formatMoney(shift.price_per_1000_prompt_tokens, i18n.language) })}
        </span>
      </Figure>
    </dl>
  );
}

function Figure({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-on-sky-muted">{name}</dt>
      <dd className="figures">{children}</dd>
    </div>
  );
}
