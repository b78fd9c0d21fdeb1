import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { TextField } from '../components/text-field';
import { parseMillionths, writeMillionths } from '../format/money';
import { useFaultSentence } from '../i18n/use-fault';
import { useBackend, useSnapshot } from './context';
import { configure } from './settings';
import { useDeed } from './use-answer';

/** The contributor's price of power; taken over when the field is left or on Enter. */
export function TariffField() {
  const { t } = useTranslation();
  const backend = useBackend();
  const { tariff_micro_per_kwh: tariff } = useSnapshot().settings;
  const sentence = useFaultSentence();
  const deed = useDeed();
  // `null` while nobody types: then the worker's own figure is shown.
  const [typed, setTyped] = useState<string | null>(null);
  const parsed = typed === null ? tariff : parseMillionths(typed);
  const commit = () => {
    if (parsed === null) return;
    if (parsed === tariff) {
      setTyped(null);
      return;
    }
    void deed
      .run(() => configure(backend, { tariff_micro_per_kwh: parsed }))
      .then((done) => {
        if (done) setTyped(null);
      });
  };
  return (
    <TextField
      label={t('wizard.estimate.tariff')}
      value={typed ?? writeMillionths(tariff)}
      onChange={setTyped}
      onCommit={commit}
      unit={t('wizard.estimate.tariff_unit')}
      inputMode="decimal"
      wrong={parsed === null ? t('wizard.estimate.tariff_wrong') : deed.fault && sentence(deed.fault)}
    />
  );
}
