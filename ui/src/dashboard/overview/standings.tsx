import type { TFunction } from 'i18next';
import { useTranslation } from 'react-i18next';

import type { Counted } from '../../bindings/Counted';
import type { DeviceStanding } from '../../bindings/DeviceStanding';
import type { DeviceView } from '../../bindings/DeviceView';
import type { Exclusion } from '../../bindings/Exclusion';
import { Button } from '../../components/button';
import { useNow } from '../../components/use-now';
import { formatCountdown } from '../../format/time';
import { isShiftKind } from '../../models/shift';
import { useSnapshot } from '../../worker/context';
import { useKindName } from '../../worker/use-kind-name';

/** The devices of which the network says where they stand. */
export function standingDevices(devices: readonly DeviceView[]): DeviceView[] {
  return devices.filter((device) => device.lent && device.standing !== null);
}

interface StandingsProps {
  devices: readonly DeviceView[];
  /** Opens the benchmark of a device. */
  onMeasured: (device: number) => void;
}

/** For each device without work: its place in line, what keeps it from the tasks that wait, and what would help. */
export function Standings({ devices, onMeasured }: StandingsProps) {
  const standing = standingDevices(devices);
  return standing.map((device) => (
    <div key={device.info.index} data-testid={`standing-${device.info.index}`} className="grid gap-3">
      {device.standing && (
        <Standing standing={device.standing} name={device.info.name} onMeasured={() => onMeasured(device.info.index)} />
      )}
    </div>
  ));
}

function Standing({ standing, name, onMeasured }: { standing: DeviceStanding; name: string; onMeasured: () => void }) {
  const { t, i18n } = useTranslation();
  const { ahead, withheld } = standing;
  return (
    <>
      <p>
        <span className="font-medium">{name}</span>
        <span className="block text-sm text-muted">
          {t(withheld.length === 0 ? 'standing.none' : 'standing.kept')} {ahead && place(ahead, t, i18n.language)}
        </span>
      </p>
      {withheld.length > 0 && (
        <ul className="grid gap-3">
          {withheld.map(({ tasks, by }, at) => (
            // A network may say the same twice, and order is all that tells them apart then.
            <Withheld key={at} tasks={tasks} by={by} onMeasured={onMeasured} />
          ))}
        </ul>
      )}
    </>
  );
}

/** Tasks that a device does not get: how many, why, and what would change that. */
function Withheld({ tasks, by, onMeasured }: { tasks: Counted; by: Exclusion; onMeasured: () => void }) {
  const { t, i18n } = useTranslation();
  const kindName = useKindName();
  const { serves_models: servesModels } = useSnapshot().settings;
  const now = useNow(1000);
  const kind = by.exclusion === 'kind' ? kindName(by.kind) : '';
  // A contributor who does not allow models has no kind that is missing.
  const why = by.exclusion === 'kind' && isShiftKind(by.kind) && !servesModels ? 'models' : by.exclusion;
  const time = 'again_at' in by ? formatCountdown(by.again_at - now) : '';
  const shown = { count: tasks.count, tasks: written(tasks, t, i18n.language), kind };
  return (
    <li data-testid="standing-withheld" className="flex items-start gap-3">
      <span aria-hidden className="mt-2 size-2 shrink-0 rounded-full bg-faint" />
      <div className="grid min-w-0 gap-1.5">
        <div>
          <p className="break-words">{t(`standing.${why}`, shown)}</p>
          <p className="text-sm text-muted">{t(`standing.help.${why}`, { time })}</p>
        </div>
        {measuringHelps(by) && (
          <Button size="small" className="w-fit" onClick={onMeasured}>
            {t('standing.measure')}
          </Button>
        )}
      </div>
    </li>
  );
}

function measuringHelps(by: Exclusion): boolean {
  return by.exclusion === 'not_measured' || by.exclusion === 'refuted';
}

function place(ahead: Counted, t: TFunction, language: string): string {
  if (ahead.count === 0) return t('standing.next');
  return t('standing.ahead', { count: ahead.count, devices: written(ahead, t, language) });
}

function written({ count, or_more: more }: Counted, t: TFunction, language: string): string {
  const figure = new Intl.NumberFormat(language).format(count);
  return more ? t('standing.or_more', { count: figure }) : figure;
}
