import { useTranslation } from 'react-i18next';

import { Segmented } from '../../components/segmented';
import { useFaultSentence } from '../../i18n/use-fault';
import { PriceField } from '../../power/price-field';
import { PriceNow } from '../../power/price-now';
import { asKind } from '../../power/tariff';
import { useTariff } from '../../power/use-tariff';
import { BandsEditor } from './bands-editor';
import { PriceListEditor } from './price-list-editor';
import { Section } from './section';

/** What power costs: one price, prices by the time of day, or a list of them. */
export function PowerPriceSection() {
  const { t } = useTranslation();
  const sentence = useFaultSentence();
  const { tariff, isDraft, deed, change } = useTariff();
  const kinds = (['flat', 'time_of_use', 'listed'] as const).map((value) => ({
    value,
    label: t(`tariff.kind.${value}`),
  }));
  return (
    <Section title={t('tariff.title')} text={t('tariff.why')}>
      <Segmented
        label={t('tariff.kinds')}
        value={tariff.kind}
        options={kinds}
        onChange={(kind) => change(asKind(tariff, kind))}
        className="w-fit"
      />
      {tariff.kind === 'flat' && (
        <PriceField
          label={t('tariff.flat')}
          value={tariff.micro_per_kwh}
          onCommit={(micro_per_kwh) => change({ ...tariff, micro_per_kwh })}
        />
      )}
      {tariff.kind === 'time_of_use' && <BandsEditor tariff={tariff} onChange={change} />}
      {tariff.kind === 'listed' && <PriceListEditor tariff={tariff} isDraft={isDraft} onChange={change} />}
      {deed.fault && (
        <p role="alert" className="text-sm text-ember" data-testid="tariff-fault" data-code={deed.fault.code}>
          {sentence(deed.fault)}
        </p>
      )}
      {!isDraft && <PriceNow />}
    </Section>
  );
}
