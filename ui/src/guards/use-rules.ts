import { useRef, useState } from 'react';

import type { Fault } from '../bindings/Fault';
import type { GuardRules } from '../bindings/GuardRules';
import { asFault } from '../backend/fault';
import { useBackend, useSnapshot } from '../worker/context';
import { configure } from '../worker/settings';

/** What is wanted of the guards, and how to change it. */
export interface EditedRules {
  /** As they will be once the worker has taken every change. */
  rules: GuardRules;
  change: (part: Partial<GuardRules>) => void;
  /** Why the last change was refused. */
  fault: Fault | null;
}

/**
 * Changes follow each other faster than the worker answers, and each of them carries all rules: they are shown at once
 * and sent one after another, so that none undoes the one before.
 */
export function useGuardRules(): EditedRules {
  const backend = useBackend();
  const { guards } = useSnapshot().settings;
  const [draft, setDraft] = useState<GuardRules | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);
  const wanted = useRef<GuardRules | null>(null);
  const isSending = useRef(false);
  const send = async () => {
    if (isSending.current) return;
    isSending.current = true;
    try {
      let sent: GuardRules | null = null;
      while (wanted.current !== null && wanted.current !== sent) {
        sent = wanted.current;
        await configure(backend, { guards: sent });
      }
      setFault(null);
    } catch (caught) {
      setFault(asFault(caught));
    } finally {
      isSending.current = false;
      wanted.current = null;
      setDraft(null);
    }
  };
  const change = (part: Partial<GuardRules>) => {
    wanted.current = { ...(wanted.current ?? guards), ...part };
    setDraft(wanted.current);
    void send();
  };
  return { rules: draft ?? guards, change, fault };
}
