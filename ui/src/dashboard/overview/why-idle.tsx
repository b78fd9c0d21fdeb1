import { useTranslation } from 'react-i18next';

import type { Cause } from '../../bindings/Cause';
import type { Guard } from '../../bindings/Guard';
import type { Snapshot } from '../../bindings/Snapshot';
import { Button } from '../../components/button';
import { Disclosure } from '../../components/disclosure';
import { formatMoment } from '../../format/time';
import { standing } from '../../guards/trips';
import { causeClears, causeWhat, useSaying } from '../../guards/words';
import { useSnapshot, useWorker } from '../../worker/context';
import { useStateWords } from '../../worker/use-state-words';
import { Standings, standingDevices } from './standings';
import { TripHistory } from './trip-history';

/** Everything that holds a lent device free, each once. */
function causesOf({ state, devices }: Snapshot): Cause[] {
  if (state.name === 'yielding') return state.causes;
  const causes = devices.filter((device) => device.lent).flatMap((device) => device.held);
  const written = causes.map((cause) => JSON.stringify(cause));
  return causes.filter((_, n) => written.indexOf(written[n] ?? '') === n);
}

interface WhyIdleProps {
  onSettings: () => void;
  /** Opens the benchmark of a device. */
  onMeasured: (device: number) => void;
}

/** Why nothing is done, or not all that could be, what would change that, and what it cost so far. */
export function WhyIdle({ onSettings, onMeasured }: WhyIdleProps) {
  const { t } = useTranslation();
  const snapshot = useSnapshot();
  const words = useStateWords();
  const { lost } = useWorker();
  // Of a worker out of reach nobody knows what holds it back now.
  const causes = lost ? [] : causesOf(snapshot);
  const standing = lost ? [] : standingDevices(snapshot.devices);
  const works = !lost && (snapshot.state.name === 'working' || snapshot.state.name === 'benchmarking');
  const question = !works ? 'idle' : causes.length + standing.length > 0 ? 'part' : 'working';
  const none = standing.length > 0 ? t('why.no_work') : t('why.none');
  const answer = causes.length > 0 ? t('why.held', { count: causes.length }) : works ? none : words.why;
  return (
    <section aria-label={t(`why.${question}`)} className="card grid min-w-0 gap-1 p-3" data-testid="why-idle">
      <Disclosure
        title={t(`why.${question}`)}
        text={answer}
        // What holds work back is told unasked. A moment between two tasks unfolds nothing.
        opened={
          causes.length + standing.length > 0 || (snapshot.state.name === 'ready' && snapshot.state.reason !== null)
        }
        testId="why-list"
      >
        {() => (
          <div className="grid gap-4 px-3 pt-1 pb-3">
            {causes.length > 0 && (
              <ul className="grid gap-3">
                {causes.map((cause) => (
                  <Holding key={JSON.stringify(cause)} cause={cause} />
                ))}
              </ul>
            )}
            <Standings devices={standing} onMeasured={onMeasured} />
            <Stands causes={causes} />
            <Button size="small" className="w-fit" onClick={onSettings}>
              {t('why.settings')}
            </Button>
          </div>
        )}
      </Disclosure>
      <Disclosure title={t('trips.title')} text={t('trips.why')} testId="trips" className="border-t border-line pt-1">
        {() => <TripHistory />}
      </Disclosure>
    </section>
  );
}

/** One reason: what, since when, and what would end it. */
function Holding({ cause }: { cause: Cause }) {
  const { t, i18n } = useTranslation();
  const saying = useSaying();
  const since = cause.cause === 'guard' ? formatMoment(cause.since, saying.now, i18n.language) : null;
  return (
    <li data-testid="why-cause" className="flex items-start gap-3">
      <span aria-hidden className="mt-2 size-2 shrink-0 rounded-full bg-moon" />
      <div className="min-w-0">
        <p>
          <span className="font-medium">{causeWhat(cause, saying)}</span>
          {since !== null && <span className="text-sm text-faint"> {t('why.since', { when: since })}</span>}
        </p>
        <p className="text-sm text-muted">{causeClears(cause, saying)}</p>
      </div>
    </li>
  );
}

const looks = { clear: 'bg-aurora', unwatched: 'bg-faint', off: 'border border-line-strong' } as const;

/** The guards that hold nothing, in a line for each way in which they do not. */
function Stands({ causes }: { causes: readonly Cause[] }) {
  const { t, i18n } = useTranslation();
  const { guards } = useSnapshot();
  const list = (names: Guard[]) =>
    new Intl.ListFormat(i18n.language, { type: 'unit', style: 'short' }).format(names.map((guard) => t(`guard.${guard}`)));
  // While something holds, it is that which counts.
  const states = causes.length > 0 ? (['clear'] as const) : (['clear', 'unwatched', 'off'] as const);
  return (
    <ul className="grid gap-1.5 text-sm text-muted">
      {states.map((state) => {
        const names = standing(guards, state);
        if (names.length === 0) return null;
        return (
          <li key={state} className="flex items-start gap-3">
            <span aria-hidden className={`mt-1.5 size-2 shrink-0 rounded-full ${looks[state]}`} />
            <span className="min-w-0">{t(`why.${state}`, { guards: list(names) })}</span>
          </li>
        );
      })}
    </ul>
  );
}
