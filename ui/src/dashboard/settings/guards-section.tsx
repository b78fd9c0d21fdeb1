import clsx from 'clsx';
import { useTranslation } from 'react-i18next';

import type { Guard } from '../../bindings/Guard';
import type { GuardState } from '../../bindings/GuardState';
import { FaultNote } from '../../components/notes';
import { SwitchRow } from '../../components/switch-row';
import { useNow } from '../../components/use-now';
import { formatMoment } from '../../format/time';
import { useBackend, useSnapshot } from '../../worker/context';
import { configure } from '../../worker/settings';
import { useDeed } from '../../worker/use-answer';
import { Section } from './section';

/** What holds the GPU free by itself, where each of it stands, and whether the contributor wants it. */
export function GuardsSection() {
  const { t } = useTranslation();
  const backend = useBackend();
  const { guards, settings } = useSnapshot();
  const now = useNow(60_000);
  const deed = useDeed();
  const choose = (guard: Guard, wanted: boolean) =>
    void deed.run(() => configure(backend, { guards: { ...settings.guards, [guard]: wanted } }));
  if (guards.length === 0) return null;
  return (
    <Section title={t('settings.guards')} text={t('settings.guards_why')}>
      <ul className="grid divide-y divide-line">
        {guards.map(({ guard, stand }) => (
          <li key={guard} data-testid={`guard-${guard}`} data-state={stand.state}>
            <SwitchRow
              title={t(`guard.${guard}`)}
              why={t(`guard.${guard}_why`)}
              checked={settings.guards[guard]}
              disabled={deed.busy}
              onChange={(wanted) => choose(guard, wanted)}
              testId={`guard-${guard}-wanted`}
            />
            <Stand stand={stand} now={now} />
          </li>
        ))}
      </ul>
      {deed.fault && <FaultNote fault={deed.fault} />}
    </Section>
  );
}

const dots = { clear: 'bg-aurora', unwatched: 'bg-faint', tripped: 'bg-moon' } as const;

function Stand({ stand, now }: { stand: GuardState; now: number }) {
  const { t, i18n } = useTranslation();
  if (stand.state === 'off') return null;
  return (
    <p className="flex items-center gap-2 pb-3 text-sm text-muted">
      <span aria-hidden className={clsx('size-2 shrink-0 rounded-full', dots[stand.state])} />
      {stand.state === 'tripped'
        ? t('guard.tripped', { when: formatMoment(stand.since, now, i18n.language) })
        : t(`guard.${stand.state}`)}
    </p>
  );
}
