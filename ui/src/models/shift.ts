import type { AssignmentView } from '../bindings/AssignmentView';
import type { ShiftView } from '../bindings/ShiftView';
import type { StateView } from '../bindings/StateView';

/** Whether work of this kind is a shift, in which a device serves a language model for a time. */
export function isShiftKind(kind: string): boolean {
  return kind.startsWith('infer/');
}

/** A shift's model by its name: as the shift says it once it is served, by the job's title before. */
export function modelOf({ shift, job_title: title }: AssignmentView): string {
  return shift?.model ?? title;
}

/** Whether a shift's model is still on its way into the device. */
export function isBeingPrepared({ kind, shift, stage }: AssignmentView): boolean {
  return isShiftKind(kind) && shift === null && stage !== 'uploading';
}

/** The shifts among what is worked on now. */
export function shiftsOf(state: StateView): AssignmentView[] {
  return state.name === 'working' ? state.assignments.filter(({ kind }) => isShiftKind(kind)) : [];
}

/** What is told of a shift in a line's width. */
export type ShiftFigures = Pick<ShiftView, 'texts_open' | 'tokens_generated' | 'tokens_per_second'>;
