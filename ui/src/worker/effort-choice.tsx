import clsx from 'clsx';
import { useTranslation } from 'react-i18next';

import { ChoiceCards } from '../components/choice-cards';
import { FaultNote } from '../components/notes';
import { useBackend, useSnapshot } from './context';
import { configure } from './settings';
import { useDeed } from './use-answer';

const efforts = ['quiet', 'balanced', 'full'] as const;

/** How hard to work. */
export function EffortChoice({ label }: { label: string }) {
  const { t } = useTranslation();
  const backend = useBackend();
  const { effort } = useSnapshot().settings;
  const deed = useDeed();
  return (
    <div className="grid gap-3">
      <ChoiceCards
        label={label}
        value={effort}
        options={efforts.map((value, strength) => ({
          value,
          title: t(`effort.${value}`),
          why: t(`effort.${value}_why`),
          mark: (
            <span aria-hidden className="mb-2 flex h-6 items-end gap-1">
              {efforts.map((_, bar) => (
                <span
                  key={bar}
                  className={clsx('w-2 rounded-sm', bar <= strength ? 'bg-moon' : 'bg-line-strong')}
                  style={{ height: `${(bar + 1) * 33}%` }}
                />
              ))}
            </span>
          ),
        }))}
        onChange={(next) => void deed.run(() => configure(backend, { effort: next }))}
      />
      {deed.fault && <FaultNote fault={deed.fault} />}
    </div>
  );
}
