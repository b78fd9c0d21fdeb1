import { useTranslation } from 'react-i18next';

import { PriceField } from '../power/price-field';
import { PriceNow } from '../power/price-now';
import { useTariff } from '../power/use-tariff';
import { useFaultSentence } from '../i18n/use-fault';

/** The contributor's one price of power; what it is now where there are several, which the settings change. */
export function TariffField() {
  const { t } = useTranslation();
  const sentence = useFaultSentence();
  const { tariff, deed, change } = useTariff();
  if (tariff.kind !== 'flat') return <PriceNow />;
  return (
    <PriceField
      label={t('tariff.flat')}
      value={tariff.micro_per_kwh}
      onCommit={(micro_per_kwh) => change({ kind: 'flat', micro_per_kwh })}
      wrong={deed.fault && sentence(deed.fault)}
    />
  );
}
