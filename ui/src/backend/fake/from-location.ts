import { FakeBackend, SIMULATION_MARK } from './fake-backend';

declare global {
  interface Window {
    /** The simulation behind this page, for scripts that photograph it. */
    lullFake?: FakeBackend;
  }
}

/**
 * The simulation that a page's address asks for: `?scene=enrolled` begins with weeks of work behind, `speed`
 * is how fast its clock runs, and `ahead` lets so many simulated seconds pass before the page is shown.
 */
export function fakeBackendFromLocation(search: string): FakeBackend {
  const query = new URLSearchParams(search);
  const backend = new FakeBackend({
    seed: 7,
    at: Date.now(),
    enrolled: query.get('scene') === 'enrolled',
    samplesPerPixel: Number(query.get('samples') ?? 24),
    speed: Number(query.get('speed') ?? 1),
  });
  backend.advance(Number(query.get('ahead') ?? 0) * 1000);
  backend.run();
  window.lullFake = backend;
  document.documentElement.dataset.backend = SIMULATION_MARK;
  return backend;
}
