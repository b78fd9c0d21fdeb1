import type { TFunction } from 'i18next';
import { useTranslation } from 'react-i18next';

import type { Cause } from '../bindings/Cause';
import type { GuardRules } from '../bindings/GuardRules';
import type { PauseUntil } from '../bindings/PauseUntil';
import type { Snapshot } from '../bindings/Snapshot';
import type { Trip } from '../bindings/Trip';
import type { UnixMillis } from '../bindings/UnixMillis';
import { useNow } from '../components/use-now';
import { formatGibibytes, formatGigabytes, formatNumber } from '../format/measure';
import { formatMoney } from '../format/money';
import { formatComing, formatCountdown, formatMoment } from '../format/time';
import { useSnapshot } from '../worker/context';
import { DEFAULT_HEAT, DISK_CLEARS_ABOVE, HEAT_CLEARS_BELOW, QUIET_CLEARS_AT } from './rules';

/** What a sentence about guards is made of. */
export interface Saying {
  t: TFunction;
  language: string;
  now: number;
  snapshot: Pick<Snapshot, 'data' | 'devices' | 'settings'>;
}

/** For sentences that count down by themselves. */
export function useSaying(): Saying {
  const { t, i18n } = useTranslation();
  const snapshot = useSnapshot();
  const now = useNow(1000);
  return { t, language: i18n.language, now, snapshot };
}

function deviceName(index: number, { t, snapshot }: Saying): string {
  return snapshot.devices.find((device) => device.info.index === index)?.info.name ?? t('device.kind.other');
}

/** Why a device is held free, as a sentence. */
export function causeWhat(cause: Cause, saying: Saying): string {
  switch (cause.cause) {
    case 'paused':
      return pausedWhat(cause.device, cause.until, saying);
    case 'guard':
      return tripWhat(cause.trip, cause.until, saying);
    case 'resume_delay':
      return saying.t('cause.resume_delay');
  }
}

/** What would end that, as a sentence. */
export function causeClears(cause: Cause, saying: Saying): string {
  const { t, now } = saying;
  switch (cause.cause) {
    case 'paused':
      if (typeof cause.until === 'object') return t('clears.paused_until');
      return cause.until === 'restart' ? t('clears.paused_restart') : t('clears.paused_resumed');
    case 'guard':
      return tripClears(cause.trip, cause.until, saying);
    case 'resume_delay':
      return t('clears.resume_delay', { time: formatCountdown(cause.until - now) });
  }
}

function pausedWhat(index: number | null, until: PauseUntil, saying: Saying): string {
  const { t, language, now } = saying;
  const device = index === null ? null : deviceName(index, saying);
  if (typeof until === 'object') {
    const time = formatComing(until.instant, now, language);
    return device === null ? t('cause.paused_until', { time }) : t('cause.paused_device_until', { device, time });
  }
  if (until === 'restart')
    return device === null ? t('cause.paused_restart') : t('cause.paused_device_restart', { device });
  return device === null ? t('cause.paused_resumed') : t('cause.paused_device_resumed', { device });
}

/** Why a guard holds a device free; `until` is when that ends by itself. */
export function tripWhat(trip: Trip, until: UnixMillis | null, saying: Saying): string {
  const { t, language } = saying;
  switch (trip.guard) {
    case 'full_screen':
      return trip.program === null ? t('cause.full_screen_unnamed') : t('cause.full_screen', { program: trip.program });
    case 'gpu_use': {
      const named = { program: trip.program ?? t('cause.another_program'), device: deviceName(trip.device, saying) };
      return trip.need === 'time' ? t('cause.gpu_time', named) : t('cause.gpu_memory', named);
    }
    case 'presence':
      return until === null ? t('cause.presence') : t('cause.presence_past');
    case 'program':
      return t('cause.program', { program: trip.program });
    case 'hours':
      return t('cause.hours');
    case 'battery':
      return trip.percent === null ? t('cause.battery_unknown') : t('cause.battery', { percent: trip.percent });
    case 'heat':
      return t(`cause.heat_${trip.sensor}`, { device: deviceName(trip.device, saying), celsius: trip.celsius });
    case 'quiet':
      return t(`cause.quiet_${trip.much}`, { device: deviceName(trip.device, saying), value: trip.value });
    case 'margin':
      return marginWhat(trip, saying);
    case 'metered':
      return t('cause.metered');
    case 'data_cap': {
      const said = { used: formatGigabytes(trip.used_bytes, language), cap: formatGigabytes(trip.cap_bytes, language) };
      return t(`cause.data_${trip.direction}`, said);
    }
    case 'disk':
      return t('cause.disk', { free: formatGibibytes(trip.free_bytes, language) });
  }
}

function marginWhat(trip: Trip & { guard: 'margin' }, saying: Saying): string {
  const { t, language } = saying;
  const said = { device: deviceName(trip.device, saying), amount: formatMoney(Math.abs(trip.per_hour), language) };
  const what = trip.per_hour < 0 ? t('cause.margin_loss', said) : t('cause.margin_little', said);
  return trip.power_measured ? what : `${what} ${t('cause.margin_estimated')}`;
}

function tripClears(trip: Trip, until: UnixMillis | null, { t, language, now, snapshot }: Saying): string {
  const rules: GuardRules = snapshot.settings.guards;
  switch (trip.guard) {
    case 'full_screen':
      return trip.program === null ? t('clears.full_screen_unnamed') : t('clears.full_screen', { program: trip.program });
    case 'gpu_use':
      return trip.program === null ? t('clears.gpu_use_unnamed') : t('clears.gpu_use', { program: trip.program });
    case 'presence':
      return until === null
        ? t('clears.presence', { count: rules.away_minutes ?? 1 })
        : t('clears.presence_until', { time: formatComing(until, now, language) });
    case 'program':
      return t('clears.program', { program: trip.program });
    case 'hours':
      return until === null ? t('clears.hours_open') : t('clears.hours', { time: formatComing(until, now, language) });
    case 'battery':
      return t('clears.battery');
    case 'heat':
      return t('clears.heat', { celsius: (rules.heat ?? DEFAULT_HEAT)[trip.sensor] - HEAT_CLEARS_BELOW });
    case 'quiet': {
      const limit = trip.much === 'fan' ? rules.quiet?.fan_percent : rules.quiet?.power_watts;
      return t(`clears.quiet_${trip.much}`, { value: Math.floor((limit ?? trip.value) * QUIET_CLEARS_AT) });
    }
    case 'margin':
      return t('clears.margin');
    case 'metered':
      return t('clears.metered');
    case 'data_cap':
      return t('clears.data_cap', { time: formatMoment(until ?? snapshot.data.ends_at, now, language) });
    case 'disk':
      return t('clears.disk', { free: formatNumber((rules.disk_free_gib ?? 1) * DISK_CLEARS_ABOVE, language) });
  }
}

/** Which guard it was and what it saw, in a few words, for what is over. */
export function tripSubject(trip: Trip, saying: Saying): string {
  const { t, language } = saying;
  const parts = [
    t(`guard.${trip.guard}`),
    'program' in trip ? trip.program : null,
    'device' in trip ? deviceName(trip.device, saying) : null,
    trip.guard === 'heat' ? `${trip.celsius} °C` : null,
    trip.guard === 'quiet' ? (trip.much === 'fan' ? `${trip.value} %` : `${trip.value} W`) : null,
    trip.guard === 'battery' && trip.percent !== null ? `${trip.percent} %` : null,
    trip.guard === 'data_cap' ? `${formatGigabytes(trip.used_bytes, language)} GB` : null,
    trip.guard === 'disk' ? `${formatGibibytes(trip.free_bytes, language)} GiB` : null,
  ];
  return parts.filter((part) => part !== null).join(' · ');
}
