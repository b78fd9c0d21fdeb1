import { useTranslation } from 'react-i18next';

import { FaultNote } from '../components/notes';
import { SwitchRow } from '../components/switch-row';
import { useBackend, useSnapshot } from './context';
import { configure } from './settings';
import { useAnswer, useDeed } from './use-answer';

/** Whether the app opens by itself, and whether it then works by itself. */
export function StartSwitches() {
  const { t } = useTranslation();
  const backend = useBackend();
  const { settings } = useSnapshot();
  const autostart = useAnswer('autostart', () => backend.autostartGet());
  const deed = useDeed();
  const fault = deed.fault ?? autostart.fault;
  const setAutostart = async (enabled: boolean) => {
    await backend.autostartSet(enabled);
    autostart.again();
  };
  return (
    <div className="divide-y divide-line">
      <SwitchRow
        title={t('settings.autostart')}
        why={t('settings.autostart_why')}
        checked={autostart.value ?? false}
        disabled={autostart.value === undefined}
        onChange={(enabled) => void deed.run(() => setAutostart(enabled))}
      />
      <SwitchRow
        title={t('settings.start_working')}
        why={t('settings.start_working_why')}
        checked={settings.start_working}
        onChange={(enabled) => void deed.run(() => configure(backend, { start_working: enabled }))}
      />
      {fault && <FaultNote fault={fault} />}
    </div>
  );
}
