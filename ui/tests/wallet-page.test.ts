import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { waitFor } from '@testing-library/react';
import { beforeEach, describe, expect, it, vi } from 'vitest';

const ADDRESS = '7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU';

interface Registry {
  register: (...wallets: unknown[]) => () => void;
}

/** A wallet as extensions make themselves known by the Wallet Standard. */
function wallet(name: string, signMessage: () => Promise<{ signature: Uint8Array }[]>) {
  const account = { address: ADDRESS, chains: ['solana:mainnet'] };
  return {
    name,
    features: {
      'standard:connect': { connect: () => Promise.resolve({ accounts: [account] }) },
      'solana:signMessage': { signMessage },
    },
  };
}

async function openPage() {
  const html = readFileSync(resolve(__dirname, '../../crates/worker/src/wallet_page/page.html'), 'utf8');
  document.body.innerHTML = /<body>([\s\S]*)<\/body>/.exec(html)?.[1] ?? '';
  // A fresh copy of the script each time, as a page that is opened anew has.
  vi.resetModules();
  // @ts-expect-error It is what browsers are given, without types.
  await import('../../crates/worker/src/wallet_page/page.js');
}

function announce(...wallets: unknown[]) {
  const detail = ({ register }: Registry) => register(...wallets);
  window.dispatchEvent(new CustomEvent('wallet-standard:register-wallet', { detail }));
}

describe("the worker's wallet page", () => {
  const asked: [string, unknown][] = [];
  let answers: Record<string, [number, unknown]>;

  beforeEach(() => {
    asked.length = 0;
    answers = { state: [200, { nonce: 'n', text: 'sign me' }], prove: [200, { from: null }] };
    vi.stubGlobal('fetch', (what: string, { body }: { body: string }) => {
      asked.push([what, JSON.parse(body)]);
      const [status, value] = answers[what] ?? [404, {}];
      return Promise.resolve({ ok: status === 200, json: () => Promise.resolve(value) });
    });
  });

  it('has a wallet sign what the network drew', async () => {
    await openPage();
    const sign = vi.fn(() => Promise.resolve([{ signature: Uint8Array.of(1, 255) }]));
    announce(wallet('Moon', sign), { name: 'Ether', features: {} });
    const buttons = document.querySelectorAll('button');
    expect([...buttons].map((button) => button.textContent)).toEqual(['Moon']);
    buttons[0]?.click();
    await waitFor(() => expect(document.querySelector('#news')).toHaveTextContent(`Your earnings go to ${ADDRESS}`));
    expect(document.querySelector('h1')).toHaveTextContent('Done');
    expect(asked).toEqual([
      ['state', { address: ADDRESS }],
      ['prove', { nonce: 'n', signature: '01ff' }],
    ]);
    expect(sign).toHaveBeenCalledWith(
      expect.objectContaining({ message: new TextEncoder().encode('sign me') }),
    );
  });

  it('says why it was refused, and lets another try', async () => {
    await openPage();
    answers.prove = [409, { code: 'wallet_signature_wrong', sentence: 'the signature is not by this wallet' }];
    announce(wallet('Moon', () => Promise.resolve([{ signature: Uint8Array.of(1) }])));
    const button = document.querySelector('button');
    button?.click();
    await waitFor(() => expect(document.querySelector('#trouble')).toHaveTextContent('not by this wallet'));
    expect(button).toBeEnabled();
  });

  it('says when the change waits, and when the person declines', async () => {
    await openPage();
    answers.prove = [200, { from: Date.UTC(2026, 10, 26) }];
    announce(
      wallet('Moon', () => Promise.resolve([{ signature: Uint8Array.of(1) }])),
      wallet('Sun', () => Promise.reject(new Error('User rejected the request.'))),
    );
    const [moon, sun] = document.querySelectorAll('button');
    sun?.click();
    await waitFor(() => expect(document.querySelector('#trouble')).toHaveTextContent('User rejected'));
    moon?.click();
    await waitFor(() => expect(document.querySelector('#news')).toHaveTextContent(/^From .*2026/));
  });
});
