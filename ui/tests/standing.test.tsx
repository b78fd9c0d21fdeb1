import { act, screen, within } from '@testing-library/react';
import axe from 'axe-core';
import { describe, expect, it } from 'vitest';

import type { Counted } from '../src/bindings/Counted';
import type { Exclusion } from '../src/bindings/Exclusion';
import type { FakeBackend } from '../src/backend/fake/fake-backend';
import { renderDashboard } from './render-app';

const exactly = (count: number): Counted => ({ count, or_more: false });
const groups = () => screen.queryAllByTestId('standing-withheld').map((item) => item.textContent);

/** The network has nothing for a device, and says where it stands. */
function stand(backend: FakeBackend, device: number, ahead: Counted | null, withheld: [Counted, Exclusion][]): void {
  const { worker } = backend;
  const told = withheld.map(([tasks, by]) => ({ tasks, by }));
  act(() => {
    worker.tasks.standings.set(device, { told_at: worker.now, ahead, withheld: told });
    worker.enter({ name: 'ready', reason: null });
    backend.tell();
  });
}

describe('where a device without work stands', () => {
  it('is its place alone where no task waits', async () => {
    const { backend } = await renderDashboard();
    expect(screen.queryByTestId('standing-0')).toBeNull();
    stand(backend, 0, exactly(0), []);
    expect(screen.getByTestId('why-list')).toHaveAttribute('open');
    expect(screen.getByTestId('standing-0')).toHaveTextContent(/RTX 4070No task waits\. It is next in line\.$/);
    stand(backend, 0, exactly(1), []);
    expect(screen.getByTestId('standing-0')).toHaveTextContent('1 device has been asking for longer and is called first.');
    stand(backend, 0, { count: 1000, or_more: true }, []);
    expect(screen.getByTestId('standing-0')).toHaveTextContent('1,000 or more devices have been asking for longer');
    stand(backend, 0, null, []);
    expect(screen.getByTestId('standing-0')).toHaveTextContent(/No task waits\.\s*$/);
  });

  it('says of every exclusion how many tasks it withholds and what would help', async () => {
    const { backend } = await renderDashboard();
    const soon = backend.worker.now + 65_000;
    const table: [Exclusion, RegExp][] = [
      [{ exclusion: 'not_enrolled' }, /2 tasks wait for machines that the network knows\.Lull enrols by itself/],
      [{ exclusion: 'kind', kind: 'train/1' }, /2 tasks are of a kind .* cannot run: Training\.A newer version/],
      [{ exclusion: 'kind', kind: 'odd/7' }, /cannot run: odd\/7\./],
      [{ exclusion: 'not_measured' }, /2 tasks wait for devices that were measured\.Measure this device.*Measure it$/],
      [{ exclusion: 'device_class' }, /2 tasks are second opinions .* another make/],
      [{ exclusion: 'being_timed' }, /2 tasks wait until the network has timed/],
      [{ exclusion: 'refuted', again_at: soon }, /2 tasks go to others.*times it again in 1:0\d\.Measure it$/],
      [{ exclusion: 'found_wrong' }, /2 tasks go to others.*Update the graphics driver/],
      [{ exclusion: 'own_report' }, /2 results of this machine wait for another machine/],
      [{ exclusion: 'tried_lately', again_at: soon }, /2 tasks were tried here.*may come back in 1:0\d\.$/],
      [{ exclusion: 'backing_off', again_at: soon }, /2 tasks failed a moment ago.*given out again in 1:0\d\.$/],
    ];
    stand(
      backend,
      0,
      exactly(0),
      table.map(([by]) => [exactly(2), by]),
    );
    expect(screen.getByTestId('standing-0')).toHaveTextContent('No task waits that it may have.');
    expect(groups()).toHaveLength(table.length);
    groups().forEach((said, at) => expect(said).toMatch(table[at]?.[1] ?? /never/));
    const { violations } = await axe.run(document.body, { rules: { 'color-contrast': { enabled: false } } });
    expect(violations.map(({ id }) => id)).toEqual([]);
  });

  it('leads to the benchmark where measuring helps', async () => {
    const { backend, user } = await renderDashboard();
    stand(backend, 0, null, [[exactly(4), { exclusion: 'not_measured' }]]);
    await user.click(within(screen.getByTestId('standing-0')).getByRole('button', { name: 'Measure it' }));
    expect(screen.getByRole('heading', { level: 1, name: 'NVIDIA GeForce RTX 4070' })).toBeVisible();
  });

  it('is told of one device while another works, and of none that is not lent', async () => {
    const { backend, pass } = await renderDashboard();
    const { worker } = backend;
    await pass(15);
    worker.tasks.standings.set(1, { told_at: worker.now, ahead: exactly(2), withheld: [] });
    await pass(1);
    expect(screen.queryByTestId('standing-1')).toBeNull();
    worker.settings = { ...worker.settings, devices_not_lent: [] };
    await pass(1);
    const why = within(screen.getByTestId('why-idle'));
    expect(why.getByText('Why is a device idle?')).toBeVisible();
    expect(why.getByText('The network has no work for a device.')).toBeVisible();
    expect(screen.getByTestId('standing-1')).toHaveTextContent('2 devices have been asking for longer');
    act(() => backend.loseWorker({ code: 'connection_closed', sentence: 'the worker closed the connection' }));
    expect(screen.queryByTestId('standing-1')).toBeNull();
  });
});
