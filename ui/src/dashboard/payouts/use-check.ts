import { useState } from 'react';

import type { Fault } from '../../bindings/Fault';
import type { PayoutCheck } from '../../bindings/PayoutCheck';
import { ask } from '../../backend/ask';
import { useBackend } from '../../worker/context';
import { useDeed } from '../../worker/use-answer';

/** A check of one payout, or of what the newest epoch lists. */
export interface Checking {
  busy: boolean;
  /** Why it could not be checked. */
  fault: Fault | null;
  /** What came of it. */
  check: PayoutCheck | null;
  run: () => void;
  clear: () => void;
}

/** Has the worker look for itself; `null` for what the newest epoch lists. */
export function useCheck(payout: number | null): Checking {
  const backend = useBackend();
  const deed = useDeed();
  const [check, setCheck] = useState<PayoutCheck | null>(null);
  const run = () =>
    void deed.run(async () => {
      setCheck(null);
      setCheck(await ask(backend, { command: 'verify_payout', payout }, 'payout_checked'));
    });
  return { busy: deed.busy, fault: deed.fault, check, run, clear: () => setCheck(null) };
}
