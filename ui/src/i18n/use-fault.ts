import { useTranslation } from 'react-i18next';

import type { Fault } from '../bindings/Fault';

/** Says a fault in the contributor's language, or in the worker's own words when its code is not known here. */
export function useFaultSentence(): (fault: Fault) => string {
  const { t, i18n } = useTranslation();
  return (fault) => {
    const key = `fault.${fault.code}`;
    if (i18n.exists(key)) return t(key as 'fault.shell_failed');
    const sentence = fault.sentence.trim();
    const capital = sentence.charAt(0).toUpperCase() + sentence.slice(1);
    return /[.!?。]$/.test(capital) ? capital : `${capital}.`;
  };
}
