import { act, render, screen, within } from '@testing-library/react';
import userEvent, { type UserEvent } from '@testing-library/user-event';

import { App } from '../src/app';
import { FakeBackend, type FakeOptions } from '../src/backend/fake/fake-backend';
import { chooseLanguage, setUpLanguages } from '../src/i18n/setup';

/** The user interface over a simulated worker whose clock stands still until `pass`. */
export interface RenderedApp {
  backend: FakeBackend;
  user: UserEvent;
  /** Lets so many simulated seconds pass. */
  pass: (seconds: number) => Promise<void>;
}

let languagesReady: Promise<unknown> | null = null;

export async function renderApp(options: Partial<FakeOptions> = {}, language = 'en'): Promise<RenderedApp> {
  languagesReady ??= setUpLanguages();
  await languagesReady;
  await chooseLanguage(language);
  const backend = new FakeBackend({
    seed: 3,
    at: Date.now(),
    enrolled: false,
    samplesPerPixel: 1,
    speed: 1,
    ...options,
  });
  const pass = async (seconds: number) => {
    await act(async () => {
      for (let left = seconds; left > 0; left -= 1) {
        backend.advance(Math.min(1, left) * 1000);
        // The answers to what the pages ask on each snapshot.
        await Promise.resolve();
      }
    });
  };
  render(<App backend={backend} />);
  await screen.findByRole('main');
  return { backend, user: userEvent.setup(), pass };
}

/** A contributor who enrolled weeks ago, on the dashboard. */
export async function renderDashboard(language = 'en'): Promise<RenderedApp> {
  const app = await renderApp({ enrolled: true }, language);
  await screen.findByTestId('dashboard');
  return app;
}

/** Unfolds all guards in the settings. */
export async function openGuards(user: UserEvent): Promise<void> {
  await user.click(screen.getByTestId('nav-settings'));
  await user.click(within(screen.getByTestId('all-guards')).getByText('All guards'));
}
