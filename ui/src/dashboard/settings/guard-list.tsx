import clsx from 'clsx';
import { useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { Guard } from '../../bindings/Guard';
import type { GuardRules } from '../../bindings/GuardRules';
import type { GuardState } from '../../bindings/GuardState';
import { FaultNote } from '../../components/notes';
import { SwitchRow } from '../../components/switch-row';
import { formatMoment } from '../../format/time';
import { switched, wants } from '../../guards/rules';
import { useGuardRules } from '../../guards/use-rules';
import { tripWhat, useSaying } from '../../guards/words';
import { useSnapshot } from '../../worker/context';
import { GuardDetail } from './guard-detail';

/** Every guard: whether it is wanted, from where on, and where it stands. */
export function GuardList() {
  const { t } = useTranslation();
  const { guards } = useSnapshot();
  const { rules, change, fault } = useGuardRules();
  // A list without a program is the same as no such guard, so that only this window knows that one is being made.
  const [isListing, setListing] = useState(false);
  const earlier = useRef<Partial<GuardRules>>({});
  const choose = (guard: Guard, wanted: boolean) => {
    if (guard === 'program') setListing(wanted);
    const next = switched(guard, wanted, earlier.current);
    // What was chosen in detail comes back with the switch.
    if (!wanted) earlier.current = { ...earlier.current, ...pick(rules, next) };
    change(next);
  };
  return (
    <div className="grid gap-3 px-3 pt-2">
      <ul className="grid divide-y divide-line">
        {guards.map(({ guard, stand }) => {
          const wanted = wants(rules, guard) || (guard === 'program' && isListing);
          return (
            <li key={guard} data-testid={`guard-${guard}`} data-state={stand.state} className="min-w-0">
              <SwitchRow
                title={t(`guard.${guard}`)}
                why={t(`guard.${guard}_why`)}
                note={stand.state === 'clear' && <Clear />}
                checked={wanted}
                onChange={(next) => choose(guard, next)}
                testId={`guard-${guard}-wanted`}
              />
              <Stand stand={stand} />
              {wanted && <GuardDetail guard={guard} rules={rules} onChange={change} />}
            </li>
          );
        })}
      </ul>
      {fault && <FaultNote fault={fault} />}
    </div>
  );
}

function pick(rules: GuardRules, like: Partial<GuardRules>): Partial<GuardRules> {
  return Object.fromEntries(Object.entries(rules).filter(([key]) => key in like));
}

const dots = { clear: 'bg-aurora', unwatched: 'bg-faint', tripped: 'bg-moon' } as const;

function Dot({ state }: { state: keyof typeof dots }) {
  return <span aria-hidden className={clsx('mt-1.5 size-2 shrink-0 rounded-full', dots[state])} />;
}

/** That a guard holds nothing, in a word. */
function Clear() {
  const { t } = useTranslation();
  return (
    <span className="flex items-start gap-1.5 text-sm text-faint">
      <Dot state="clear" />
      {t('guard.clear')}
    </span>
  );
}

/** What a guard holds, or why it cannot. */
function Stand({ stand }: { stand: GuardState }) {
  const { t, i18n } = useTranslation();
  const saying = useSaying();
  if (stand.state === 'off' || stand.state === 'clear') return null;
  const lines =
    stand.state === 'tripped'
      ? stand.trips.map(({ trip, since, until }) => {
          const when = formatMoment(since, saying.now, i18n.language);
          return `${tripWhat(trip, until, saying)} ${t('guard.since', { when })}`;
        })
      : [t('guard.unwatched')];
  return (
    <ul className="grid gap-1 pb-3 text-sm text-muted">
      {lines.map((line) => (
        <li key={line} className="flex items-start gap-2">
          <Dot state={stand.state} />
          <span className="min-w-0">{line}</span>
        </li>
      ))}
    </ul>
  );
}
