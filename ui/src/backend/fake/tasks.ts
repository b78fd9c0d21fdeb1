import type { AssignmentView } from '../../bindings/AssignmentView';
import type { DeviceStanding } from '../../bindings/DeviceStanding';
import type { Settings } from '../../bindings/Settings';
import { isShiftKind } from '../../models/shift';
import { effortShare } from './estimate';
import { SimulatedJobs, TASK_RUN_MS } from './jobs';
import type { SimulatedLedger } from './ledger';
import type { Random } from './random';
import { earnedBy, servedOn, simulatedShift, type ModelWanted } from './shifts';

const STAGE_MS = { fetching: 700, preparing: 500, uploading: 600 };
const VERDICT_MS = 1_500;

/** Tasks from when they are taken until their verdict. */
export class SimulatedTasks {
  readonly jobs: SimulatedJobs;
  /** Where devices stand for which there is no task, by their index; whoever shows such a device says it. */
  readonly standings = new Map<number, DeviceStanding>();
  /** The model that the network would have served, by devices of those who allow it; `null` while nobody asks. */
  model: ModelWanted | null = null;
  private readonly ledger: SimulatedLedger;
  private readonly random: Random;
  private readonly verdictsDue: { assignment: string; at: number }[] = [];

  constructor(ledger: SimulatedLedger, random: Random, samplesPerPixel: number) {
    this.jobs = new SimulatedJobs(random, samplesPerPixel);
    this.ledger = ledger;
    this.random = random;
  }

  take(device: number, now: number, { serves_models: serves }: Settings): AssignmentView {
    const view =
      serves && this.model ? simulatedShift(this.model, this.random, now, device) : this.jobs.take(now, device);
    this.ledger.open(view, now);
    return view;
  }

  handBack(view: AssignmentView): void {
    this.jobs.handBack(view);
    this.ledger.handBack(view.id);
  }

  /** Where an assignment stands a little later; `null` once it is reported. */
  advance(view: AssignmentView, elapsedMs: number, settings: Settings, now: number): AssignmentView | null {
    const isShift = isShiftKind(view.kind);
    if (isShift && !settings.serves_models) {
      this.ledger.handBack(view.id, {
        code: 'models_not_served',
        sentence: 'The contributor turned the serving of models off.',
      });
      return null;
    }
    const row = this.ledger.row(view.id);
    if (view.stage !== 'running') {
      if (this.random() * STAGE_MS[view.stage] > elapsedMs) return view;
      if (view.stage === 'fetching') return { ...view, stage: 'preparing' };
      if (view.stage === 'preparing') return { ...view, stage: 'running' };
      if (row) row.state = { name: 'reported' };
      this.verdictsDue.push({ assignment: view.id, at: now + VERDICT_MS });
      return null;
    }
    if (isShift) return this.serve(view, elapsedMs);
    const runMs = TASK_RUN_MS / effortShare[settings.effort];
    const fraction = Math.min(1, view.fraction + elapsedMs / runMs);
    if (fraction < 1) return { ...view, fraction };
    if (row) row.ran_ms = Math.round(runMs * (0.97 + this.random() * 0.06));
    return { ...view, fraction, stage: 'uploading' };
  }

  private serve(view: AssignmentView, elapsedMs: number): AssignmentView {
    if (!this.model) return { ...view, stage: 'uploading' };
    const later = servedOn(view, this.model, this.random, elapsedMs);
    if (later.fraction < 1) return later;
    const row = this.ledger.row(view.id);
    if (row) row.price = earnedBy(later);
    return { ...later, stage: 'uploading' };
  }

  /** Accepts what is due, and tells of each. */
  giveVerdicts(now: number, onAccepted: () => void): void {
    while (this.verdictsDue[0] && this.verdictsDue[0].at <= now) {
      const row = this.ledger.row(this.verdictsDue.shift()?.assignment ?? '');
      if (!row) continue;
      this.ledger.accept(row, now, this.random() < 0.3);
      this.jobs.accept(row);
      onAccepted();
    }
  }
}
