import { FakeBackend, SIMULATION_MARK } from './fake-backend';
import { modelScene } from './model-scenes';

declare global {
  interface Window {
    /** The simulation behind this page, for scripts that photograph it. */
    lullFake?: FakeBackend;
  }
}

/**
 * The simulation that a page's address asks for: `?scene=enrolled` begins with weeks of work behind, `speed`
 * is how fast its clock runs, and `ahead` lets so many simulated seconds pass before the page is shown.
 * `cluster` is the ledger that the network pays on (`mainnet`, or `practice`, which it is otherwise), and `payouts`
 * makes these go wrong: `wrong` has a chain that paid less than the network says, `silent` one that does not know the
 * transaction, `stopped` a network that pays nobody, `untold` one that has said nothing, `none` one without a chain.
 * `models` allows language models: `one` and `four` have so many texts, `preparing` a model that is being loaded, and
 * `idle` nobody who asks for one.
 */
export function fakeBackendFromLocation(search: string): FakeBackend {
  const query = new URLSearchParams(search);
  const backend = new FakeBackend({
    seed: 7,
    at: Date.now(),
    enrolled: query.get('scene') === 'enrolled',
    cluster: query.get('cluster') ?? 'practice',
    samplesPerPixel: Number(query.get('samples') ?? 24),
    speed: Number(query.get('speed') ?? 1),
  });
  const { payouts } = backend.worker;
  const trouble = query.get('payouts');
  if (trouble === 'wrong') payouts.told = { amount: '0.100000 USDC' };
  if (trouble === 'silent') payouts.told = { transaction: null, amount: null };
  payouts.stopped = trouble === 'stopped';
  payouts.untold = trouble === 'untold';
  if (trouble === 'none') payouts.place = null;
  modelScene(backend.worker, query.get('models'));
  backend.advance(Number(query.get('ahead') ?? 0) * 1000);
  backend.run();
  window.lullFake = backend;
  document.documentElement.dataset.backend = SIMULATION_MARK;
  return backend;
}
