import { useTranslation } from 'react-i18next';

import type { DeviceView } from '../../bindings/DeviceView';
import type { QuietLimits } from '../../bindings/QuietLimits';
import { Tick } from '../../components/tick';
import { useFaultSentence } from '../../i18n/use-fault';
import { useSnapshot } from '../../worker/context';

interface PowerLimitChoiceProps {
  quiet: QuietLimits;
  onChange: (quiet: QuietLimits) => void;
}

/** Whether Lull may lower a card's own power limit, and what came of it on each. */
export function PowerLimitChoice({ quiet, onChange }: PowerLimitChoiceProps) {
  const { t } = useTranslation();
  const { devices } = useSnapshot();
  const allowed = quiet.may_lower_power_limit;
  return (
    <div className="grid gap-1.5 pt-1" data-testid="power-limit">
      <div className="flex gap-3">
        <Tick
          id="power-limit-allowed"
          checked={allowed}
          onChange={(may_lower_power_limit) => onChange({ ...quiet, may_lower_power_limit })}
          describedBy="power-limit-how"
          testId="power-limit-allowed"
        />
        <div className="grid min-w-0 gap-0.5">
          <label htmlFor="power-limit-allowed" className="font-medium">
            {t('board.allowed')}
          </label>
          <p id="power-limit-how" className="text-sm text-pretty text-muted">
            {t(quiet.power_watts === null ? 'board.needs_watts' : 'board.how')}
          </p>
        </div>
      </div>
      {allowed && (
        <ul className="grid gap-1 text-sm text-muted">
          {devices.map((device) => (
            <Stand key={device.info.index} device={device} />
          ))}
        </ul>
      )}
    </div>
  );
}

/** How the limit of one device's board stands. */
function Stand({ device: { info, power_limit: limit } }: { device: DeviceView }) {
  const { t } = useTranslation();
  const sentence = useFaultSentence();
  if (limit === null) return null;
  const words = () => {
    switch (limit.state) {
      case 'lowered':
        return t('board.lowered', { watts: limit.watts, former: limit.former_watts });
      case 'own':
        return t('board.own', { watts: limit.watts });
      case 'not_permitted':
        return t('board.not_permitted');
      case 'unsupported':
        return t('board.unsupported');
      case 'failed':
        return sentence(limit.fault);
    }
  };
  return (
    <li data-testid={`power-limit-${info.index}`} data-state={limit.state}>
      <span className="text-faint">{info.name}</span> {words()}
    </li>
  );
}
