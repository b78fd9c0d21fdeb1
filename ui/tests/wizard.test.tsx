import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import { TOKEN_ACCOUNT_EXAMPLE } from '../src/backend/fake/wallet';
import { renderApp, type RenderedApp } from './render-app';

/** A little more than the simulated benchmark takes. */
const BENCHMARK_SECONDS = 42;

const next = async ({ user }: RenderedApp) => user.click(screen.getByTestId('wizard-next'));

async function walkToBenchmark(app: RenderedApp): Promise<void> {
  await app.pass(2);
  await next(app);
  await screen.findByTestId('wizard-step-device');
  await next(app);
  await screen.findByTestId('wizard-step-benchmark');
}

async function walkToWallet(app: RenderedApp): Promise<void> {
  await walkToBenchmark(app);
  await app.user.click(screen.getByTestId('benchmark-start'));
  await app.pass(BENCHMARK_SECONDS);
  await next(app);
  await screen.findByTestId('wizard-step-estimate');
  await next(app);
  await screen.findByTestId('wizard-step-effort');
  await next(app);
  await screen.findByTestId('wizard-step-wallet');
}

describe('the wizard', () => {
  it('leads from a first start to the first receipt', async () => {
    const app = await renderApp();
    expect(screen.getByTestId('wizard-step-welcome')).toBeVisible();
    await walkToWallet(app);
    await app.user.type(screen.getByTestId('wallet-input'), '7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU');
    await next(app);
    await screen.findByTestId('wizard-step-enrol');
    expect(screen.getByText('7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU')).toBeVisible();
    await app.user.click(screen.getByTestId('enrol-start'));
    await screen.findByText('Enrolling this machine');
    await app.pass(5);
    await screen.findByTestId('dashboard');
    await app.pass(20);
    expect(screen.getByTestId('earnings-today')).toHaveTextContent('0.00185');
    expect(await screen.findByTestId('task-picture')).toHaveAttribute('src', expect.stringMatching(/^data:image\/png/));
    expect(screen.getAllByTestId('task-row').length).toBeGreaterThan(0);
    expect(screen.getByTestId('notice')).toHaveTextContent(/first earning/i);
  });

  it('shows the benchmark as it goes, and can stop it', async () => {
    const app = await renderApp();
    await walkToBenchmark(app);
    expect(screen.getByTestId('wizard-next')).toBeDisabled();
    await app.user.click(screen.getByTestId('benchmark-start'));
    await app.pass(2);
    const early = screen.getByTestId('benchmark-value-fp32_peak').textContent;
    expect(early).toMatch(/TFLOPS/);
    expect(screen.getByTestId('benchmark-value-gemm_fp32')).toHaveTextContent('waits');
    await app.pass(3);
    // The first measure is over and its value stays on screen.
    expect(screen.getByTestId('benchmark-value-fp32_peak')).toHaveTextContent('29.1');
    await app.user.click(screen.getByRole('button', { name: 'Stop' }));
    await app.pass(1);
    expect(screen.getByTestId('wizard-next')).toBeDisabled();
    await app.user.click(screen.getByTestId('benchmark-start'));
    await app.pass(BENCHMARK_SECONDS);
    expect(screen.getByTestId('benchmark-value-memory_read')).toHaveTextContent('478 GB/s');
    expect(screen.getByTestId('wizard-next')).toBeEnabled();
  });

  it('collects the other measures quietly, and says what they mean', async () => {
    const app = await renderApp();
    await walkToBenchmark(app);
    expect(screen.queryByTestId('benchmark-others')).toBeNull();
    await app.user.click(screen.getByTestId('benchmark-start'));
    await app.pass(14);
    expect(screen.getByTestId('benchmark-value-gemm_fp16')).toHaveTextContent('24.9 TFLOPS');
    expect(screen.getByTestId('benchmark-value-memory_allocatable')).toHaveTextContent('waits');
    expect(screen.queryByTestId('score-decode')).toBeNull();
    await app.pass(28);
    expect(screen.getByTestId('benchmark-value-memory_allocatable')).toHaveTextContent('11.4 GB');
    expect(screen.getByTestId('score-decode')).toHaveTextContent('106 tokens/s');
    // Minutes of load are for those who ask for them.
    const { benchmark } = app.backend.worker.snapshot().devices[0] ?? {};
    expect(benchmark?.measurements.some((m) => m.measure === 'sustained')).toBe(false);
  });

  it('says what is wrong with an address by its code, and lets it be skipped', async () => {
    const app = await renderApp();
    await walkToWallet(app);
    for (const [address, code] of [
      ['0x52908400098527886E0F7030069857D2E4169EE7', 'wallet_not_base58'],
      ['abc', 'wallet_wrong_length'],
      [TOKEN_ACCOUNT_EXAMPLE, 'wallet_off_curve'],
    ] as const) {
      const input = screen.getByTestId('wallet-input');
      await app.user.clear(input);
      await app.user.type(input, address);
      await next(app);
      expect(await screen.findByTestId('wallet-error')).toHaveAttribute('data-code', code);
      expect(input).toBeInvalid();
    }
    await app.user.click(screen.getByTestId('wizard-skip'));
    await screen.findByTestId('wizard-step-enrol');
    expect(screen.getByText('no address yet')).toBeVisible();
    expect(app.backend.worker.wallets.wanted).toBeNull();
  });

  it('labels the estimate as one, and follows the tariff', async () => {
    const app = await renderApp();
    await walkToBenchmark(app);
    await app.user.click(screen.getByTestId('benchmark-start'));
    await app.pass(BENCHMARK_SECONDS);
    await next(app);
    const step = within(await screen.findByTestId('wizard-step-estimate'));
    expect(step.getByText(/Estimate · practice USDC has no value/)).toBeVisible();
    expect(step.getByText(/168 W measured × 12 h/)).toBeVisible();
    const tariff = step.getByLabelText('Your price of power');
    await app.user.clear(tariff);
    await app.user.type(tariff, 'much{Enter}');
    expect(step.getByRole('alert')).toHaveTextContent('Give a price');
    await app.user.clear(tariff);
    await app.user.type(tariff, '1.5{Enter}');
    await waitFor(() => expect(app.backend.worker.settings.tariff).toEqual({ kind: 'flat', micro_per_kwh: 1_500_000 }));
    expect(await step.findByText(/cost more than the work brings/)).toBeVisible();
  });

  it('refuses a ticket that is none, and stays', async () => {
    const app = await renderApp();
    await walkToWallet(app);
    await app.user.click(screen.getByTestId('wizard-skip'));
    await app.user.click(screen.getByText(/I have a ticket/));
    await app.user.type(screen.getByLabelText('Ticket'), 'nonsense');
    await app.user.click(screen.getByTestId('enrol-start'));
    expect(await screen.findByRole('alert')).toHaveTextContent(/ticket/);
    expect(screen.getByTestId('enrol-start')).toBeEnabled();
  });

  it('goes on where it was when the window is opened again', async () => {
    const app = await renderApp();
    await walkToBenchmark(app);
    await app.user.click(screen.getByTestId('benchmark-start'));
    await app.pass(BENCHMARK_SECONDS);
    app.backend.worker.wallets.wanted = '7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU';
    const { firstStep } = await import('../src/wizard/steps');
    expect(firstStep(app.backend.worker.snapshot())).toBe('enrol');
    app.backend.worker.wallets.wanted = null;
    expect(firstStep(app.backend.worker.snapshot())).toBe('estimate');
  });

  it('keeps a device back that is unticked', async () => {
    const app = await renderApp();
    await app.pass(2);
    await next(app);
    await app.user.click(await screen.findByLabelText('Lend NVIDIA GeForce RTX 4070'));
    expect(await screen.findByText(/Tick at least one device/)).toBeVisible();
    expect(screen.getByTestId('wizard-next')).toBeDisabled();
    expect(app.backend.worker.settings.devices_not_lent).toEqual([0, 1]);
  });
});
