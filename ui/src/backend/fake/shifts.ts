import type { AssignmentView } from '../../bindings/AssignmentView';
import type { ShiftView } from '../../bindings/ShiftView';
import { uuid, type Random } from './random';

/** How long a shift serves, as the network's do. */
const SHIFT_MS = 600_000;

/** What a shift pays for coming; what it serves is added. */
const COMING = 1;

/** Tokens in a second for one text; more texts at once are faster together, each of them slower. */
const SPEED_OF_ONE = 38;
const GAIN_OF_MORE = 0.62;

/** Tokens of prompts for each that is generated. */
const READ_SHARE = 2.4;

/** What the network would have served. */
export interface ModelWanted {
  model: string;
  customer: string;
  /** Texts at once. */
  texts: number;
  /** Whether the model is ever loaded; otherwise its preparation goes on. */
  loads: boolean;
}

/** The assignment of a shift that begins. */
export function simulatedShift(wanted: ModelWanted, random: Random, at: number, device: number): AssignmentView {
  return {
    id: uuid(random, at),
    job: uuid(random, at),
    job_title: wanted.model,
    customer_name: wanted.customer,
    kind: 'infer/1',
    device,
    stage: 'fetching',
    fraction: 0,
    price: COMING,
    task_index: 0,
    task_count: 1,
    picture: null,
    shift: null,
  };
}

/** A running shift a little later; its model is loaded first. */
export function servedOn(view: AssignmentView, wanted: ModelWanted, random: Random, elapsedMs: number): AssignmentView {
  if (!wanted.loads) return view;
  const shift = view.shift ?? begun(wanted);
  const speed = wanted.texts === 0 ? 0 : SPEED_OF_ONE * wanted.texts ** GAIN_OF_MORE * (0.97 + random() * 0.06);
  const tokens = (speed * elapsedMs) / 1000;
  return {
    ...view,
    fraction: Math.min(1, view.fraction + elapsedMs / SHIFT_MS),
    shift: {
      ...shift,
      texts_open: wanted.texts,
      tokens_generated: Math.round(shift.tokens_generated + tokens),
      tokens_read: Math.round(shift.tokens_read + tokens * READ_SHARE),
      tokens_per_second: speed,
    },
  };
}

/** What a shift has earned, in base units. */
export function earnedBy({ shift }: AssignmentView): number {
  if (!shift) return COMING;
  const thousandths =
    shift.tokens_read * shift.price_per_1000_prompt_tokens + shift.tokens_generated * shift.price_per_1000_generated_tokens;
  return COMING + Math.floor(thousandths / 1000);
}

function begun(wanted: ModelWanted): ShiftView {
  return {
    model: wanted.model,
    texts_open: wanted.texts,
    tokens_read: 0,
    tokens_generated: 0,
    tokens_per_second: 0,
    price_per_1000_generated_tokens: 100,
    price_per_1000_prompt_tokens: 20,
  };
}
