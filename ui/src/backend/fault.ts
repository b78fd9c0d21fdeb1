import type { Fault } from '../bindings/Fault';

/** Whether a caught value is a fault that crossed the boundary whole. */
export function isFault(value: unknown): value is Fault {
  return (
    typeof value === 'object' &&
    value !== null &&
    'code' in value &&
    typeof value.code === 'string' &&
    'sentence' in value &&
    typeof value.sentence === 'string'
  );
}

/** What was caught, as a fault: anything else than one came from the shell itself. */
export function asFault(caught: unknown): Fault {
  if (isFault(caught)) return caught;
  const sentence = caught instanceof Error ? caught.message : String(caught);
  return { code: 'shell_failed', sentence };
}

/** An `Error` that carries a fault, so that refused commands can be thrown. */
export class FaultError extends Error implements Fault {
  readonly code: string;
  readonly sentence: string;

  constructor(fault: Fault) {
    super(`${fault.sentence} [${fault.code}]`);
    this.name = 'FaultError';
    this.code = fault.code;
    this.sentence = fault.sentence;
  }
}
