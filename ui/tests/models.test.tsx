import { act, screen, waitFor, within } from '@testing-library/react';
import axe from 'axe-core';
import { describe, expect, it, vi } from 'vitest';

import { FakeBackend } from '../src/backend/fake/fake-backend';
import { modelScene } from '../src/backend/fake/model-scenes';
import { renderApp, renderDashboard, type RenderedApp } from './render-app';

const violations = async () => {
  const found = await axe.run(document.body, { rules: { 'color-contrast': { enabled: false } } });
  return found.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}`));
};

/** A dashboard on which so many seconds of a scene have passed. */
async function renderScene(scene: string, seconds = 30, language = 'en'): Promise<RenderedApp> {
  const app = await renderDashboard(language);
  modelScene(app.backend.worker, scene);
  await app.pass(seconds);
  return app;
}

describe('the consent to serve language models', () => {
  it('is off, says what it takes, and is given and taken back by the keyboard', async () => {
    const { backend, user } = await renderDashboard();
    const command = vi.spyOn(backend, 'command');
    await user.click(screen.getByTestId('nav-settings'));
    const card = within(screen.getByRole('region', { name: 'Language models' }));
    const wanted = card.getByRole('switch', { name: /^Serve language models/ });
    expect(wanted).not.toBeChecked();
    expect(wanted).toHaveAccessibleDescription(/paid by the token/);
    const facts = card.getAllByRole('term').map((term) => term.textContent);
    expect(facts).toEqual(['What it does', 'Energy', 'Bandwidth', 'Memory', 'Disk', 'What it can never do']);
    expect(card.queryByTestId('models-now')).toBeNull();
    wanted.focus();
    await user.keyboard(' ');
    const asked = expect.objectContaining({ command: 'configure', serves_models: true, effort: null, guards: null }) as unknown;
    expect(command).toHaveBeenCalledWith(asked);
    await waitFor(() => expect(wanted).toBeChecked());
    expect(card.getByRole('status')).toHaveTextContent('Allowed; no model is asked for at present');
    await user.keyboard(' ');
    await waitFor(() => expect(backend.worker.settings.serves_models).toBe(false));
  });

  it('does not promise what this system cannot enforce', async () => {
    const { backend, user } = await renderDashboard();
    await user.click(screen.getByTestId('nav-settings'));
    expect(screen.getByTestId('models-unenforced')).toHaveTextContent('It lacks: a ban of reading the user');
    const snapshot = backend.worker.snapshot();
    vi.spyOn(backend.worker, 'snapshot').mockReturnValue({
      ...snapshot,
      sandbox: snapshot.sandbox.map((part) => ({ ...part, holds: true })),
    });
    act(() => backend.tell());
    expect(screen.queryByTestId('models-unenforced')).toBeNull();
  });

  it('is an option of the wizard that is off', async () => {
    const { backend, user, pass } = await renderApp();
    await pass(2);
    await user.click(screen.getByTestId('wizard-next'));
    await user.click(await screen.findByTestId('wizard-next'));
    await user.click(await screen.findByTestId('benchmark-start'));
    await pass(45);
    await user.click(screen.getByTestId('wizard-next'));
    await screen.findByTestId('wizard-step-estimate');
    await user.click(screen.getByTestId('wizard-next'));
    await screen.findByTestId('wizard-step-effort');
    expect(screen.getByTestId('serves-models')).not.toBeChecked();
    expect(screen.queryByTestId('model-facts')).toBeNull();
    await user.click(screen.getByText('What that takes, and what it can never do'));
    expect(screen.getByTestId('model-facts')).toBeVisible();
    expect(await violations()).toEqual([]);
    await user.click(screen.getByTestId('serves-models'));
    await waitFor(() => expect(backend.worker.settings.serves_models).toBe(true));
  });

  it('hands a shift back when it is taken back', async () => {
    const { backend, user, pass } = await renderScene('one');
    expect(screen.getByTestId('shift')).toBeVisible();
    await user.click(screen.getByTestId('nav-settings'));
    expect(screen.getByTestId('models-now')).toHaveTextContent('Serving gemma-3-4b-it now');
    await user.click(screen.getByTestId('serves-models'));
    await pass(2);
    expect(backend.worker.ledger.tasks.find(({ kind }) => kind === 'infer/1')?.state).toMatchObject({ name: 'abandoned' });
    await user.click(screen.getByTestId('nav-tasks'));
    expect(await screen.findByText('The contributor turned the serving of models off.')).toBeVisible();
  });
});

describe('a shift', () => {
  it('shows its model, texts, tokens, speed and price, and no progress', async () => {
    await renderScene('four');
    expect(screen.getByTestId('state-why')).toHaveTextContent('Serving the language model gemma-3-4b-it to');
    const shift = screen.getByTestId('shift');
    expect(shift).toHaveTextContent(/^gemma-3-4b-it\d % of its time is over|^gemma-3-4b-it\d% of its time is over/);
    expect(shift).toHaveTextContent(/Answers4 texts at once/);
    expect(shift).toHaveTextContent(/Speed\d+(\.\d)? tokens\/s/);
    expect(shift).toHaveTextContent(/Written so far\d,\d{3} tokens/);
    expect(shift).toHaveTextContent(/1,000 tokens pay0\.0001practice USDC0\.00002 for tokens read$/);
    expect(screen.queryByRole('progressbar')).toBeNull();
    expect(screen.getByText('Nothing to see, on purpose')).toBeVisible();
    expect(screen.getByTestId('serves-0')).toHaveTextContent('Serves gemma-3-4b-it');
    expect(await violations()).toEqual([]);
  });

  it('has words for one text and for none', async () => {
    const { backend, pass } = await renderScene('one');
    expect(screen.getByTestId('shift')).toHaveTextContent('Answers1 textSpeed');
    const { tasks } = backend.worker;
    if (tasks.model) tasks.model = { ...tasks.model, texts: 0 };
    await pass(1);
    expect(screen.getByTestId('shift')).toHaveTextContent('Answersnone at presentSpeed0 tokens/s');
  });

  it('says that its model is being prepared', async () => {
    const { user } = await renderScene('preparing');
    expect(screen.getByTestId('state-why')).toHaveTextContent('Getting the language model gemma-3-4b-it ready.');
    expect(screen.getByTestId('shift')).toHaveTextContent('gemma-3-4b-itLoading the model into the device');
    expect(screen.getByTestId('serves-0')).toHaveTextContent('Gets gemma-3-4b-it ready');
    await user.click(screen.getByTestId('nav-settings'));
    expect(screen.getByTestId('models-now')).toHaveTextContent('Getting gemma-3-4b-it ready');
  });

  it('is in the list of tasks without a place in its job, paid by the token', async () => {
    const { user } = await renderScene('four');
    await user.click(screen.getByTestId('nav-tasks'));
    const [row] = await screen.findAllByTestId('task-row');
    expect(row).toHaveTextContent(/4 texts at once · [\d,]+ tokens · [\d.]+ tokens\/s/);
    expect(row).toHaveTextContent('by the token');
    expect(row).not.toHaveTextContent('1 of 1');
    expect(await violations()).toEqual([]);
  });

  it('ends with its time, and is paid for what was served', () => {
    const backend = new FakeBackend({ seed: 3, at: Date.now(), enrolled: true, samplesPerPixel: 1, speed: 1 });
    modelScene(backend.worker, 'four');
    backend.advance(620_000);
    const accepted = backend.worker.ledger.tasks.find(({ kind, state }) => kind === 'infer/1' && state.name === 'accepted');
    expect(accepted?.price).toBeGreaterThan(1_000);
  });

  it('is told beside a task of another device', async () => {
    const { backend, pass } = await renderScene('one');
    const { worker } = backend;
    const { state } = worker.snapshot();
    const [shift] = state.name === 'working' ? state.assignments : [];
    if (!shift) throw new Error('nothing is worked on');
    const task = { ...shift, id: 'b', device: 1, kind: 'wgsl/1', job_title: 'Lanterns', shift: null, task_count: 24 };
    worker.settings = { ...worker.settings, devices_not_lent: [] };
    worker.enter({ name: 'working', assignments: [shift, task] });
    await pass(0.2);
    expect(screen.getByTestId('state-why')).toHaveTextContent('2 tasks, first serving the language model gemma-3-4b-it');
    expect(screen.getAllByRole('progressbar')).toHaveLength(1);
  });

  it('is in Chinese, too', async () => {
    await renderScene('four', 30, 'zh-CN');
    expect(screen.getByTestId('shift')).toHaveTextContent('同时 4 段文本');
  });
});

describe('work that was not allowed', () => {
  it('is told where devices stand, and is a missing kind only where it is allowed', async () => {
    const { backend } = await renderDashboard();
    const { worker } = backend;
    const tell = (serves_models: boolean) =>
      act(() => {
        worker.settings = { ...worker.settings, serves_models };
        const withheld = [{ tasks: { count: 2, or_more: false }, by: { exclusion: 'kind' as const, kind: 'infer/1' } }];
        worker.tasks.standings.set(0, { told_at: worker.now, ahead: null, withheld });
        worker.enter({ name: 'ready', reason: null });
        backend.tell();
      });
    tell(false);
    expect(screen.getByTestId('standing-withheld')).toHaveTextContent(/which you have not allowed\.The settings say what/);
    tell(true);
    expect(screen.getByTestId('standing-withheld')).toHaveTextContent(/cannot run: Language models\.A newer version/);
  });
});
