import { act, screen, waitFor, within } from '@testing-library/react';
import axe from 'axe-core';
import { beforeEach, describe, expect, it, vi } from 'vitest';

import type { NextPayout } from '../src/bindings/NextPayout';
import { periodBefore, periodName } from '../src/dashboard/payouts/periods';
import { SIMULATED_ADDRESS, SIMULATED_WORDS } from '../src/backend/fake/kept-wallet';
import type { FakeOptions } from '../src/backend/fake/fake-backend';
import { explorerCluster, shortName } from '../src/format/chain';
import { formatUntil } from '../src/format/time';
import { renderApp, type RenderedApp } from './render-app';

async function openPayouts(options: Partial<FakeOptions> = {}, language = 'en'): Promise<RenderedApp> {
  const app = await renderApp({ enrolled: true, ...options }, language);
  await screen.findByTestId('dashboard');
  await app.user.click(screen.getByTestId('nav-payouts'));
  await screen.findByTestId('payouts-next');
  return app;
}

const closeEpoch = ({ backend }: RenderedApp) =>
  act(() => {
    const { payouts, ledger, wallets, now } = backend.worker;
    payouts.closeEpoch(now, ledger, wallets.standing);
    backend.tell();
  });

/** Shows a snapshot whose next payout is this. */
function say({ backend }: RenderedApp, next: NextPayout): void {
  const snapshot = backend.worker.snapshot();
  if (snapshot.payouts) snapshot.payouts.next = next;
  backend.worker.snapshot = () => snapshot;
  act(() => backend.tell());
}

describe('the payouts page', () => {
  it('tells where the money is, and moves it along', async () => {
    const app = await openPayouts();
    const { earnings } = app.backend.worker.snapshot();
    const figure = (name: string) => Number(screen.getByTestId(`payouts-${name}`).textContent);
    expect(figure('held') * 1e6).toBeCloseTo(earnings.held);
    expect(figure('payable') * 1e6).toBeCloseTo(earnings.payable);
    expect(figure('underWay')).toBe(0);
    const paid = figure('paid');
    closeEpoch(app);
    await app.pass(4);
    const underWay = figure('underWay');
    expect(underWay).toBeGreaterThan(1);
    // What leaves and its fee are payable no more, though the network counts them so until it is final.
    const { payable } = app.backend.worker.snapshot().earnings;
    expect(figure('payable') * 1e6).toBeCloseTo(payable - underWay * 1e6 - 750, 0);
    expect(screen.getByTestId('payouts-next')).toHaveAttribute('data-next', 'under_way');
    const [row] = await screen.findAllByTestId('payout-row');
    await waitFor(() => expect(row).toHaveAttribute('data-stage', 'sent'));
    await app.pass(10);
    expect(figure('paid')).toBeCloseTo(paid + underWay);
    expect(figure('underWay')).toBe(0);
  });

  const nexts: [NextPayout, RegExp][] = [
    ['no_chain', /pays on no chain.*join a network that does/],
    ['no_wallet', /Waiting for a wallet.*make a wallet/],
    ['wallet_unproven', /signature.*7xKXtg…osgAsU is yours\. Sign for it once/],
    ['by_contributor', /Yours to claim.*Claim below/],
    [{ below_threshold: { missing: 250_000 } }, /0\.25 practice USDC to go.*short of the 1\.00 practice USDC/],
    [{ at_epoch: { at: Date.now() + 3 * 3_600_000, amount: 1_500_000 } }, /1\.50 practice USDC, in 3 hours.*fee taken off/],
    ['under_way', /On its way.*final/],
    ['stopped', /Stopped by the network.*more than a day/],
    ['nothing', /Nothing to pay yet.*audit window/],
  ];

  it('has a sentence for whatever comes next, on the overview too, in both languages', async () => {
    const app = await openPayouts();
    for (const [next, words] of nexts) {
      say(app, next);
      expect(screen.getByTestId('payouts-next').textContent).toMatch(words);
    }
    await app.user.click(screen.getByTestId('nav-overview'));
    for (const [next] of nexts) {
      say(app, next);
      expect(screen.getByTestId('next-payout').textContent.length).toBeGreaterThan(10);
    }
    await app.user.click(screen.getByTestId('nav-settings'));
    await app.user.click(screen.getByRole('radio', { name: '简体中文' }));
    await app.user.click(screen.getByTestId('nav-payouts'));
    for (const [next] of nexts) {
      say(app, next);
      expect(screen.getByTestId('payouts-next').textContent).toMatch(/\p{Script=Han}/u);
    }
  });

  it('raises the alarm when the network has stopped', async () => {
    const app = await openPayouts();
    expect(screen.queryByTestId('payouts-stopped')).toBeNull();
    say(app, 'stopped');
    expect(screen.getByRole('alert')).toHaveTextContent('you can still claim yourself');
  });

  it('says what it does not know instead of zero, and keeps the payouts that it knows', async () => {
    const app = await openPayouts();
    app.backend.worker.payouts.untold = true;
    act(() => app.backend.tell());
    expect(screen.getByTestId('payouts-next')).toHaveTextContent('Not told yet');
    expect(screen.queryByTestId('payouts-underWay')).toBeNull();
    expect(screen.getByText('not known')).toBeVisible();
    expect(screen.getAllByTestId('payout-row').length).toBe(5);
    const { network } = app.backend.worker;
    if (network) app.backend.worker.network = { ...network, connected: false };
    app.backend.worker.payouts.untold = false;
    act(() => app.backend.tell());
    expect(screen.getByTestId('payouts-stale')).toHaveTextContent('last known');
  });

  it('labels practice, and links no explorer to it', async () => {
    await openPayouts();
    expect(screen.getByText('practice USDC, without value')).toBeVisible();
    expect((await screen.findAllByText('practice ledger, in no explorer')).length).toBeGreaterThan(0);
    expect(screen.queryByTestId('payout-explorer')).toBeNull();
  });

  it('copies a signature, and opens it in the explorer that knows the ledger', async () => {
    const { user, backend } = await openPayouts({ cluster: 'mainnet' });
    const write = vi.spyOn(navigator.clipboard, 'writeText');
    const [row] = await screen.findAllByTestId('payout-row');
    if (!row) throw new Error('no row');
    const signature = backend.worker.payouts.rows[0]?.signature ?? '';
    await user.click(within(row).getByTestId('payout-signature'));
    expect(write).toHaveBeenCalledWith(signature);
    expect(await within(row).findByText('Copied')).toBeInTheDocument();
    await user.click(within(row).getByTestId('payout-explorer'));
    expect(backend.explored).toEqual([`mainnet ${signature}`]);
  });

  it('verifies a payout fact by fact, and says on whose word', async () => {
    const { user } = await openPayouts();
    const [verify] = await screen.findAllByTestId('payout-verify');
    if (verify) await user.click(verify);
    const verdict = await screen.findByTestId('payout-verdict');
    expect(verdict).toHaveAttribute('data-verdict', 'ok');
    expect(within(verdict).getAllByTestId('checked-fact')).toHaveLength(8);
    expect(verdict).toHaveTextContent('Asked: 127.0.0.1:41299, named by the network.');
    await user.click(within(verdict).getByRole('button', { name: 'Close the outcome' }));
    expect(screen.queryByTestId('payout-verdict')).toBeNull();
  });

  it('says plainly what is wrong, and exports the evidence', async () => {
    const { user, backend } = await openPayouts();
    backend.worker.payouts.told = { amount: '0.100000 USDC' };
    const [verify] = await screen.findAllByTestId('payout-verify');
    if (verify) await user.click(verify);
    const verdict = await screen.findByRole('alert');
    expect(verdict).toHaveAttribute('data-verdict', 'wrong');
    expect(verdict).toHaveTextContent('This payout is not what the network says');
    expect(verdict).toHaveTextContent('the chain says 0.100000 USDC');
    await user.click(within(verdict).getByTestId('payout-evidence'));
    await user.click(await within(verdict).findByRole('button', { name: 'Show in folder' }));
    await waitFor(() => expect(backend.revealed).toEqual(['/home/you/Downloads/lull-evidence-7.json']));
  });

  it('does not call good what the endpoint kept silent about', async () => {
    const { user, backend } = await openPayouts();
    backend.worker.payouts.told = { root: null };
    await user.click(screen.getByTestId('epoch-verify'));
    const verdict = await screen.findByTestId('payout-verdict');
    expect(verdict).toHaveAttribute('data-verdict', 'open');
    expect(verdict).toHaveTextContent('the endpoint did not say');
  });

  it('asks whom the contributor chooses, and nobody on an open line', async () => {
    const { user, backend } = await openPayouts();
    const choice = within(screen.getByTestId('endpoint-choice'));
    await user.click(choice.getByRole('button', { name: 'Choose another' }));
    const field = choice.getByLabelText('Address of a Solana endpoint');
    await user.type(field, 'http://rpc.example.org{Enter}');
    expect(await choice.findByRole('alert')).toHaveTextContent('must begin with https://');
    await user.clear(field);
    await user.type(field, 'https://rpc.example.org/key{Enter}');
    await waitFor(() => expect(backend.worker.settings.chain_endpoint).toBe('https://rpc.example.org/key'));
    expect(await choice.findByText('rpc.example.org')).toBeVisible();
    await user.click(screen.getByTestId('epoch-verify'));
    expect(await screen.findByTestId('payout-verdict')).toHaveTextContent('Asked: rpc.example.org, chosen by you.');
    await user.click(choice.getByRole('button', { name: 'Use the network’s' }));
    await waitFor(() => expect(backend.worker.settings.chain_endpoint).toBeNull());
  });

  it('takes an amount from which to send, shows the fee in it, and lets go of it again', async () => {
    const { user, backend } = await openPayouts();
    const field = screen.getByLabelText('Send from');
    await user.clear(field);
    await user.type(field, '0,05');
    expect(screen.getByText(/no less than 0.10 practice USDC/)).toBeVisible();
    expect(screen.getByTestId('threshold-save')).toBeDisabled();
    await user.clear(field);
    await user.type(field, '0,5');
    expect(screen.getByTestId('threshold-share')).toHaveTextContent('0.00075 practice USDC is 0.15% of that');
    await user.keyboard('{Enter}');
    await waitFor(() => expect(backend.worker.payouts.threshold).toBe(500_000));
    await waitFor(() => expect(screen.queryByTestId('threshold-save')).toBeNull());
    await user.click(screen.getByRole('radio', { name: /claim it myself/ }));
    await user.click(screen.getByTestId('threshold-save'));
    await waitFor(() => expect(backend.worker.payouts.threshold).toBeNull());
    expect(screen.getByTestId('payouts-next')).toHaveAttribute('data-next', 'by_contributor');
    expect(screen.queryByTestId('payouts-fee')).toBeNull();
  });

  it('claims on a page, or by itself with a wallet that is kept here', async () => {
    const app = await openPayouts({ cluster: 'mainnet' });
    const { user, backend } = app;
    await user.click(screen.getByTestId('claim'));
    await waitFor(() => expect(backend.opened).toHaveLength(1));
    await app.pass(10);
    expect((await screen.findAllByText('Claimed by you')).length).toBe(1);
    expect(screen.getByTestId('claim-nothing')).toBeVisible();
    act(() => {
      const { wallets, now } = backend.worker;
      backend.worker.kept.restore(SIMULATED_WORDS.join(' '));
      wallets.standing = { wallet: SIMULATED_ADDRESS, proven: true, next: null };
      wallets.wanted = SIMULATED_ADDRESS;
      backend.worker.payouts.threshold = null;
      backend.worker.payouts.closeEpoch(now, backend.worker.ledger, wallets.standing);
      backend.tell();
    });
    await user.click(await screen.findByTestId('claim'));
    expect(await screen.findByTestId('claimed')).toHaveTextContent('Your claim was sent');
    expect(backend.opened).toHaveLength(1);
  });

  it('writes a statement of a month or a year by local time', async () => {
    const { user, backend } = await openPayouts();
    const command = vi.spyOn(backend, 'command');
    const card = within(screen.getByTestId('statements'));
    expect(card.getByRole('button', { name: 'Later' })).toBeDisabled();
    await user.click(card.getByRole('button', { name: 'Earlier' }));
    await user.click(card.getByTestId('statement-export'));
    const today = new Date(backend.worker.now);
    const from = new Date(today.getFullYear(), today.getMonth() - 1, 1);
    expect(command).toHaveBeenCalledWith({
      command: 'export_statement',
      from: from.getTime(),
      until: new Date(today.getFullYear(), today.getMonth(), 1).getTime(),
      utc_offset_minutes: -from.getTimezoneOffset(),
    });
    expect(await card.findByText(/Written to .*lull-statement/)).toBeVisible();
    await user.click(card.getByRole('radio', { name: 'Year' }));
    expect(card.getByTestId('statement-period')).toHaveTextContent(String(today.getFullYear()));
  });

  it('says when nothing was paid yet, and when the list could not be had', async () => {
    const app = await renderApp({ enrolled: true });
    app.backend.worker.payouts.rows.length = 0;
    await app.user.click(await screen.findByTestId('nav-payouts'));
    expect(await screen.findByText('No payout yet')).toBeVisible();
    const answered = app.backend.command.bind(app.backend);
    app.backend.command = (command) =>
      command.command === 'payouts'
        ? Promise.resolve({ reply: 'refused', value: { code: 'worker_starting', sentence: 'still starting' } })
        : answered(command);
    await app.user.click(screen.getByTestId('nav-tasks'));
    await app.user.click(screen.getByTestId('nav-payouts'));
    expect(await screen.findByRole('alert')).toHaveTextContent('Still starting.');
    app.backend.command = answered;
    await app.user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByText('No payout yet')).toBeVisible();
  });

  it('leads there from the overview, and can be used with the keyboard alone', async () => {
    const { user } = await renderApp({ enrolled: true });
    const line = await screen.findByTestId('next-payout');
    act(() => line.focus());
    await user.keyboard('{Enter}');
    expect(screen.getByRole('main')).toHaveFocus();
    const names: string[] = [];
    for (let n = 0; n < 40; n += 1) {
      await user.tab();
      names.push(document.activeElement?.getAttribute('data-testid') ?? document.activeElement?.textContent ?? '');
    }
    for (const name of ['payout-signature', 'payout-verify', 'statement-export', 'claim', 'epoch-verify', 'Choose another'])
      expect(names).toContain(name);
    act(() => screen.getByTestId('epoch-verify').focus());
    await user.keyboard('{Enter}');
    expect(await screen.findByTestId('payout-verdict')).toBeVisible();
  });

  it('has nothing in a verdict that axe objects to', async () => {
    const { user, backend } = await openPayouts();
    backend.worker.payouts.told = { amount: '0.1', root: null };
    const [verify] = await screen.findAllByTestId('payout-verify');
    if (verify) await user.click(verify);
    // The page itself is looked through with all others; here only what a check adds to it.
    const { violations } = await axe.run(await screen.findByTestId('payout-verdict'), { rules: { 'color-contrast': { enabled: false } } });
    expect(violations.map(({ id, nodes }) => `${id} ${nodes[0]?.html ?? ''}`)).toEqual([]);
  });
});

describe('what payouts are written with', () => {
  beforeEach(() => vi.stubEnv('TZ', 'Europe/Berlin'));

  it('knows months and years of the calendar', () => {
    const march = new Date(2026, 2, 31, 12).getTime();
    expect(periodBefore('month', march, 1)).toEqual({
      from: new Date(2026, 1, 1).getTime(),
      until: new Date(2026, 2, 1).getTime(),
    });
    expect(periodName('month', periodBefore('month', march, 3), 'en')).toBe('December 2025');
    expect(periodName('year', periodBefore('year', march, 1), 'en')).toBe('2025');
  });

  it('shortens names, knows explorers, and says how long it takes', () => {
    expect(shortName('7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU')).toBe('7xKXtg…osgAsU');
    expect(['mainnet', 'devnet', 'testnet', 'practice', 'mainnet?x='].map(explorerCluster)).toEqual([
      'mainnet', 'devnet', 'testnet', null, null,
    ]);
    expect(formatUntil(3 * 3_600_000, 0, 'en')).toBe('in 3 hours');
    expect(formatUntil(-5, 0, 'en')).toBe('in 0 seconds');
    expect(formatUntil(6 * 86_400_000, 0, 'en')).toBe('in 6 days');
  });
});
