import { beforeAll, describe, expect, it } from 'vitest';

import type { Cause } from '../src/bindings/Cause';
import type { DeviceView } from '../src/bindings/DeviceView';
import type { GuardRules } from '../src/bindings/GuardRules';
import type { Settings } from '../src/bindings/Settings';
import type { Trip } from '../src/bindings/Trip';
import type { TripRow } from '../src/bindings/TripRow';
import { simulatedHardware } from '../src/backend/fake/hardware';
import { formatComing, formatDuration } from '../src/format/time';
import { countHours, hourAfterKey, hourAt, isLent, isSame, NO_HOURS, painted, presets } from '../src/guards/hours';
import { intentNames, intentStand, QUIET_HEAT, tellsFan, withIntent } from '../src/guards/intents';
import { DEFAULT_RULES, GUARDS, isProgramName, names, programName, rulesFault, switched, wants } from '../src/guards/rules';
import { isHolding, sumOf } from '../src/guards/trips';
import { causeClears, causeWhat, tripSubject, type Saying } from '../src/guards/words';
import { chooseLanguage, setUpLanguages } from '../src/i18n/setup';

const settings = (guards: Partial<GuardRules> = {}, effort: Settings['effort'] = 'full') =>
  ({ effort, guards: { ...DEFAULT_RULES, ...guards } }) as Settings;

describe('intents', () => {
  it.each(intentNames.flatMap((name) => [[name, false] as const, [name, true] as const]))(
    'set, are on, and unset again: %s, with a fan that tells: %s',
    (name, hasFan) => {
      const before = settings({ full_screen: false, gpu_use: false, battery: false, metered: false });
      expect(intentStand(before, name, hasFan)).toBe('off');
      const chosen = { ...before, ...withIntent(before, name, true, hasFan) } as Settings;
      expect(intentStand(chosen, name, hasFan)).toBe('on');
      expect(rulesFault(chosen.guards)).toBeNull();
      // The others are not touched.
      for (const other of intentNames)
        if (other !== name) expect(intentStand(chosen, other, hasFan), other).toBe('off');
      expect({ ...chosen, ...withIntent(chosen, name, false, hasFan) }).toEqual(before);
    },
  );

  it('are as the worker has them in the beginning', () => {
    const stands = intentNames.map((name) => intentStand(settings(), name, true));
    expect(stands).toEqual(['on', 'off', 'off', 'off', 'off']);
  });

  it('limit a fan only where one tells, and leave the power as it was chosen', () => {
    const power = { fan_percent: null, power_watts: 180, may_lower_power_limit: true };
    const quiet = (guards: Partial<GuardRules>, wanted: boolean, hasFan: boolean) =>
      withIntent(settings(guards), 'quiet', wanted, hasFan).guards?.quiet;
    expect(quiet({}, true, false)).toBeNull();
    expect(quiet({}, true, true)).toEqual({ fan_percent: 40, power_watts: null, may_lower_power_limit: false });
    expect(quiet({ quiet: power }, true, true)).toEqual({ ...power, fan_percent: 40 });
    expect(quiet({ quiet: { ...power, fan_percent: 40 } }, false, true)).toEqual(power);
    const told = (fan_percent: number | null) => tellsFan([{ telemetry: { fan_percent } } as DeviceView]);
    expect([told(null), told(0), told(60)]).toEqual([false, true, true]);
  });

  it.each([
    ['undisturbed', settings({ metered: false })],
    ['away', settings({ away_minutes: 25 })],
    ['nights', settings({ hours: presets.nights })],
    ['quiet', settings({ heat: { ...QUIET_HEAT, core: 75 } }, 'quiet')],
    ['quiet', settings({ heat: QUIET_HEAT })],
    ['quiet', settings({ heat: QUIET_HEAT }, 'quiet')],
    ['paying', settings({ margin_floor: 20_000 })],
  ] as const)('show that they were changed in detail: %s', (name, changed) => {
    expect(intentStand(changed, name, true)).toBe('changed');
  });
});

describe('hours', () => {
  it('are painted between two corners, whichever comes first', () => {
    const evening = painted(NO_HOURS, { day: 4, hour: 23 }, { day: 1, hour: 20 }, true);
    expect(countHours(evening)).toBe(16);
    expect(isLent(evening, { day: 1, hour: 20 }) && isLent(evening, { day: 4, hour: 23 })).toBe(true);
    expect(isLent(evening, { day: 0, hour: 20 }) || isLent(evening, { day: 1, hour: 19 })).toBe(false);
    expect(isSame(painted(evening, { day: 0, hour: 0 }, { day: 6, hour: 23 }, false), NO_HOURS)).toBe(true);
    expect(isSame(painted(NO_HOURS, { day: 6, hour: 23 }, { day: 0, hour: 0 }, true), presets.all)).toBe(true);
  });

  it('have the presets that their names promise', () => {
    expect(Object.values(presets).map(countHours)).toEqual([168, 70, 48, 98]);
    expect([7, 8, 21, 22].map((hour) => isLent(presets.both, { day: 0, hour }))).toEqual([true, false, false, true]);
    expect(isLent(presets.both, { day: 6, hour: 12 })).toBe(true);
  });

  it.each([
    ['ArrowLeft', false, { day: 2, hour: 4 }],
    ['ArrowRight', false, { day: 2, hour: 6 }],
    ['ArrowUp', false, { day: 1, hour: 5 }],
    ['ArrowDown', false, { day: 3, hour: 5 }],
    ['Home', false, { day: 2, hour: 0 }],
    ['End', true, { day: 6, hour: 23 }],
    ['a', false, null],
  ] as const)('are walked with the keyboard: %s', (key, control, hour) => {
    expect(hourAfterKey({ day: 2, hour: 5 }, key, control)).toEqual(hour);
  });

  it('end at the edges of the week, which begins on Monday', () => {
    expect(hourAfterKey({ day: 0, hour: 0 }, 'ArrowUp', false)).toEqual({ day: 0, hour: 0 });
    expect(hourAfterKey({ day: 6, hour: 23 }, 'ArrowRight', false)).toEqual({ day: 6, hour: 23 });
    expect(hourAt(new Date(2024, 0, 1, 22, 30).getTime())).toEqual({ day: 0, hour: 22 });
    expect(hourAt(new Date(2024, 0, 7, 3).getTime())).toEqual({ day: 6, hour: 3 });
  });
});

describe('rules', () => {
  it.each([
    [{}, null],
    [{ away_minutes: 0 }, 'away_minutes'],
    [{ away_minutes: 1440 }, null],
    [{ away_minutes: 1441 }, 'away_minutes'],
    [{ programs: ['blender'] }, null],
    [{ programs: ['C:\\blender'] }, 'guard_programs'],
    [{ programs: Array.from({ length: 101 }, () => 'a') }, 'guard_programs'],
    [{ hours: NO_HOURS }, 'no_hour_lent'],
    [{ heat: { core: 49, hotspot: 100, memory: 100 } }, 'heat_limit'],
    [{ heat: null }, null],
    [{ quiet: { fan_percent: 9, power_watts: null, may_lower_power_limit: false } }, 'quiet_limit'],
    [{ quiet: { fan_percent: 40, power_watts: 19, may_lower_power_limit: false } }, 'quiet_limit'],
    [{ quiet: { fan_percent: null, power_watts: null, may_lower_power_limit: false } }, 'quiet_limit'],
    [{ quiet: { fan_percent: null, power_watts: 150, may_lower_power_limit: false } }, null],
    [{ margin_floor: 100_000_001 }, 'margin_floor'],
    [{ margin_floor: 0 }, null],
    [{ data_cap: { sent_gb: null, received_gb: null, both_gb: null, month_day: 1 } }, 'data_cap'],
    [{ data_cap: { sent_gb: 1, received_gb: 100_000, both_gb: null, month_day: 1 } }, 'data_cap'],
    [{ data_cap: { sent_gb: null, received_gb: 30, both_gb: null, month_day: 32 } }, 'data_month_day'],
    [{ data_cap: { sent_gb: null, received_gb: 30, both_gb: null, month_day: 31 } }, null],
    [{ disk_free_gib: 0 }, 'disk_kept_free'],
  ] as const)('are refused as the worker does: %j', (part, code) => {
    expect(rulesFault({ ...DEFAULT_RULES, ...part } as GuardRules)).toBe(code);
  });

  it('name programs as systems do', () => {
    for (const name of ['', '  ', '/usr/bin/blender', 'a\nb', 'x'.repeat(256)]) expect(isProgramName(name), name).toBe(false);
    expect(programName(' Blender.EXE ')).toBe('Blender');
    expect(names(['Blender'], 'blender.exe')).toBe(true);
    expect(names(['blender'], 'blend')).toBe(false);
  });

  it.each(GUARDS)('are switched on and off, and remember their detail: %s', (guard) => {
    const off = { ...DEFAULT_RULES, ...switched(guard, false, {}) };
    expect(wants(off, guard)).toBe(false);
    const earlier: Partial<GuardRules> = { away_minutes: 25, programs: ['blender'], hours: presets.nights, disk_free_gib: 9 };
    const on = { ...off, ...switched(guard, true, earlier) };
    expect(wants(on, guard)).toBe(true);
    expect(rulesFault(on)).toBeNull();
    if (guard === 'presence') expect(on.away_minutes).toBe(25);
    if (guard === 'hours') expect(on.hours).toEqual(presets.nights);
  });
});

const NOW = new Date(2024, 0, 1, 21, 4).getTime();
const held = (trip: Trip, until: number | null = null): Cause => ({ cause: 'guard', trip, since: NOW - 60_000, until });
const devices = simulatedHardware.devices.map((info) => ({ info })) as Saying['snapshot']['devices'];

describe('a cause says what it is and what would clear it', () => {
  let saying: Saying;
  beforeAll(async () => {
    const { t } = await setUpLanguages();
    await chooseLanguage('en');
    const data = { moved: { sent_bytes: 0, received_bytes: 0 }, begins_at: NOW, ends_at: NOW + 9 * 86_400_000, reached_at: null };
    saying = { t, language: 'en', now: NOW, snapshot: { data, devices, settings: settings({ away_minutes: 10 }) } };
  });

  it.each<[Cause, RegExp, RegExp]>([
    [held({ guard: 'full_screen', program: 'doom' }), /^doom fills a screen\.$/, /a minute after you close or leave doom/],
    [held({ guard: 'full_screen', program: null }), /^A program fills a screen\.$/, /close or leave it/],
    [held({ guard: 'gpu_use', device: 0, program: 'blender', need: 'time' }), /blender uses NVIDIA/, /blender is done/],
    [held({ guard: 'gpu_use', device: 1, program: null, need: 'memory' }), /Another program needs the memory of AMD/, /it is done/],
    [held({ guard: 'presence' }), /You are using/, /10 minutes after you last touch/],
    [held({ guard: 'presence' }, NOW + 540_000), /a moment ago/, /at 9:13.PM if you touch neither/],
    [held({ guard: 'program', program: 'obs64' }), /obs64 is running/, /obs64 is closed/],
    [held({ guard: 'hours' }, NOW + 3_360_000), /keep this hour/, /at 10:00.PM, as your hours say/],
    [held({ guard: 'hours' }), /keep this hour/, /next hour that you lend/],
    [held({ guard: 'battery', percent: 54 }), /54 % full/, /plug it in/],
    [held({ guard: 'battery', percent: null }), /runs on its battery\./, /plug it in/],
    [held({ guard: 'heat', device: 0, sensor: 'core', celsius: 84 }), /NVIDIA.* has reached 84 °C/, /cooled to 75 °C/],
    [held({ guard: 'quiet', device: 0, much: 'fan', value: 70 }), /fan of NVIDIA.* turned at 70 %/, /turns at 59 % or less/],
    [held({ guard: 'quiet', device: 0, much: 'power', value: 210 }), /drew 210 W/, /draws 178 W or less/],
    [
      held({ guard: 'margin', device: 0, per_hour: -12_000, power_measured: false }),
      /would cost 0.012 USDC more.*typical for such a device/,
      /pays more, or when you enter a lower price/,
    ],
    [held({ guard: 'margin', device: 0, per_hour: 5_000, power_measured: true }), /would leave only 0.005 USDC/, /pays more/],
    [held({ guard: 'heat', device: 0, sensor: 'hotspot', celsius: 101 }), /hottest spot/, /cooled to 92 °C/],
    [held({ guard: 'metered' }), /metered/, /no longer metered/],
    [
      held({ guard: 'data_cap', direction: 'sent', used_bytes: 29.9e9, cap_bytes: 30e9 }, new Date(2024, 1, 1).getTime()),
      /^29\.9 GB have been sent this month, of the 30 GB/,
      /next month begins, Feb 1, 2024, 12:00.AM, or when you allow more/,
    ],
    [
      held({ guard: 'data_cap', direction: 'both', used_bytes: 4.95e9, cap_bytes: 5e9 }),
      /^4\.95 GB have been sent and received/,
      /Jan 10, 2024/,
    ],
    [held({ guard: 'disk', free_bytes: 1.5 * 1024 ** 3 }), /Only 1\.5 GiB/, /at least 2\.25 GiB/],
    [{ cause: 'paused', device: null, until: { instant: NOW + 3_360_000 } }, /paused work until 10:00/, /or as soon as you resume/],
    [{ cause: 'paused', device: null, until: 'restart' }, /until Lull is started again/, /or as soon as you resume/],
    [{ cause: 'paused', device: 1, until: 'resumed' }, /You paused AMD Radeon 780M\./, /^Work goes on as soon as you resume/],
    [{ cause: 'paused', device: 1, until: 'restart' }, /You paused AMD.*started again/, /as soon as/],
    [{ cause: 'resume_delay', until: NOW + 42_000 }, /Nothing stands/, /in 0:42/],
  ])('%j', (cause, what, clears) => {
    expect(causeWhat(cause, saying)).toMatch(what);
    expect(causeClears(cause, saying)).toMatch(clears);
  });

  it('and in a few words what is over', () => {
    expect(tripSubject({ guard: 'full_screen', program: null }, saying)).toBe('Full-screen programs');
    expect(tripSubject({ guard: 'heat', device: 1, sensor: 'core', celsius: 84 }, saying)).toBe('Heat · AMD Radeon 780M · 84 °C');
    expect(tripSubject({ guard: 'battery', percent: 54 }, saying)).toBe('Battery · 54 %');
    expect(tripSubject({ guard: 'data_cap', direction: 'both', used_bytes: 29.9e9, cap_bytes: 30e9 }, saying)).toBe(
      'Data a month · 29.9 GB',
    );
  });
});

describe('trips', () => {
  const row: TripRow = { trip: { guard: 'metered' }, since: 5, until: 9, interrupted: 2, lost: 30, missed: 400 };

  it('are summed, with estimates apart from what is not known', () => {
    expect(sumOf([row, { ...row, interrupted: 0, lost: 0, missed: null }, row])).toEqual({ interrupted: 4, lost: 60, missed: 800 });
    expect(sumOf([{ ...row, missed: null }]).missed).toBeNull();
    expect(sumOf([])).toEqual({ interrupted: 0, lost: 0, missed: null });
  });

  it('hold still only where a guard says so', () => {
    const tripped = { guard: 'metered', stand: { state: 'tripped', trips: [{ trip: row.trip, since: 5, until: null }] } } as const;
    const open = { ...row, until: null };
    expect(isHolding(open, [{ ...tripped, stand: { ...tripped.stand, trips: [...tripped.stand.trips] } }])).toBe(true);
    expect(isHolding({ ...open, since: 4 }, [{ ...tripped, stand: { ...tripped.stand, trips: [...tripped.stand.trips] } }])).toBe(false);
    expect(isHolding(open, [{ guard: 'metered', stand: { state: 'clear' } }])).toBe(false);
  });
});

describe('times', () => {
  it('name the day when it is another one', () => {
    expect(formatComing(NOW + 3_600_000, NOW, 'en')).toMatch(/^10:04.PM$/);
    expect(formatComing(NOW + 12 * 3_600_000, NOW, 'en')).toMatch(/^Tue 9:04.AM$/);
    expect(formatComing(NOW + 9 * 86_400_000, NOW, 'en')).toMatch(/Jan 10, 2024/);
  });

  it.each([
    [0, '0 sec'],
    [89_000, '89 sec'],
    [12 * 60_000, '12 min'],
    [128 * 60_000, '2.1 hr'],
  ])('tell how long something took: %i', (milliseconds, text) => {
    expect(formatDuration(milliseconds, 'en')).toBe(text);
  });
});
