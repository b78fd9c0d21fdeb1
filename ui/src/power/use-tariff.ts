import { useRef, useState } from 'react';

import type { Tariff } from '../bindings/Tariff';
import { useBackend, useSnapshot } from '../worker/context';
import { configure } from '../worker/settings';
import { useDeed, type Deed } from '../worker/use-answer';
import { isComplete } from './tariff';

/** The contributor's tariff, and a change of it that is not finished or was refused. */
export interface TariffInHand {
  /** To be shown: the change, if one is under way. */
  tariff: Tariff;
  /** Whether the worker does not go by it yet. */
  isDraft: boolean;
  deed: Deed;
  /** Takes a change; it is sent as soon as it is complete. */
  change: (next: Tariff) => void;
}

/** For editing the tariff piece by piece. What the worker refuses stays here until it is put right. */
export function useTariff(): TariffInHand {
  const backend = useBackend();
  const { tariff } = useSnapshot().settings;
  const [draft, setDraft] = useState<Tariff | null>(null);
  const deed = useDeed();
  // What is still to be sent: a change that comes while another is under way goes after it.
  const waiting = useRef<Tariff | null>(null);
  const send = async () => {
    while (waiting.current) {
      const next = waiting.current;
      waiting.current = null;
      await configure(backend, { tariff: next });
      setDraft((current) => (current === next ? null : current));
    }
  };
  const change = (next: Tariff) => {
    setDraft(next);
    deed.clear();
    waiting.current = isComplete(next) ? next : null;
    void deed.run(send);
  };
  return { tariff: draft ?? tariff, isDraft: draft !== null, deed, change };
}
