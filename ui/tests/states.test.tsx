import { act, screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import type { AssignmentView } from '../src/bindings/AssignmentView';
import type { StateView } from '../src/bindings/StateView';
import { renderDashboard } from './render-app';

const soon = Date.now() + 90_000;
const assignment: AssignmentView = {
  id: 'a',
  job: 'j',
  job_title: 'Lanterns',
  customer_name: 'Studio',
  kind: 'wgsl/1',
  device: 0,
  stage: 'running',
  fraction: 0.4,
  price: 1_850,
  task_index: 2,
  task_count: 24,
  picture: null,
  shift: null,
};
const fault = { code: 'connection_broken', sentence: 'the cable was pulled' };

const states: [string, StateView, RegExp, RegExp][] = [
  ['stopped', { name: 'stopped' }, /At rest/, /switched off/],
  ['starting', { name: 'starting' }, /Waking up/, /Finding your devices/],
  [
    'benchmarking',
    { name: 'benchmarking', device: 0, measure: 'gemm_fp32', fraction: 0.5, value_so_far: 1 },
    /Measuring/,
    /RTX 4070/,
  ],
  ['connecting', { name: 'connecting', attempt: 0, retry_at: null, fault: null }, /Connecting/, /Reaching/],
  [
    'connecting, again',
    { name: 'connecting', attempt: 3, retry_at: soon, fault },
    /Connecting/,
    /The cable was pulled\. Trying again in 1:\d\d/,
  ],
  ['ready', { name: 'ready', reason: null }, /Ready/, /asking the network/],
  [
    'ready for a reason',
    { name: 'ready', reason: { code: 'no_such_code', sentence: 'no job suits this device' } },
    /Ready/,
    /No job suits this device\./,
  ],
  ['working', { name: 'working', assignments: [assignment] }, /Earning/, /“Lanterns” for Studio/],
  [
    'working on two',
    { name: 'working', assignments: [assignment, { ...assignment, id: 'b', device: 1 }] },
    /Earning/,
    /2 tasks/,
  ],
  [
    'paused for a time',
    { name: 'yielding', causes: [{ cause: 'paused', device: null, until: { instant: soon } }], since: 0 },
    /Paused/,
    /You paused work until/,
  ],
  [
    'paused until restart',
    { name: 'yielding', causes: [{ cause: 'paused', device: null, until: 'restart' }], since: 0 },
    /Paused/,
    /until Lull is started again\. Work goes on then, or as soon as you resume/,
  ],
  [
    'about to resume',
    { name: 'yielding', causes: [{ cause: 'resume_delay', until: soon }], since: 0 },
    /Paused/,
    /Work resumes in 1:\d\d/,
  ],
  ['draining', { name: 'draining', deadline: soon }, /Winding down/, /handed back/],
  ['faulted', { name: 'faulted', fault, retry_at: soon }, /Something is wrong/, /Trying again in/],
  ['faulted for good', { name: 'faulted', fault, retry_at: null }, /Something is wrong/, /This needs you/],
];

describe('every state says what and why', () => {
  it.each(states)('%s', async (_, state, title, why) => {
    const { backend } = await renderDashboard();
    act(() => {
      backend.worker.enter(state);
      backend.tell();
    });
    expect(screen.getByTestId('state-title')).toHaveTextContent(title);
    expect(screen.getByTestId('state-why')).toHaveTextContent(why);
  });

  it.each(states)('%s, in Chinese', async (_, state) => {
    const { backend } = await renderDashboard('zh-CN');
    act(() => {
      backend.worker.enter(state);
      backend.tell();
    });
    expect(screen.getByTestId('state-title').textContent).toMatch(/\p{Script=Han}/u);
    expect(screen.getByTestId('state-why').textContent).toMatch(/\p{Script=Han}/u);
  });

  it('translates a fault by its code, and keeps the words of one that it does not know', async () => {
    const { backend } = await renderDashboard('zh-CN');
    act(() => backend.worker.fail(fault, null));
    act(() => backend.tell());
    expect(screen.getByTestId('state-why')).toHaveTextContent('连接中断了');
    act(() => backend.worker.fail({ code: 'never_heard_of', sentence: 'the moon fell' }, null));
    act(() => backend.tell());
    expect(screen.getByTestId('state-why')).toHaveTextContent('The moon fell.');
  });
});
