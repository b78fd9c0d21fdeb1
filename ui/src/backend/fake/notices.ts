import type { Notice } from '../../bindings/Notice';

/** What a simulated worker has told. */
export class SimulatedNotices {
  readonly all: Notice[] = [];

  tell(at: number, code: string, sentence: string, problem = false): void {
    this.all.push({ id: this.all.length + 1, at, code, sentence, problem });
  }
}
