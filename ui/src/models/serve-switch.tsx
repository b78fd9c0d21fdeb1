import { useTranslation } from 'react-i18next';

import { FaultNote } from '../components/notes';
import { SwitchRow } from '../components/switch-row';
import { useBackend, useSnapshot } from '../worker/context';
import { configure } from '../worker/settings';
import { useDeed } from '../worker/use-answer';

/** Whether the contributor allows that language models are served. */
export function ServeSwitch() {
  const { t } = useTranslation();
  const backend = useBackend();
  const { settings } = useSnapshot();
  const deed = useDeed();
  return (
    <div className="grid gap-3">
      <SwitchRow
        title={t('models.switch')}
        why={t('models.switch_why')}
        checked={settings.serves_models}
        onChange={(wanted) => void deed.run(() => configure(backend, { serves_models: wanted }))}
        testId="serves-models"
      />
      {deed.fault && <FaultNote fault={deed.fault} />}
    </div>
  );
}
