import { act, screen, waitFor, within } from '@testing-library/react';
import axe from 'axe-core';
import { describe, expect, it } from 'vitest';

import { renderDashboard, type RenderedApp } from './render-app';

async function openBenchmark(device: number, language = 'en'): Promise<RenderedApp> {
  const app = await renderDashboard(language);
  await app.user.click(screen.getByTestId(`open-benchmark-${device}`));
  await screen.findByTestId('benchmark-page');
  return app;
}

/** What axe finds; the screenshot script checks contrast, which needs a layout. */
async function violations(): Promise<string[]> {
  const { violations: found } = await axe.run(document.body, { rules: { 'color-contrast': { enabled: false } } });
  return found.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}`));
}

describe('the benchmark of a device', () => {
  it('tells every measure, with its method on demand', async () => {
    const { user } = await openBenchmark(0);
    expect(screen.getByRole('heading', { level: 1 })).toHaveTextContent('NVIDIA GeForce RTX 4070');
    for (const [measure, value] of [
      ['fp32_peak', '29.2 TFLOPS'],
      ['fp64_peak', '455 GFLOPS'],
      ['int8_dot_peak', '58.1 TOPS'],
      ['memory_copy', '447 GB/s'],
      ['memory_latency', '402 ns'],
      ['launch_latency', '18.4 µs'],
      ['memory_allocatable', '11.4 GB'],
      ['sustained', 'TFLOPS'],
    ] as const)
      expect(screen.getByTestId(`measure-${measure}`)).toHaveTextContent(value);
    const row = within(screen.getByTestId('measure-memory_latency'));
    expect(row.getByText('lower is better')).toBeVisible();
    expect(row.getByText(/random cycle of addresses/)).not.toBeVisible();
    await user.click(row.getByText('Memory latency'));
    expect(row.getByText(/random cycle of addresses/)).toBeVisible();
    expect(row.getByText(/across 12 runs/)).toBeVisible();
  });

  it('says what the measures mean for each kind of work', async () => {
    await openBenchmark(0);
    expect(screen.getByTestId('score-decode')).toHaveTextContent(/106 tokens\/s.*about 80 words a second/);
    expect(screen.getByTestId('score-prefill')).toHaveTextContent('3,580 tokens/s');
    expect(screen.getByTestId('score-render')).toHaveTextContent('29.2 TFLOPS');
    expect(screen.getByText(/These are upper bounds/)).toBeVisible();
  });

  it('keeps what was measured apart from what data sheets say', async () => {
    await openBenchmark(0);
    const rows = within(screen.getByTestId('known-memory_read')).getAllByRole('listitem');
    expect(rows[0]).toHaveTextContent('NVIDIA H100 SXM3,350 GB/s');
    expect(rows.filter((row) => row.textContent.includes('measured'))).toHaveLength(1);
    expect(screen.getByTestId('data-sheet-share')).toHaveTextContent('100% of the arithmetic and 95% of the memory');
  });

  it('says in words what its charts show', async () => {
    await openBenchmark(0);
    const roofline = within(screen.getByTestId('roofline'));
    expect(roofline.getByText(/the two meet at 61 operations/)).toBeVisible();
    const works = roofline.getAllByRole('listitem').filter((item) => /bound by/.test(item.textContent));
    expect(works).toHaveLength(6);
    expect(works[1]).toHaveTextContent(/writes, for one reader.*bound by memory.*at most 1\.7 TFLOPS/);
    expect(works[3]).toHaveTextContent('18.4 TFLOPS measured');
    const curves = within(screen.getByTestId('memory-curves'));
    expect(curves.getByText(/Up to 64 MiB, caches help/)).toBeVisible();
    expect(curves.getAllByRole('row', { hidden: true })).toHaveLength(17);
    expect(screen.getByTestId('throttling')).toHaveTextContent('Keeps 96% of its speed when hot.');
    expect(screen.getByText('46 → 73 °C')).toBeVisible();
  });

  it('names what a device lacks, and why', async () => {
    const { user, pass } = await openBenchmark(1);
    expect(screen.getByText('Never measured')).toBeVisible();
    expect(screen.queryByTestId('benchmark-export')).toBeNull();
    await user.click(screen.getByTestId('benchmark-again'));
    await pass(42);
    expect(screen.getByTestId('skipped-gemm_matrix_units')).toHaveTextContent(
      'This device or its driver offers no units for matrix products.',
    );
    expect(screen.getByTestId('skipped-fp64_peak')).toHaveTextContent('not measured');
    expect(within(screen.getByTestId('sustained')).getByText(/Not measured yet/)).toBeVisible();
    expect(screen.queryByTestId('data-sheet-share')).toBeNull();
    expect(await violations()).toEqual([]);
  });

  it('measures under load with progress, and can be stopped', async () => {
    const { user, pass, backend } = await openBenchmark(1);
    await user.click(screen.getByTestId('benchmark-sustained'));
    await pass(60);
    const progress = screen.getByRole('progressbar', { name: 'Benchmark progress' });
    expect(Number(progress.getAttribute('aria-valuenow'))).toBeGreaterThan(30);
    expect(screen.getByText('Under load')).toBeVisible();
    expect(screen.getByTestId('benchmark-again')).toBeDisabled();
    await user.click(screen.getByTestId('benchmark-stop'));
    await waitFor(() => expect(screen.queryByRole('progressbar', { name: 'Benchmark progress' })).toBeNull());
    expect(backend.worker.benchmarks.has(1)).toBe(false);
    await user.click(screen.getByTestId('benchmark-sustained'));
    await pass(162);
    expect(screen.getByTestId('throttling')).toHaveTextContent(/Keeps 8\d% of its speed.*It throttles/);
    expect(screen.getByText(/tells nothing about the temperature/)).toBeVisible();
  });

  it('does not begin while another device is measured', async () => {
    const { backend } = await openBenchmark(0);
    act(() => {
      backend.worker.benchmark(1, 0);
      backend.tell();
    });
    expect(screen.getByText(/Another device is being measured/)).toBeVisible();
    expect(screen.getByTestId('benchmark-again')).toBeDisabled();
  });

  it('exports a signed report and opens its folder', async () => {
    const { user, backend } = await openBenchmark(0);
    await user.click(screen.getByTestId('benchmark-export'));
    expect(await screen.findByText('Written to /home/you/Downloads/lull-benchmark.json')).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Show in folder' }));
    await waitFor(() => expect(backend.revealed).toEqual(['/home/you/Downloads/lull-benchmark.json']));
  });

  it('leads back to where it was opened', async () => {
    const { user } = await openBenchmark(0);
    await user.click(screen.getByTestId('benchmark-back'));
    expect(screen.getByTestId('state-title')).toBeVisible();
    await user.click(screen.getByTestId('nav-settings'));
    await user.click(screen.getByTestId('settings-benchmark-0'));
    expect(screen.getByRole('main')).toHaveFocus();
    await user.click(screen.getByTestId('benchmark-back'));
    expect(screen.getByRole('heading', { level: 1, name: 'Settings' })).toBeVisible();
    await user.click(screen.getByTestId('settings-benchmark-0'));
    await user.click(screen.getByTestId('nav-tasks'));
    expect(screen.getByRole('heading', { level: 1, name: 'Tasks' })).toBeVisible();
  });

  it('warns of a measure whose result was wrong, and rests nothing on it', async () => {
    const { backend } = await openBenchmark(0);
    const snapshot = backend.worker.snapshot();
    const found = snapshot.devices[0]?.benchmark?.measurements.find((m) => m.measure === 'memory_read');
    if (found) found.correct = false;
    backend.worker.snapshot = () => snapshot;
    act(() => backend.tell());
    expect(screen.getByText(/result of this measurement was wrong/)).toBeVisible();
    expect(screen.queryByTestId('roofline')).toBeNull();
    expect(within(screen.getByTestId('known-memory_read')).queryByText(/measured/)).toBeNull();
  });

  it.each(['en', 'zh-CN'])('has nothing that axe complains of, in %s', async (language) => {
    const { user } = await openBenchmark(0, language);
    for (const summary of document.querySelectorAll('summary')) await user.click(summary);
    expect(await violations()).toEqual([]);
    if (language === 'zh-CN') expect(screen.getByTestId('throttling').textContent).toMatch(/\p{Script=Han}/u);
  });
});
