import type { SimulatedWorker } from './simulated-worker';

const texts = { one: 1, four: 4, preparing: 1, idle: null } as const;

/** Has a worker serve a language model, or wait for one to be asked for; an unknown scene changes nothing. */
export function modelScene(worker: SimulatedWorker, scene: string | null): void {
  if (scene === null || !(scene in texts)) return;
  const wanted = texts[scene as keyof typeof texts];
  worker.settings = { ...worker.settings, serves_models: true };
  if (wanted === null) {
    worker.enter({ name: 'ready', reason: { code: 'no_jobs', sentence: 'No customer has a job waiting.' } });
    worker.tasks.standings.set(0, { told_at: worker.now, ahead: { count: 0, or_more: false }, withheld: [] });
    return;
  }
  worker.tasks.model = { model: 'gemma-3-4b-it', customer: 'Practice network', texts: wanted, loads: scene !== 'preparing' };
}
