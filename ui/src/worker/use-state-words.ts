import type { TFunction } from 'i18next';
import { useTranslation } from 'react-i18next';

import type { Cause } from '../bindings/Cause';
import type { Fault } from '../bindings/Fault';
import type { Snapshot } from '../bindings/Snapshot';
import { useNow } from '../components/use-now';
import { formatCountdown } from '../format/time';
import { causeClears, causeWhat, type Saying as GuardSaying } from '../guards/words';
import { useFaultSentence } from '../i18n/use-fault';
import { isBeingPrepared, isShiftKind, modelOf } from '../models/shift';
import { useWorker } from './context';

/** What the worker is doing, and why, in the contributor's language. */
export interface StateWords {
  title: string;
  why: string;
}

interface Saying {
  t: TFunction;
  language: string;
  now: number;
  sentence: (fault: Fault) => string;
}

/** The words for the present state; they count down by themselves. */
export function useStateWords(): StateWords {
  const { t, i18n } = useTranslation();
  const { snapshot, lost } = useWorker();
  const sentence = useFaultSentence();
  const now = useNow(1000);
  if (lost || !snapshot) return { title: t('state.lost.title'), why: t('state.lost.why') };
  const saying = { t, language: i18n.language, now, sentence };
  return { title: t(`state.${snapshot.state.name}.title`), why: stateWhy(snapshot, saying) };
}

/** The sentence for one state. */
export function stateWhy(snapshot: Snapshot, { t, language, now, sentence }: Saying): string {
  const { state } = snapshot;
  switch (state.name) {
    case 'stopped':
      return t('state.stopped.why');
    case 'starting':
      return t('state.starting.why');
    case 'benchmarking': {
      const device = snapshot.devices.find((d) => d.info.index === state.device)?.info.name;
      return t('state.benchmarking.why', { device: device ?? t('device.kind.other') });
    }
    case 'connecting': {
      const retry =
        state.retry_at === null ? '' : ` ${t('state.connecting.why_retry', { time: formatCountdown(state.retry_at - now) })}`;
      if (state.fault) return t('state.connecting.why_fault', { fault: sentence(state.fault) }) + retry;
      const doing = snapshot.steps.enrolled ? t('state.connecting.why') : t('state.connecting.why_enrolling');
      return doing + retry;
    }
    case 'ready':
      return state.reason
        ? t('state.ready.why_reason', { reason: sentence(state.reason) })
        : t('state.ready.why');
    case 'working': {
      const [first] = state.assignments;
      if (!first) return t('state.ready.why');
      const { job_title: job, customer_name: customer } = first;
      const count = state.assignments.length;
      if (isShiftKind(first.kind)) {
        const model = modelOf(first);
        if (count > 1) return t('state.working.why_many_shift', { count, model });
        return t(isBeingPrepared(first) ? 'state.working.why_preparing' : 'state.working.why_shift', { model });
      }
      if (count === 1) return t('state.working.why_single', { job, customer });
      return t('state.working.why_many', { count, job, customer });
    }
    case 'yielding':
      return heldWhy(state.causes, { t, language, now, snapshot });
    case 'draining':
      return t('state.draining.why', { time: formatCountdown(state.deadline - now) });
    case 'faulted': {
      const fault = sentence(state.fault);
      if (state.retry_at === null) return t('state.faulted.why_stuck', { fault });
      return t('state.faulted.why_retry', { fault, time: formatCountdown(state.retry_at - now) });
    }
  }
}

/** Why devices are held free: what would end it too, where that is one thing; the rest is a list's. */
function heldWhy(causes: readonly Cause[], saying: GuardSaying): string {
  const [first, ...others] = causes;
  if (!first) return saying.t('state.yielding.why');
  const what = causeWhat(first, saying);
  if (others.length === 0) return `${what} ${causeClears(first, saying)}`;
  return `${what} ${saying.t('cause.others', { count: others.length })}`;
}
