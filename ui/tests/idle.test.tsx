import { act, screen, waitFor, within } from '@testing-library/react';
import axe from 'axe-core';
import { describe, expect, it, vi } from 'vitest';

import type { FakeBackend } from '../src/backend/fake/fake-backend';
import { renderApp, renderDashboard } from './render-app';

const why = () => within(screen.getByTestId('why-idle'));
const causes = () => screen.queryAllByTestId('why-cause').map((item) => item.textContent);

function lendBoth({ worker }: FakeBackend): void {
  worker.settings = { ...worker.settings, devices_not_lent: [] };
}

async function violations(): Promise<string[]> {
  const { violations: found } = await axe.run(document.body, { rules: { 'color-contrast': { enabled: false } } });
  return found.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}`));
}

describe('why nothing is done', () => {
  it('is told for each guard, with what would change it', async () => {
    const { backend, pass } = await renderDashboard();
    await pass(15);
    expect(why().getByText('What holds work back?')).toBeVisible();
    expect(causes()).toEqual([]);
    const { worker } = backend;
    worker.settings = { ...worker.settings, guards: { ...worker.settings.guards, away_minutes: 10, programs: ['obs64'] } };
    worker.guards.machine.lastTouchedAt = null;
    act(() => worker.play('doom'));
    await pass(1);
    expect(why().getByText('Why am I idle?')).toBeVisible();
    expect(why().getByText('3 things keep the GPU free.')).toBeVisible();
    expect(causes()[0]).toMatch(/doom fills a screen\. Since .*a minute after you close or leave doom\./);
    expect(causes()[1]).toMatch(/You are using this computer.*10 minutes after you last touch/);
    expect(causes()[2]).toMatch(/obs64 is running.*obs64 is closed/);
    expect(screen.getByTestId('state-why')).toHaveTextContent('doom fills a screen. 2 more things keep the GPU free.');
    expect(await violations()).toEqual([]);
  });

  it('is what the network says when no guard holds, with the guards that stand clear', async () => {
    const { backend, user } = await renderDashboard();
    act(() => {
      backend.worker.enter({ name: 'ready', reason: { code: 'no_jobs', sentence: 'No customer has a job waiting.' } });
      backend.tell();
    });
    expect(why().getByText(/No customer has a job waiting\./)).toBeVisible();
    expect(screen.getByTestId('why-list')).toHaveTextContent(/On watch, and clear: .*Full-screen programs.*Heat/);
    expect(screen.getByTestId('why-list')).toHaveTextContent('Not told by this system: Battery');
    expect(screen.getByTestId('why-list')).toHaveTextContent(/Off: You at the computer.*Hours/);
    await user.click(why().getByRole('button', { name: 'Change when Lull works' }));
    expect(screen.getByRole('heading', { level: 1, name: 'Settings' })).toBeVisible();
  });

  it('unfolds and folds', async () => {
    const { user, pass } = await renderDashboard();
    await pass(15);
    const list = screen.getByTestId('why-list');
    expect(list).not.toHaveAttribute('open');
    await user.click(within(list).getByText('What holds work back?'));
    expect(list).toHaveAttribute('open');
    expect(list).toHaveTextContent(/On watch, and clear: Full-screen programs/);
    await user.click(within(list).getByText('What holds work back?'));
    expect(list).not.toHaveAttribute('open');
  });

  it('says nothing of guards while the worker is out of reach', async () => {
    const { backend, pass } = await renderDashboard();
    act(() => backend.worker.play('doom'));
    await pass(1);
    expect(causes()).toHaveLength(1);
    act(() => backend.loseWorker({ code: 'connection_closed', sentence: 'the worker closed the connection' }));
    expect(causes()).toEqual([]);
    expect(why().getByText(/worker does not answer/)).toBeVisible();
  });

  it('ends hours at the next one that is lent', async () => {
    const at = new Date(2024, 0, 1, 12, 30).getTime();
    vi.useFakeTimers({ now: at, toFake: ['Date'] });
    try {
      const { backend, pass } = await renderApp({ enrolled: true, at });
      await screen.findByTestId('dashboard');
      const { worker } = backend;
      const hours: [number, number, number, number, number, number, number] = [1 << 22, 0, 0, 0, 0, 0, 0];
      worker.settings = { ...worker.settings, guards: { ...worker.settings.guards, hours } };
      await pass(1);
      expect(screen.getByTestId('state-why')).toHaveTextContent(/You keep this hour for yourself\. Work goes on at 10:00.PM/);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('one device of several', () => {
  it('is held by another program while the other works, and says so', async () => {
    const { backend, pass } = await renderDashboard();
    lendBoth(backend);
    await pass(15);
    backend.worker.guards.machine.others.set(0, { program: 'blender', need: 'time' });
    await pass(1);
    expect(screen.getByTestId('state-title')).toHaveTextContent('Earning');
    expect(why().getByText('Why is a device idle?')).toBeVisible();
    const card = within(screen.getByRole('region', { name: 'NVIDIA GeForce RTX 4070' }));
    expect(card.getByText('Kept free')).toBeVisible();
    expect(screen.getByTestId('device-hold-0')).toHaveTextContent(/blender uses NVIDIA.*Work goes on a minute after blender is done/);
    expect(screen.getByTestId('device-hold-1')).not.toHaveTextContent(/blender/);

    backend.worker.guards.machine.others.clear();
    await pass(1);
    expect(screen.getByTestId('device-hold-0')).toHaveTextContent(/Work resumes in/);
    await pass(8);
    expect(card.getByText('Lent')).toBeVisible();
    expect(causes()).toEqual([]);
  });

  it('is paused until it is resumed', async () => {
    const { backend, user, pass } = await renderDashboard();
    lendBoth(backend);
    await pass(15);
    const command = vi.spyOn(backend, 'command');
    await user.click(screen.getByRole('button', { name: 'Pause AMD Radeon 780M' }));
    expect(screen.queryByTestId('stop')).toBeNull();
    await user.click(await screen.findByTestId('pause-resumed'));
    expect(command).toHaveBeenCalledWith({ command: 'pause', duration: 'until_resumed', device: 1 });
    await pass(1);
    expect(screen.getByTestId('device-hold-1')).toHaveTextContent('You paused AMD Radeon 780M.');
    expect(screen.getByTestId('state-title')).toHaveTextContent('Earning');
    expect(await violations()).toEqual([]);
    await user.click(screen.getByRole('button', { name: 'Resume AMD Radeon 780M' }));
    expect(command).toHaveBeenCalledWith({ command: 'resume', device: 1 });
    await pass(1);
    expect(screen.queryByTestId('resume-1')).toBeNull();
  });

  it('has no pause of its own where it is the only one', async () => {
    const { user, pass, backend } = await renderDashboard();
    await pass(3);
    expect(screen.queryByTestId('pause-0')).toBeNull();
    await user.click(screen.getByTestId('pause'));
    await user.click(await screen.findByTestId('pause-resumed'));
    expect(backend.worker.snapshot().state).toMatchObject({ causes: [{ cause: 'paused', device: null, until: 'resumed' }] });
    await user.click(await screen.findByTestId('resume'));
    await pass(3);
    expect(screen.getByTestId('state-title')).toHaveTextContent('Earning');
  });
});

describe('what waiting has cost', () => {
  it('is listed with what was lost, and an estimate of what was missed', async () => {
    const { backend, user, pass } = await renderDashboard();
    await pass(8);
    act(() => backend.worker.play('doom'));
    await pass(1);
    await user.click(within(screen.getByTestId('trips')).getByText('What waiting has cost'));
    const [newest] = await screen.findAllByTestId('trip-row');
    expect(newest).toHaveTextContent(/Full-screen programs · doom.*so far · 1 task interrupted.*Lost0\.00\d+.*Missed, estimatednot known/);
    expect(screen.getAllByTestId('trip-row')).toHaveLength(8);
    expect(screen.getByTestId('trips-sum')).toHaveTextContent(/These 8 times practice USDC.*tasks interrupted/);
    await user.click(screen.getByRole('button', { name: 'Show all 11' }));
    expect(screen.getAllByTestId('trip-row')).toHaveLength(11);
    expect(await violations()).toEqual([]);

    act(() => backend.worker.play(null));
    await pass(1);
    await waitFor(() => expect(screen.getAllByTestId('trip-row')[0]).not.toHaveTextContent('so far'));
  });

  it('is nothing for somebody who has just begun', async () => {
    const { backend, user } = await renderDashboard();
    backend.worker.trips.rows.length = 0;
    await user.click(within(screen.getByTestId('trips')).getByText('What waiting has cost'));
    expect(await screen.findByText('No guard has held work back yet')).toBeVisible();
    expect(screen.queryByTestId('trips-sum')).toBeNull();
  });
});
