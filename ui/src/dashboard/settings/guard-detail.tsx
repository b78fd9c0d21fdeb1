import { useTranslation } from 'react-i18next';

import type { Guard } from '../../bindings/Guard';
import type { GuardRules } from '../../bindings/GuardRules';
import { NumberField } from '../../components/number-field';
import { AWAY_MINUTES, DISK_GIB, HEAT, MARGIN_FLOOR } from '../../guards/rules';
import { DataDetail } from './data-detail';
import { HoursDetail } from './hours-detail';
import { ProgramsDetail } from './programs-detail';
import { QuietDetail } from './quiet-detail';

interface GuardDetailProps {
  guard: Guard;
  rules: GuardRules;
  onChange: (part: Partial<GuardRules>) => void;
}

/** A hundredth of a USDC. */
const BASE_UNITS_PER_CENT = 10_000;

const sensors = ['core', 'hotspot', 'memory'] as const;

/** From where on a guard holds, where that can be chosen. */
export function GuardDetail({ guard, rules, onChange }: GuardDetailProps) {
  const { t } = useTranslation();
  const { away_minutes: minutes, programs, hours, heat, quiet, margin_floor: floor, disk_free_gib: free } = rules;
  switch (guard) {
    case 'full_screen':
    case 'gpu_use':
    case 'battery':
    case 'metered':
      return null;
    case 'presence':
      if (minutes === null) return null;
      return (
        <div className="pb-3">
          <NumberField
            label={t('away.minutes')}
            value={minutes}
            {...AWAY_MINUTES}
            unit={t('away.unit')}
            onCommit={(next) => onChange({ away_minutes: next })}
            testId="away-minutes"
          />
        </div>
      );
    case 'program':
      return <ProgramsDetail programs={programs} onChange={(next) => onChange({ programs: next })} />;
    case 'hours':
      return hours && <HoursDetail hours={hours} onChange={(next) => onChange({ hours: next })} />;
    case 'heat':
      return (
        heat && (
          <div className="flex flex-wrap gap-x-5 gap-y-3 pb-3">
            {sensors.map((sensor) => (
              <NumberField
                key={sensor}
                label={t(`heat.${sensor}`)}
                value={heat[sensor]}
                {...HEAT}
                unit="°C"
                onCommit={(next) => onChange({ heat: { ...heat, [sensor]: next } })}
                testId={`heat-${sensor}`}
              />
            ))}
          </div>
        )
      );
    case 'quiet':
      return quiet && <QuietDetail quiet={quiet} onChange={(next) => onChange({ quiet: next })} />;
    case 'margin':
      if (floor === null) return null;
      return (
        <div className="pb-3">
          <NumberField
            label={t('margin.floor')}
            value={Math.round(floor / BASE_UNITS_PER_CENT)}
            min={0}
            max={MARGIN_FLOOR.max / BASE_UNITS_PER_CENT}
            unit={t('margin.unit')}
            onCommit={(next) => onChange({ margin_floor: next * BASE_UNITS_PER_CENT })}
            testId="margin-floor"
          />
        </div>
      );
    case 'data_cap':
      return rules.data_cap && <DataDetail caps={rules.data_cap} onChange={(next) => onChange({ data_cap: next })} />;
    case 'disk':
      if (free === null) return null;
      return (
        <div className="pb-3">
          <NumberField
            label={t('disk.free')}
            value={free}
            {...DISK_GIB}
            unit="GiB"
            onCommit={(next) => onChange({ disk_free_gib: next })}
            testId="disk-free"
          />
        </div>
      );
  }
}
