import { useTranslation } from 'react-i18next';

import type { Fault } from '../bindings/Fault';

/** Faults whose sentence is a message for programmers. */
const fromShell = new Set(['shell_failed', 'unexpected_reply']);

/**
 * Says a fault in the contributor's language by its code. In English the worker's own words are better, since
 * they name what the fault is about; they also stand in for a code that no catalogue knows.
 */
export function useFaultSentence(): (fault: Fault) => string {
  const { t, i18n } = useTranslation();
  return (fault) => {
    const key = `fault.${fault.code}`;
    const inWorkersLanguage = i18n.language.startsWith('en') && !fromShell.has(fault.code);
    if (!inWorkersLanguage && i18n.exists(key)) return t(key as 'fault.shell_failed');
    const sentence = fault.sentence.trim();
    const capital = sentence.charAt(0).toUpperCase() + sentence.slice(1);
    return /[.!?。]$/.test(capital) ? capital : `${capital}.`;
  };
}
