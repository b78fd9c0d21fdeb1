import { act, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import type { FakeOptions } from '../src/backend/fake/fake-backend';
import { openGuards, renderApp, renderDashboard } from './render-app';

/** A contributor whose wallet is set and not proven. */
async function renderUnproven(options: Partial<FakeOptions>) {
  const app = await renderApp({ enrolled: true, ...options });
  const { wallets } = app.backend.worker;
  wallets.standing = { ...wallets.standing, proven: false };
  await app.pass(1);
  return app;
}

describe('the dashboard', () => {
  it('pauses for an hour and resumes', async () => {
    const { user, backend, pass } = await renderDashboard();
    await pass(3);
    await user.click(screen.getByTestId('pause'));
    await user.click(await screen.findByTestId('pause-hour'));
    expect(await screen.findByTestId('resume')).toBeVisible();
    expect(backend.worker.snapshot().state).toMatchObject({ name: 'yielding' });
    await user.click(screen.getByTestId('resume'));
    await pass(3);
    expect(screen.getByTestId('state-title')).toHaveTextContent('Earning');
  });

  it('stops and starts', async () => {
    const { user, pass } = await renderDashboard();
    await user.click(screen.getByTestId('pause'));
    await user.click(await screen.findByTestId('stop'));
    await pass(3);
    expect(screen.getByTestId('state-title')).toHaveTextContent('At rest');
    await user.click(screen.getByTestId('start'));
    expect(await screen.findByTestId('pause')).toBeVisible();
  });

  it('says when the worker is out of reach, and when it is back', async () => {
    const { backend } = await renderDashboard();
    act(() => backend.loseWorker({ code: 'connection_closed', sentence: 'the worker closed the connection' }));
    const problem = await screen.findByTestId('problem');
    expect(problem).toHaveTextContent('The worker has stopped answering');
    expect(problem).toHaveTextContent('Lull starts it again by itself');
    expect(screen.getByTestId('state-title')).toHaveTextContent('Out of reach');
    expect(screen.getByTestId('pause')).toBeDisabled();
    act(() => backend.restoreWorker());
    expect(screen.queryByTestId('problem')).toBeNull();
  });

  it('says what to do when work has failed, and starts again', async () => {
    const { backend, user } = await renderDashboard();
    act(() => {
      backend.worker.fail({ code: 'disk_full', sentence: 'the disk is full' }, null);
      backend.tell();
    });
    const problem = await screen.findByTestId('problem');
    expect(problem).toHaveTextContent('The disk is full.');
    expect(within(problem).getByRole('button', { name: 'Start again' })).toBeEnabled();
    await user.click(within(problem).getByRole('button'));
    expect(problem).toBeVisible();
  });

  it('writes "not known" where the platform tells nothing', async () => {
    const { backend } = await renderDashboard();
    const snapshot = backend.worker.snapshot();
    const [device] = snapshot.devices;
    if (device) device.telemetry = { ...device.telemetry, power_watts: null };
    backend.worker.snapshot = () => snapshot;
    act(() => backend.tell());
    const card = within(screen.getByRole('region', { name: 'NVIDIA GeForce RTX 4070' }));
    expect(card.getByText('not known')).toBeVisible();
    expect(card.queryByText('0 W')).toBeNull();
    expect(screen.getByText(/tells nothing about load, heat or power/)).toBeVisible();
  });

  it('labels practice money and says where it is', async () => {
    await renderDashboard();
    expect(screen.getAllByText('practice USDC').length).toBeGreaterThan(0);
    expect(screen.getByText(/has no value/)).toBeVisible();
    for (const word of ['Held', 'Payable', 'Paid']) expect(screen.getByText(word)).toBeVisible();
  });

  it('shows earnings by hour and by day', async () => {
    const { user } = await renderDashboard();
    const chart = screen.getByTestId('earnings-chart');
    expect(await within(chart).findByText(/in total/)).toBeInTheDocument();
    await user.click(within(chart).getByRole('radio', { name: '14 days' }));
    expect(await within(chart).findByText('Language models')).toBeInTheDocument();
  });

  it('verifies receipts and says how many', async () => {
    const { user, backend } = await renderDashboard();
    await user.click(screen.getByTestId('nav-receipts'));
    expect((await screen.findAllByTestId('receipt-row')).length).toBe(40);
    await user.click(screen.getByTestId('receipts-verify'));
    const verdict = await screen.findByTestId('receipts-verdict');
    const { receipts, signatures } = backend.worker.ledger.verify();
    expect(verdict).toHaveAttribute('data-verdict', 'ok');
    expect(verdict).toHaveTextContent(`${receipts} receipts and ${signatures} signatures`);
  });

  it('names the receipt that does not hold', async () => {
    const { user, backend } = await renderDashboard();
    const nonce = backend.worker.ledger.receipts[2]?.nonce ?? 0;
    backend.worker.ledger.tamperedNonce = nonce;
    await user.click(screen.getByTestId('nav-receipts'));
    await user.click(screen.getByTestId('receipts-verify'));
    const verdict = await screen.findByTestId('receipts-verdict');
    expect(verdict).toHaveAttribute('data-verdict', 'faulty');
    expect(verdict).toHaveTextContent(`Receipt ${nonce}`);
    expect(verdict).toHaveTextContent('receipt_bad_signature');
  });

  it('exports receipts and opens their folder', async () => {
    const { user, backend } = await renderDashboard();
    await user.click(screen.getByTestId('nav-receipts'));
    await user.click(screen.getByRole('button', { name: 'Export' }));
    await user.click(await screen.findByRole('button', { name: 'Show in folder' }));
    await waitFor(() => expect(backend.revealed).toHaveLength(1));
  });

  it('gets out of the way of a game, says so, and goes on by itself', async () => {
    const { user, backend, pass } = await renderDashboard();
    act(() => backend.worker.play('doom'));
    await pass(1);
    expect(screen.getByTestId('state-title')).toHaveTextContent('Paused');
    expect(screen.getByText(/doom fills a screen\. Work goes on a minute after you close or leave doom/)).toBeVisible();
    // Resuming would do nothing.
    expect(screen.queryByTestId('resume')).toBeNull();
    await openGuards(user);
    expect(screen.getByTestId('guard-full_screen')).toHaveTextContent(/doom fills a screen\. Holds the GPU free since/);
    expect(screen.getByTestId('guard-battery')).toHaveTextContent('does not tell');

    act(() => backend.worker.play(null));
    await pass(1);
    expect(screen.getByTestId('guard-full_screen')).toHaveTextContent('Clear');
    await pass(70);
    await user.click(screen.getByTestId('nav-overview'));
    expect(screen.getByTestId('state-title')).toHaveTextContent('Earning');
  });

  it('leaves a game alone where the guard is not wanted', async () => {
    const { user, backend, pass } = await renderDashboard();
    await openGuards(user);
    await user.click(screen.getByTestId('guard-full_screen-wanted'));
    await pass(1);
    expect(screen.getByTestId('guard-full_screen')).toHaveAttribute('data-state', 'off');
    act(() => backend.worker.play('doom'));
    await pass(1);
    expect(backend.worker.snapshot().state.name).not.toBe('yielding');
  });

  it('shows a code with which a phone proves the wallet, on a ledger that phones reach', async () => {
    const { user, backend, pass } = await renderUnproven({ cluster: 'mainnet' });
    await user.click(await screen.findByTestId('nav-settings'));
    await user.click(screen.getByTestId('wallet-by-phone'));
    const request = await screen.findByTestId('wallet-request');
    expect(request).toHaveTextContent(backend.worker.wallets.wanted ?? 'none');
    expect(screen.getByRole('heading', { name: 'Prove the wallet on your phone' })).toHaveFocus();
    const code = within(request).getByRole('img', { name: 'Code for your phone' });
    expect(code.getAttribute('src')).toMatch(/^data:image\/svg\+xml,%3Csvg/);

    // The phone has paid: the code goes, and the wallet is proven.
    backend.worker.wallets.prove(backend.worker.now);
    await pass(1);
    expect(screen.queryByTestId('wallet-request')).toBeNull();
    expect(screen.getByTestId('wallet-proof')).toHaveTextContent('its holder signed');
    expect(screen.queryByTestId('wallet-by-phone')).toBeNull();
  });

  it('shows no code for a wallet on a ledger that no phone reaches', async () => {
    const { user } = await renderUnproven({});
    await user.click(screen.getByTestId('nav-settings'));
    expect(screen.getByTestId('wallet-proof')).toHaveTextContent('Not proven yet');
    expect(screen.queryByTestId('wallet-by-phone')).toBeNull();
  });

  it('draws a new code when the old one is over', async () => {
    const at = Date.now() - 3_600_000;
    const { user } = await renderUnproven({ cluster: 'mainnet', at });
    await user.click(await screen.findByTestId('nav-settings'));
    await user.click(screen.getByTestId('wallet-by-phone'));
    const again = await screen.findByTestId('wallet-draw');
    expect(screen.getByText(/This code is too old/)).toBeVisible();
    expect(screen.queryByTestId('wallet-request')).toBeNull();
    await user.click(again);
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('changes the payout address after a wait that can be taken back, and proves it', async () => {
    const { user, backend, pass } = await renderDashboard();
    await user.click(screen.getByTestId('nav-settings'));
    const [old, other] = [backend.worker.wallets.wanted, '9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM'];
    expect(screen.getByTestId('wallet-proof')).toHaveTextContent('Not proven yet');
    await user.click(screen.getByRole('button', { name: 'Prove with your wallet' }));
    await waitFor(() => expect(backend.opened).toHaveLength(1));
    await pass(1);
    expect(screen.getByTestId('wallet-proof')).toHaveTextContent('its holder signed');

    await user.click(screen.getByRole('button', { name: 'Change' }));
    await user.type(screen.getByTestId('wallet-input'), other);
    await user.click(screen.getByRole('button', { name: 'Save' }));
    await pass(1);
    const change = await screen.findByTestId('wallet-change');
    expect(change).toHaveTextContent(other);
    expect(backend.worker.wallets.standing.wallet).toBe(old);
    await user.click(within(change).getByRole('button', { name: 'Keep the old address' }));
    await pass(1);
    await waitFor(() => expect(screen.queryByTestId('wallet-change')).toBeNull());
    expect(backend.worker.wallets.wanted).toBe(old);
  });

  it('keeps settings', async () => {
    const { user, backend } = await renderDashboard();
    await user.click(screen.getByTestId('nav-settings'));
    await user.click(screen.getByRole('radio', { name: /Quiet/ }));
    await waitFor(() => expect(backend.worker.settings.effort).toBe('quiet'));
    await user.click(screen.getByRole('switch', { name: /Begin working/ }));
    await waitFor(() => expect(backend.worker.settings.start_working).toBe(false));
    await waitFor(() => expect(screen.getByRole('switch', { name: /when I log in/ })).toBeEnabled());
    await user.click(screen.getByRole('switch', { name: /when I log in/ }));
    await waitFor(() => expect(screen.getByRole('switch', { name: /when I log in/ })).toBeChecked());
    await user.click(screen.getByRole('radio', { name: 'Day' }));
    expect(document.documentElement.dataset.theme).toBe('light');
    await user.click(screen.getByRole('radio', { name: '简体中文' }));
    expect(await screen.findByRole('heading', { level: 1, name: '设置' })).toBeVisible();
  });

  it('measures a device from the settings', async () => {
    const { user, pass } = await renderDashboard();
    await user.click(screen.getByTestId('nav-settings'));
    expect(screen.getByText('The network itself timed 17.9 TFLOPS in matrix products.')).toBeVisible();
    const [measure] = screen.getAllByRole('button', { name: 'Run benchmark' });
    if (measure) await user.click(measure);
    await pass(4);
    const progress = screen.getByRole('progressbar', { name: 'Benchmark progress' });
    expect(progress).toHaveAttribute('aria-valuenow', '10');
    // The other device waits.
    expect(screen.getByRole('button', { name: 'Run benchmark' })).toBeDisabled();
    await pass(38);
    expect(screen.getByText(/Measured now/)).toBeVisible();
  });

  it('quits only when asked twice', async () => {
    const { user, backend } = await renderDashboard();
    await user.click(screen.getByTestId('nav-settings'));
    await user.click(screen.getByRole('button', { name: 'Quit Lull' }));
    expect(backend.hasQuit).toBe(false);
    const dialog = within(screen.getByRole('dialog'));
    await user.click(dialog.getByRole('button', { name: 'Quit Lull' }));
    expect(backend.hasQuit).toBe(true);
  });
});
