import { useEffect, useRef, useState } from 'react';

import type { Fault } from '../bindings/Fault';
import { asFault } from '../backend/fault';

/** A question to the worker: unanswered, answered, or failed. An older answer stays while a new one is awaited. */
export interface Answer<T> {
  value: T | undefined;
  fault: Fault | null;
  /** Asks again. */
  again: () => void;
}

/**
 * Asks when mounted, when `key` changes, and on `again`. `key` must name everything that the question depends
 * on; an answer that arrives after a newer question was asked is dropped.
 */
export function useAnswer<T>(key: string, question: () => Promise<T>): Answer<T> {
  const [answer, setAnswer] = useState<{ value: T | undefined; fault: Fault | null }>({
    value: undefined,
    fault: null,
  });
  const [repeat, setRepeat] = useState(0);
  const newest = useRef(question);
  useEffect(() => {
    newest.current = question;
  });
  useEffect(() => {
    let superseded = false;
    newest.current().then(
      (value) => {
        if (!superseded) setAnswer({ value, fault: null });
      },
      (caught: unknown) => {
        if (!superseded) setAnswer((earlier) => ({ value: earlier.value, fault: asFault(caught) }));
      },
    );
    return () => {
      superseded = true;
    };
  }, [key, repeat]);
  return { ...answer, again: () => setRepeat((n) => n + 1) };
}

/** A request in flight, and why the last one failed. */
export interface Deed {
  busy: boolean;
  fault: Fault | null;
  /** Runs it unless it is under way; resolves to whether it succeeded. */
  run: (deed: () => Promise<unknown>) => Promise<boolean>;
  /** Forgets the last failure. */
  clear: () => void;
}

/** Keeps the state of a button that asks the worker to do something. */
export function useDeed(): Deed {
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<Fault | null>(null);
  const underWay = useRef(false);
  const run = async (deed: () => Promise<unknown>): Promise<boolean> => {
    if (underWay.current) return false;
    underWay.current = true;
    setBusy(true);
    setFault(null);
    try {
      await deed();
      return true;
    } catch (caught) {
      setFault(asFault(caught));
      return false;
    } finally {
      underWay.current = false;
      setBusy(false);
    }
  };
  return { busy, fault, run, clear: () => setFault(null) };
}
