import { act, screen, waitFor, within } from '@testing-library/react';
import axe from 'axe-core';
import { describe, expect, it, vi } from 'vitest';

import { SIMULATED_ADDRESS, SIMULATED_WORDS } from '../src/backend/fake/kept-wallet';
import { renderApp, type RenderedApp } from './render-app';

async function openSettings(): Promise<RenderedApp> {
  const app = await renderApp({ enrolled: true });
  await app.user.click(await screen.findByTestId('nav-settings'));
  return app;
}

/** Whether a word is anywhere that outlives the page or is in it. */
function wordsAreAbout(): boolean {
  const fields = [...document.querySelectorAll('input')].map((input) => input.value);
  const places = [document.body.innerHTML, window.location.href, JSON.stringify(localStorage), ...fields].join(' ');
  return ['winner', 'sausage', 'yellow'].some((word) => places.includes(word));
}

async function give({ user }: RenderedApp, words: readonly string[]): Promise<void> {
  await user.click(screen.getByTestId('word-1'));
  // The first two as people type them, with a space between; the others at once.
  const [first = '', second = '', ...others] = words;
  await user.keyboard(`${first} ${second} `);
  await user.paste(others.join(' '));
}

describe('a wallet that is made here', () => {
  it('is warned of, shown, typed again, and then paid to', async () => {
    const logged = vi.spyOn(console, 'log');
    const app = await openSettings();
    const { user, backend } = app;
    await user.click(screen.getByTestId('kept-make'));
    expect(screen.getByRole('heading', { name: 'A wallet of your own' })).toHaveFocus();
    expect(screen.getByText(/Never photograph them/)).toBeVisible();
    expect(screen.getByText(/Lull cannot restore them/)).toBeVisible();
    await user.click(screen.getByTestId('make-show'));
    const words = await screen.findByTestId('words');
    expect(wordsAreAbout()).toBe(false);
    expect(screen.getByTestId('make-written')).toBeDisabled();
    await user.click(screen.getByTestId('words-uncover'));
    expect(within(words).getAllByRole('listitem').map((item) => item.textContent)).toEqual(
      SIMULATED_WORDS.map((word, n) => `${n + 1}${word}`),
    );
    // Out of sight, covered.
    vi.spyOn(document, 'hidden', 'get').mockReturnValue(true);
    act(() => void document.dispatchEvent(new Event('visibilitychange')));
    expect(wordsAreAbout()).toBe(false);
    await user.click(screen.getByTestId('make-written'));
    expect(wordsAreAbout()).toBe(false);
    await give(app, SIMULATED_WORDS.with(3, 'moon'));
    await user.click(screen.getByTestId('words-submit'));
    expect(await screen.findByTestId('words-fault')).toHaveAttribute('data-code', 'wallet_words_checksum');
    expect(backend.worker.kept.kept?.confirmed).toBe(false);
    await user.clear(screen.getByTestId('word-4'));
    await user.type(screen.getByTestId('word-4'), 'year{Enter}');
    expect(await screen.findByTestId('kept-done')).toBeVisible();
    await waitFor(() => expect(backend.worker.wallets.wanted).toBe(SIMULATED_ADDRESS));
    expect(wordsAreAbout()).toBe(false);
    expect(logged).not.toHaveBeenCalled();
  });

  it('waits unconfirmed, and can be finished from paper or shown again', async () => {
    const app = await openSettings();
    const { user, backend } = app;
    const first = backend.worker.wallets.wanted;
    await user.click(screen.getByTestId('kept-make'));
    await user.click(screen.getByTestId('make-show'));
    await user.click(await screen.findByRole('button', { name: 'Finish later' }));
    expect(screen.getByTestId('kept-wallet')).toHaveTextContent('not finished');
    expect(backend.worker.wallets.wanted).toBe(first);
    await user.click(screen.getByTestId('kept-finish'));
    await user.click(screen.getByTestId('make-have'));
    await user.click(screen.getByRole('button', { name: 'Show them again' }));
    await screen.findByTestId('words');
    await user.click(screen.getByTestId('words-uncover'));
    expect(wordsAreAbout()).toBe(true);
    // Leaving the page leaves nothing of them.
    await user.click(screen.getByTestId('nav-tasks'));
    expect(wordsAreAbout()).toBe(false);
  });

  it('is restored from pasted words, and exported after an explicit step', async () => {
    const app = await openSettings();
    const { user, backend } = app;
    await user.click(screen.getByTestId('kept-restore'));
    await user.click(screen.getByRole('radio', { name: '24 words' }));
    expect(screen.getByTestId('word-24')).toBeVisible();
    await user.click(screen.getByRole('radio', { name: '12 words' }));
    expect(screen.getByTestId('words-submit')).toBeDisabled();
    await user.click(screen.getByTestId('word-1'));
    await user.paste(` ${SIMULATED_WORDS.join('\n').toUpperCase()} `);
    await user.click(screen.getByTestId('words-submit'));
    expect(await screen.findByTestId('kept-done')).toBeVisible();
    expect(backend.worker.kept.kept).toEqual({ address: SIMULATED_ADDRESS, confirmed: true });
    expect(screen.queryByTestId('kept-make')).toBeNull();
    await user.click(screen.getByTestId('kept-export'));
    expect(screen.getByText(/Whoever knows the words has the money/)).toBeVisible();
    expect(screen.queryByTestId('words')).toBeNull();
    await user.click(screen.getByTestId('export-show'));
    const shown = await screen.findByTestId('words');
    expect(shown).toHaveAttribute('data-uncovered', 'false');
    const { violations } = await axe.run(shown.closest('section') ?? document.body, { rules: { 'color-contrast': { enabled: false } } });
    expect(violations.map(({ id, nodes }) => `${id} ${nodes[0]?.html ?? ''}`)).toEqual([]);
    await user.click(screen.getByTestId('export-done'));
    expect(wordsAreAbout()).toBe(false);
  });

  it('says why none could be made', async () => {
    const { user, backend } = await openSettings();
    backend.worker.kept.make = () => ({ code: 'wallet_no_keychain', sentence: 'this system has no keychain' });
    await user.click(screen.getByTestId('kept-make'));
    await user.click(screen.getByTestId('make-show'));
    expect(await screen.findByRole('alert')).toHaveTextContent('This system has no keychain.');
  });

  it('can be made in the wizard', async () => {
    const app = await renderApp();
    const { user, backend } = app;
    await app.pass(2);
    for (const step of ['device', 'benchmark']) {
      await user.click(screen.getByTestId('wizard-next'));
      await screen.findByTestId(`wizard-step-${step}`);
    }
    await user.click(screen.getByTestId('benchmark-start'));
    await app.pass(42);
    for (const step of ['estimate', 'effort', 'wallet']) {
      await user.click(screen.getByTestId('wizard-next'));
      await screen.findByTestId(`wizard-step-${step}`);
    }
    await user.click(screen.getByTestId('wallet-make'));
    await user.click(screen.getByTestId('make-show'));
    await user.click(await screen.findByTestId('words-uncover'));
    await user.click(screen.getByTestId('make-written'));
    await give(app, SIMULATED_WORDS);
    await user.click(screen.getByTestId('words-submit'));
    await screen.findByTestId('wizard-step-enrol');
    expect(screen.getByText(SIMULATED_ADDRESS)).toBeVisible();
    expect(backend.worker.kept.kept?.confirmed).toBe(true);
    expect(wordsAreAbout()).toBe(false);
  });
});
