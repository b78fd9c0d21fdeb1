import { useTranslation } from 'react-i18next';

import type { QuietLimits } from '../../bindings/QuietLimits';
import { NumberField } from '../../components/number-field';
import { FAN_PERCENT, POWER_WATTS } from '../../guards/rules';
import { PowerLimitChoice } from './power-limit-choice';

interface QuietDetailProps {
  quiet: QuietLimits;
  onChange: (quiet: QuietLimits) => void;
}

/** How fast a fan may turn, and how much a device may draw. The greatest that can be chosen is no limit. */
export function QuietDetail({ quiet, onChange }: QuietDetailProps) {
  const { t } = useTranslation();
  return (
    <div className="grid gap-2 pb-3">
      <div className="flex flex-wrap gap-x-5 gap-y-3">
        <NumberField
          label={t('quiet.fan')}
          value={quiet.fan_percent ?? FAN_PERCENT.max}
          {...FAN_PERCENT}
          unit="%"
          onCommit={(fan_percent) => onChange({ ...quiet, fan_percent })}
          testId="quiet-fan"
        />
        <NumberField
          label={t('quiet.power')}
          value={quiet.power_watts ?? POWER_WATTS.max}
          {...POWER_WATTS}
          unit="W"
          onCommit={(power_watts) => onChange({ ...quiet, power_watts })}
          testId="quiet-power"
        />
      </div>
      <p className="text-sm text-faint">{t('quiet.how')}</p>
      <PowerLimitChoice quiet={quiet} onChange={onChange} />
    </div>
  );
}
