import { useTranslation } from 'react-i18next';

import { useNow } from '../components/use-now';
import { formatMoney } from '../format/money';
import { formatComing } from '../format/time';
import { useSnapshot } from '../worker/context';

/** What power costs now, and what next. */
export function PriceNow() {
  const { t, i18n } = useTranslation();
  const { power_price: price } = useSnapshot();
  const now = useNow(60_000);
  const write = (micro: number) => formatMoney(micro, i18n.language);
  return (
    <p className="text-sm" data-testid="price-now">
      <span className="font-medium text-ink">{t('tariff.now', { price: write(price.micro_per_kwh) })}</span>
      {price.next && (
        <span className="text-muted">
          {' '}
          {t('tariff.next', {
            time: formatComing(price.next.at, now, i18n.language),
            price: write(price.next.micro_per_kwh),
          })}
        </span>
      )}
      {price.stands_in && <span className="block text-muted">{t('tariff.stands_in')}</span>}
    </p>
  );
}
