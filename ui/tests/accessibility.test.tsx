import { screen } from '@testing-library/react';
import axe from 'axe-core';
import { describe, expect, it } from 'vitest';

import { renderApp, renderDashboard } from './render-app';

/** What axe finds; contrast needs a layout, which jsdom has not: the screenshot script checks it in a browser. */
async function violations(): Promise<string[]> {
  const { violations: found } = await axe.run(document.body, { rules: { 'color-contrast': { enabled: false } } });
  return found.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}`));
}

describe('accessibility', () => {
  it.each(['overview', 'tasks', 'payouts', 'receipts', 'settings'])('has nothing to say about the page “%s”', async (page) => {
    const { user, pass } = await renderDashboard();
    await pass(15);
    await user.click(screen.getByTestId(`nav-${page}`));
    expect(screen.getByTestId(`nav-${page}`)).toHaveAttribute('aria-current', 'page');
    expect(await violations()).toEqual([]);
  });

  it('has nothing to say about the wizard', async () => {
    const { user, pass } = await renderApp();
    await pass(2);
    for (const step of ['welcome', 'device']) {
      await screen.findByTestId(`wizard-step-${step}`);
      expect(await violations()).toEqual([]);
      await user.click(screen.getByTestId('wizard-next'));
    }
    await user.click(screen.getByTestId('benchmark-start'));
    await pass(5);
    expect(await violations()).toEqual([]);
    await pass(40);
    expect(await violations()).toEqual([]);
    await user.click(screen.getByTestId('wizard-next'));
    for (const step of ['estimate', 'effort']) {
      await screen.findByTestId(`wizard-step-${step}`);
      expect(await violations()).toEqual([]);
      await user.click(screen.getByTestId('wizard-next'));
    }
    await screen.findByTestId('wizard-step-wallet');
    expect(await violations()).toEqual([]);
    await user.click(screen.getByTestId('wizard-skip'));
    await screen.findByTestId('wizard-step-enrol');
    expect(await violations()).toEqual([]);
  });

  it('can be walked with the keyboard alone', async () => {
    const { user, pass } = await renderApp();
    await pass(2);
    await user.tab();
    expect(screen.getByRole('link', { name: 'Skip to content' })).toHaveFocus();
    await user.tab();
    expect(screen.getByTestId('wizard-next')).toHaveFocus();
    await user.keyboard('{Enter}');
    await screen.findByTestId('wizard-step-device');
    expect(screen.getByRole('heading', { level: 1 })).toHaveFocus();
  });
});
