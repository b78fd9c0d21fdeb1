import { useTranslation } from 'react-i18next';

import { formatNumber } from '../format/measure';
import type { ShiftFigures } from './shift';

/** The figures of a shift in words, such as “3 texts at once”. */
export function useShiftWords(): (shift: ShiftFigures) => { texts: string; generated: string; speed: string } {
  const { t, i18n } = useTranslation();
  const { language } = i18n;
  const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
  return ({ texts_open: texts, tokens_generated: tokens, tokens_per_second: speed }) => ({
    texts: t('shift.texts', { count: texts }),
    generated: t('shift.tokens', { count: tokens, tokens: whole.format(tokens) }),
    speed: t('shift.speed', { speed: formatNumber(speed, language) }),
  });
}
