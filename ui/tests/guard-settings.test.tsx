import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import axe from 'axe-core';
import { describe, expect, it } from 'vitest';

import type { StateView } from '../src/bindings/StateView';
import { countHours, isLent, presets } from '../src/guards/hours';
import { openGuards, renderApp, renderDashboard, type RenderedApp } from './render-app';

const rules = ({ backend }: RenderedApp) => backend.worker.settings.guards;

async function renderGuards(language = 'en'): Promise<RenderedApp> {
  const app = await renderDashboard(language);
  await openGuards(app.user);
  return app;
}

describe('when Lull works', () => {
  it('is chosen by intents, which set their guards and unset them', async () => {
    const app = await renderDashboard();
    await app.user.click(screen.getByTestId('nav-settings'));
    const tick = (name: string) => screen.getByRole('checkbox', { name });
    expect(tick('Never while something needs the machine')).toBeChecked();
    await app.user.click(tick('Only when I’m away'));
    await waitFor(() => expect(rules(app).away_minutes).toBe(10));
    await app.user.click(tick('Nights and week-ends'));
    await waitFor(() => expect(rules(app).hours).toEqual(presets.both));
    await app.user.click(tick('Quiet'));
    await waitFor(() => expect(app.backend.worker.settings.effort).toBe('quiet'));
    expect(rules(app)).toMatchObject({ heat: { core: 70, hotspot: 85, memory: 85 }, away_minutes: 10 });
    // The simulated card tells how fast its fan turns.
    expect(rules(app).quiet?.fan_percent).toBe(40);
    await app.user.click(tick('Only when I’m away'));
    await waitFor(() => expect(rules(app).away_minutes).toBeNull());
    expect(tick('Only when I’m away')).not.toBeChecked();
  });

  it('shows an intent whose detail was changed, and sets it anew', async () => {
    const app = await renderGuards();
    await app.user.click(screen.getByTestId('guard-metered-wanted'));
    const intent = screen.getByTestId('intent-undisturbed');
    await waitFor(() => expect(intent).toHaveAttribute('data-stand', 'changed'));
    expect(intent).toHaveTextContent('Changed in detail');
    const tick = within(intent).getByRole('checkbox');
    expect(tick).toBePartiallyChecked();
    await app.user.click(tick);
    await waitFor(() => expect(intent).toHaveAttribute('data-stand', 'on'));
    expect(rules(app).metered).toBe(true);
  });

  it('is asked in the wizard too', async () => {
    const app = await renderApp();
    await app.pass(2);
    for (const step of ['device', 'benchmark']) {
      await app.user.click(screen.getByTestId('wizard-next'));
      await screen.findByTestId(`wizard-step-${step}`);
    }
    await app.user.click(screen.getByTestId('benchmark-start'));
    await app.pass(42);
    for (const step of ['estimate', 'effort']) {
      await app.user.click(screen.getByTestId('wizard-next'));
      await screen.findByTestId(`wizard-step-${step}`);
    }
    await app.user.click(screen.getByRole('checkbox', { name: 'Nights and week-ends' }));
    await waitFor(() => expect(rules(app).hours).toEqual(presets.both));
    expect(screen.getByText(/Monday to Friday from 22:00 to 8:00/)).toBeVisible();
  });
});

describe('all guards', () => {
  it('have minutes that are typed and stepped, within bounds', async () => {
    const app = await renderGuards();
    await app.user.click(screen.getByTestId('guard-presence-wanted'));
    await waitFor(() => expect(rules(app).away_minutes).toBe(10));
    const minutes = screen.getByRole('spinbutton', { name: 'Minutes without a touch' });
    await app.user.clear(minutes);
    await app.user.type(minutes, '1441{Enter}');
    expect(screen.getByRole('alert')).toHaveTextContent('From 1 to 1440.');
    expect(rules(app).away_minutes).toBe(10);
    await app.user.clear(minutes);
    await app.user.type(minutes, '45{Enter}');
    await waitFor(() => expect(rules(app).away_minutes).toBe(45));
    await app.user.type(minutes, '{ArrowUp}{ArrowUp}');
    await waitFor(() => expect(rules(app).away_minutes).toBe(47));
    await app.user.click(screen.getByRole('button', { name: 'Minutes without a touch: less' }));
    await waitFor(() => expect(rules(app).away_minutes).toBe(46));
    // What was chosen comes back with the switch.
    await app.user.click(screen.getByTestId('guard-presence-wanted'));
    await waitFor(() => expect(rules(app).away_minutes).toBeNull());
    await app.user.click(screen.getByTestId('guard-presence-wanted'));
    await waitFor(() => expect(rules(app).away_minutes).toBe(46));
  });

  it('list programs that are typed, or chosen among those that run', async () => {
    const app = await renderGuards();
    await app.user.click(screen.getByTestId('guard-program-wanted'));
    const field = screen.getByLabelText('Name of a program');
    await app.user.type(field, 'Blender.exe{Enter}');
    await waitFor(() => expect(rules(app).programs).toEqual(['Blender']));
    await app.user.type(field, 'blender');
    expect(screen.getByRole('alert')).toHaveTextContent('on the list already');
    await app.user.clear(field);
    await app.user.type(field, '/bin/sh');
    expect(screen.getByRole('alert')).toHaveTextContent('its file’s name');
    await app.user.clear(field);
    await app.user.click(await screen.findByRole('button', { name: 'Add obs64' }));
    await waitFor(() => expect(rules(app).programs).toEqual(['Blender', 'obs64']));
    expect(screen.queryByRole('button', { name: 'Add obs64' })).toBeNull();
    await app.pass(1);
    expect(screen.getByTestId('guard-program')).toHaveTextContent(/obs64 is running\. Holds the GPU free since/);
    await app.user.click(screen.getByRole('button', { name: 'Remove obs64' }));
    await waitFor(() => expect(rules(app).programs).toEqual(['Blender']));
  });

  it('have hours that are walked and changed with the keyboard', async () => {
    const app = await renderGuards();
    await app.user.click(screen.getByTestId('guard-hours-wanted'));
    await waitFor(() => expect(rules(app).hours).toEqual(presets.both));
    const grid = within(screen.getByRole('grid', { name: 'Hours of the week that you lend' }));
    expect(grid.getAllByRole('gridcell')).toHaveLength(168);
    const monday = grid.getByRole('gridcell', { name: 'Monday, 12 AM' });
    // One stop of the tabulator for all of them.
    expect(grid.getAllByRole('gridcell').filter((cell) => cell.tabIndex === 0)).toEqual([monday]);
    monday.focus();
    await app.user.keyboard('{End}');
    expect(grid.getByRole('gridcell', { name: 'Monday, 11 PM' })).toHaveFocus();
    await app.user.keyboard('{ArrowDown}{ArrowLeft}');
    const tuesday = grid.getByRole('gridcell', { name: 'Tuesday, 10 PM' });
    expect(tuesday).toHaveFocus();
    expect(tuesday).toHaveAttribute('aria-selected', 'true');
    await app.user.keyboard(' ');
    await waitFor(() => expect(isLent(rules(app).hours ?? presets.all, { day: 1, hour: 22 })).toBe(false));
    expect(tuesday).toHaveAttribute('aria-selected', 'false');
    // Shift carries on what the hour has: kept, leftwards and up.
    await app.user.keyboard('{Home}{Shift>}{ArrowRight}{/Shift} ');
    await waitFor(() => expect(isLent(rules(app).hours ?? presets.all, { day: 1, hour: 1 })).toBe(false));
    expect(countHours(rules(app).hours ?? presets.all)).toBe(96);
  });

  it('have hours that are painted, of which one at least stays', async () => {
    const app = await renderGuards();
    await app.user.click(screen.getByTestId('guard-hours-wanted'));
    const grid = within(await screen.findByTestId('hours-grid'));
    const cell = (name: string) => grid.getByRole('gridcell', { name });
    const paint = (from: string, to: string) => {
      fireEvent.pointerDown(cell(from), { button: 0, pointerId: 1 });
      fireEvent.pointerOver(cell(to), { pointerId: 1 });
      fireEvent.pointerUp(window);
    };
    paint('Monday, 9 AM', 'Wednesday, 11 AM');
    await waitFor(() => expect(countHours(rules(app).hours ?? presets.all)).toBe(98 + 9));
    await app.user.click(screen.getByRole('button', { name: 'All' }));
    await waitFor(() => expect(rules(app).hours).toEqual(presets.all));
    expect(screen.getByRole('button', { name: 'All' })).toHaveAttribute('aria-pressed', 'true');
    paint('Monday, 12 AM', 'Sunday, 11 PM');
    expect(screen.getByRole('alert')).toHaveTextContent('No hour is chosen');
    expect(rules(app).hours).toEqual(presets.all);
    paint('Friday, 10 PM', 'Friday, 10 PM');
    await waitFor(() => expect(countHours(rules(app).hours ?? presets.all)).toBe(1));
    expect(screen.queryByRole('alert')).toBeNull();
    expect(screen.getByText(/1 hour a week is lent/)).toBeVisible();
  });

  it('have limits of heat and of the disk', async () => {
    const app = await renderGuards();
    const hotspot = screen.getByRole('spinbutton', { name: 'Hottest spot' });
    await app.user.clear(hotspot);
    await app.user.type(hotspot, '95{Enter}');
    await waitFor(() => expect(rules(app).heat).toEqual({ core: 83, hotspot: 95, memory: 100 }));
    const disk = screen.getByRole('spinbutton', { name: 'Keep free' });
    await app.user.clear(disk);
    await app.user.type(disk, '50{Enter}');
    await waitFor(() => expect(rules(app).disk_free_gib).toBe(50));
  });

  it('ask for leave to lower a card’s power limit, and say what came of it', async () => {
    const app = await renderGuards();
    await app.user.click(screen.getByTestId('guard-quiet-wanted'));
    const leave = await screen.findByRole('checkbox', { name: 'Lull may lower the card’s power limit' });
    expect(leave).not.toBeChecked();
    expect(leave).toHaveAccessibleDescription(/Choose above how much power/);
    const power = screen.getByRole('spinbutton', { name: 'Power at most' });
    await app.user.clear(power);
    await app.user.type(power, '180{Enter}');
    await waitFor(() => expect(leave).toHaveAccessibleDescription(/only while it works/));
    expect(screen.queryByTestId('power-limit-0')).toBeNull();
    await app.user.click(leave);
    await waitFor(() => expect(rules(app).quiet).toMatchObject({ power_watts: 180, may_lower_power_limit: true }));
    const { worker } = app.backend;
    const says = async (state: StateView, words: RegExp) => {
      worker.enter(state);
      await app.pass(1);
      expect(screen.getByTestId('power-limit-0')).toHaveTextContent(words);
    };
    await says({ name: 'working', assignments: [] }, /In force: 180 W of 320 W\./);
    await says({ name: 'stopped' }, /Not lowered now: 320 W\./);
    worker.guards.machine.letsPowerBeLowered = false;
    await says({ name: 'stopped' }, /Not permitted: that needs an administrator\./);
    await app.user.click(leave);
    await waitFor(() => expect(rules(app).quiet?.may_lower_power_limit).toBe(false));
    expect(screen.queryByTestId('power-limit-0')).toBeNull();
  });

  it('send changes that follow each other quickly one by one, and lose none', async () => {
    const app = await renderGuards();
    const { backend } = app;
    const command = backend.command.bind(backend);
    backend.command = async (asked) => {
      await new Promise((resolve) => setTimeout(resolve, 40));
      return command(asked);
    };
    for (const guard of ['full_screen', 'metered', 'disk']) fireEvent.click(screen.getByTestId(`guard-${guard}-wanted`));
    for (const guard of ['full_screen', 'metered', 'disk'])
      expect(screen.getByTestId(`guard-${guard}-wanted`)).not.toBeChecked();
    await waitFor(() => expect(rules(app)).toMatchObject({ full_screen: false, metered: false, disk_free_gib: null }));
  });

  it('say in the worker’s words what it refuses', async () => {
    const app = await renderGuards();
    const fault = { code: 'away_minutes', sentence: 'Being away takes from one minute to a day.' };
    const command = app.backend.command.bind(app.backend);
    app.backend.command = (asked) =>
      asked.command === 'configure' ? Promise.resolve({ reply: 'refused', value: fault }) : command(asked);
    await app.user.click(screen.getByTestId('guard-presence-wanted'));
    expect(await screen.findByRole('alert')).toHaveTextContent('from one minute to a day');
    expect(screen.getByTestId('guard-presence-wanted')).not.toBeChecked();
  });

  it.each(['en', 'zh-CN'])('have nothing that axe complains of, in %s', async (language) => {
    const app = await renderDashboard(language);
    await app.user.click(screen.getByTestId('nav-settings'));
    screen.getByTestId('all-guards').querySelector('summary')?.click();
    for (const guard of ['presence', 'program', 'hours'])
      await app.user.click(await screen.findByTestId(`guard-${guard}-wanted`));
    await screen.findByTestId('hours-grid');
    const { violations } = await axe.run(document.body, { rules: { 'color-contrast': { enabled: false } } });
    expect(violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}`))).toEqual([]);
  });
});
