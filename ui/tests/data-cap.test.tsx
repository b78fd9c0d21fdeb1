import { screen, waitFor, within } from '@testing-library/react';
import axe from 'axe-core';
import { describe, expect, it } from 'vitest';

import { formatDay } from '../src/format/time';
import { openGuards, renderApp, type RenderedApp } from './render-app';

const caps = ({ backend }: RenderedApp) => backend.worker.settings.guards.data_cap;

async function renderCap(language = 'en'): Promise<RenderedApp> {
  // In the middle of a month.
  const app = await renderApp({ enrolled: true, at: new Date(2026, 9, 20, 12).getTime() }, language);
  await app.user.click(await screen.findByTestId('nav-settings'));
  if (language === 'en') await openGuards(app.user);
  else screen.getByTestId('all-guards').querySelector('summary')?.click();
  await app.user.click(await screen.findByTestId('guard-data_cap-wanted'));
  await screen.findByTestId('data-month');
  return app;
}

describe('the cap of data', () => {
  it('is off at first, and is set for each way by the keyboard', async () => {
    const app = await renderCap();
    expect(caps(app)).toEqual({ sent_gb: null, received_gb: null, both_gb: 30, month_day: 1 });
    const field = (name: string) => screen.getByRole('spinbutton', { name });
    await app.user.clear(field('Sent at most'));
    await app.user.type(field('Sent at most'), '5{ArrowUp}{Enter}');
    await waitFor(() => expect(caps(app)?.sent_gb).toBe(6));
    await app.user.clear(field('A month begins on day'));
    await app.user.type(field('A month begins on day'), '32{Enter}');
    expect(screen.getByRole('alert')).toHaveTextContent('From 1 to 31.');
    await app.user.clear(field('A month begins on day'));
    await app.user.type(field('A month begins on day'), '31{Enter}');
    await waitFor(() => expect(caps(app)?.month_day).toBe(31));
    // Nought is no cap, and one at least is needed.
    await app.user.clear(field('Together at most'));
    await app.user.type(field('Together at most'), '0{Enter}');
    await waitFor(() => expect(caps(app)?.both_gb).toBeNull());
    await app.user.clear(field('Sent at most'));
    await app.user.type(field('Sent at most'), '0{Enter}');
    expect(await screen.findByRole('alert')).toHaveTextContent('give one of them');
    expect(caps(app)?.sent_gb).toBe(6);
    expect(field('Sent at most')).toHaveValue('6');
  });

  it('shows what has moved beside it, when it begins anew, and when it will be reached', async () => {
    const app = await renderCap();
    const { worker } = app.backend;
    const { moved } = worker.snapshot().data;
    const both = Math.ceil((1.2 * (moved.sent_bytes + moved.received_bytes)) / 1e9);
    const allow = async (both_gb: number) => {
      const data_cap = { sent_gb: 9_000, received_gb: null, both_gb, month_day: 1 };
      worker.settings.guards = { ...worker.settings.guards, data_cap };
      await app.pass(1);
    };
    await allow(both);
    const month = within(screen.getByTestId('data-month'));
    expect(month.getByText(/^Since Oct 1: [\d.]+ GB sent, [\d.]+ GB received\. It begins anew on Nov 1\.$/)).toBeVisible();
    const meters = month.getAllByRole('meter').map((meter) => meter.getAttribute('aria-label'));
    expect(meters).toEqual([
      expect.stringMatching(/of 9,000 GB sent$/),
      expect.stringMatching(new RegExp(`of ${both} GB sent and received$`)),
    ]);
    const reachedAt = worker.snapshot().data.reached_at ?? NaN;
    expect(reachedAt).toBeLessThan(new Date(2026, 10, 1).getTime());
    expect(month.getByTestId('data-forecast')).toHaveTextContent(`a cap is reached on ${formatDay(reachedAt, 'en')}.`);
    await allow(10 * both);
    expect(month.queryByTestId('data-forecast')).toBeNull();
  });

  it('draws the last days, and says in words what it draws', async () => {
    const app = await renderCap();
    const chart = within(screen.getByTestId('data-chart'));
    expect(await chart.findByText(/GB in all; most on/)).toBeInTheDocument();
    expect(app.backend.worker.data.days(31, app.backend.worker.now)).toHaveLength(31);
  });

  it('keeps the GPU free once it is reached, until the next month', async () => {
    const app = await renderCap();
    const { worker } = app.backend;
    worker.data.move({ sent_bytes: 0, received_bytes: 60e9 }, worker.now);
    await app.pass(1);
    expect(worker.snapshot().state.name).toBe('yielding');
    const guard = screen.getByTestId('guard-data_cap');
    expect(guard).toHaveAttribute('data-state', 'tripped');
    expect(guard).toHaveTextContent(/GB have been sent and received this month, of the 30 GB that you allow\./);
    expect(within(guard).getByRole('meter')).toHaveAttribute('aria-valuenow', '100');
    await app.user.click(screen.getByTestId('guard-data_cap-wanted'));
    await waitFor(() => expect(worker.snapshot().state.name).not.toBe('yielding'));
  });

  it.each(['en', 'zh-CN'])('has nothing that axe complains of, in %s', async (language) => {
    await renderCap(language);
    const { violations } = await axe.run(screen.getByTestId('guard-data_cap'), {
      rules: { 'color-contrast': { enabled: false } },
    });
    expect(violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}`))).toEqual([]);
  });
});
