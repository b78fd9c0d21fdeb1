import { useTranslation } from 'react-i18next';

import { FaultNote } from '../components/notes';
import { Tick } from '../components/tick';
import { useBackend, useSnapshot } from '../worker/context';
import { configure } from '../worker/settings';
import { useDeed } from '../worker/use-answer';
import { intentNames, intentStand, tellsFan, withIntent } from './intents';

/** When work is wanted, in a person's words: each choice sets some guards. */
export function IntentChoices({ label }: { label: string }) {
  const { t } = useTranslation();
  const backend = useBackend();
  const { settings, devices } = useSnapshot();
  const hasFan = tellsFan(devices);
  const deed = useDeed();
  return (
    <div className="grid gap-3">
      <ul aria-label={label} className="grid gap-2.5">
        {intentNames.map((name) => {
          const stand = intentStand(settings, name, hasFan);
          const id = `intent-${name}`;
          return (
            <li
              key={name}
              data-testid={id}
              data-stand={stand}
              className="flex gap-3.5 rounded-2xl border border-line bg-surface p-4 has-data-[state=checked]:border-moon/70"
            >
              <Tick
                id={id}
                checked={stand === 'changed' ? 'indeterminate' : stand === 'on'}
                onChange={(wanted) =>
                  void deed.run(() => configure(backend, withIntent(settings, name, wanted, hasFan)))
                }
                describedBy={`${id}-sets`}
                testId={`${id}-wanted`}
              />
              <div className="grid min-w-0 flex-1 gap-0.5">
                <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
                  <label htmlFor={id} className="font-medium">
                    {t(`intent.${name}`)}
                  </label>
                  {stand === 'changed' && (
                    <span className="rounded-full border border-moon/40 px-2.5 py-0.5 text-xs font-medium text-moon">
                      {t('intent.changed')}
                    </span>
                  )}
                </div>
                <p id={`${id}-sets`} className="text-sm text-pretty text-muted">
                  {t(name === 'quiet' && hasFan ? 'intent.quiet_fan_sets' : `intent.${name}_sets`)}
                </p>
              </div>
            </li>
          );
        })}
      </ul>
      {deed.fault && <FaultNote fault={deed.fault} />}
    </div>
  );
}
