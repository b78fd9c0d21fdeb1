#!/usr/bin/env node
// The pages on which a contributor's own wallet signs, in Chromium with scripted wallets:
//
//   node wallet-page.mjs --play bare|prove|claim|send --url URL [--key HEX] [--amount USDC]
//       [--endpoint URL] [--artefacts FOLDER]
//
//   bare   a browser without a wallet, in light and dark, wide and narrow; and one whose wallet comes late
//   prove  with the keyboard alone: a wallet that signs with another key, and a holder who rejects before they sign
//   claim  the same with a claim, which the worker sends, and with a wallet that is not listed
//   send   a claim by a wallet that can only sign and send, which it does by the endpoint
//
// The network and the worker are real and run already; `--key` is the secret of the wallet that is proven,
// `--amount` what a claim pays. Leaves pictures in the artefacts folder. Needs Chromium.
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import axe from 'axe-core';
import { chromium } from 'playwright-core';

import {
  SIGN_AND_SEND_TRANSACTION,
  SIGN_MESSAGE,
  SIGN_TRANSACTION,
  WalletKey,
  give,
  reject,
  wallet,
} from './lib/browser-wallet.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    play: { type: 'string' },
    url: { type: 'string' },
    key: { type: 'string', default: '07'.repeat(32) },
    amount: { type: 'string' },
    endpoint: { type: 'string' },
    artefacts: { type: 'string', default: join(here, 'artefacts/wallet-page') },
  },
});
const plays = { bare, prove, claim, send };
const play = plays[values.play];
if (!play || !values.url) {
  console.error(`usage: node wallet-page.mjs --play ${Object.keys(plays).join('|')} --url URL [--key HEX] [--endpoint URL]`);
  process.exit(2);
}

/** Bound on everything that is waited for: the worker answers after 20 s at the latest, on two busy cores. */
const SOON_MS = 30_000;

const NARROW = { width: 360, height: 740 };
const WIDE = { width: 1100, height: 800 };

const key = new WalletKey(values.key);
const otherKey = new WalletKey('1f'.repeat(32));
mkdirSync(values.artefacts, { recursive: true });

const complaints = [];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'],
});
try {
  await play();
} catch (error) {
  complaints.push(error.stack ?? String(error));
} finally {
  await browser.close();
}
for (const complaint of complaints) console.error(complaint);
console.log(`${values.play}: ${complaints.length === 0 ? 'ok' : `FAILED with ${complaints.length} complaints`}`);
process.exit(complaints.length === 0 ? 0 : 1);

/** A page that is watched for complaints, with a camera that looks closely. */
async function open({ name, url = values.url, viewport, colorScheme, wallets, comeLate = false }) {
  const context = await browser.newContext({ viewport, colorScheme, locale: 'en-GB', reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.setDefaultTimeout(SOON_MS);
  // Chromium reports an answer that refuses as an error, and the page says it to the person.
  const refused = /^Failed to load resource: the server responded with a status of 409/;
  page.on('console', (message) => {
    const complains = message.type() === 'error' || message.type() === 'warning';
    if (complains && !refused.test(message.text())) complaints.push(`${name}: console: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`${name}: ${error.message}`));
  page.on('requestfailed', (request) => complaints.push(`${name}: ${request.url()}: ${request.failure()?.errorText}`));
  page.on('response', (response) => {
    if (response.status() === 404) complaints.push(`${name}: ${response.url()} is not there`);
  });
  const { early, late } = await give(page, wallets);
  if (!comeLate) await early();
  await page.goto(url);

  const photograph = async (what) => {
    const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (sideways > 0) complaints.push(`${name}, ${what}: ${sideways} px wider than the screen`);
    // By a context that the page's own policy does not bind.
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    for (const { id, nodes } of violations) {
      for (const node of nodes) complaints.push(`${name}, ${what}: ${id}: ${node.failureSummary} ${node.html.slice(0, 120)}`);
    }
    await page.screenshot({ path: join(values.artefacts, `${values.play}-${name}-${what}.png`), fullPage: true });
  };
  const news = page.getByRole('status');
  const trouble = page.getByRole('alert');
  return { page, news, trouble, late, photograph };
}

/** Moves with the Tab key to a wallet's button, and presses Enter. */
async function choose(page, name) {
  const button = page.getByRole('button', { name, exact: true });
  await button.waitFor();
  const count = await page.getByRole('button').count();
  const focused = () => button.evaluate((element) => element === document.activeElement && element.matches(':focus-visible'));
  for (let presses = 0; !(await focused()); presses += 1) {
    if (presses > count) throw new Error(`the Tab key does not reach ${name}`);
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
}

/** Waits until an element says what it must. */
async function says(locator, pattern) {
  await locator.filter({ hasText: pattern, visible: true }).waitFor().catch(async () => {
    throw new Error(`expected ${pattern}, and the page says:\n${await locator.page().locator('main').innerText()}`);
  });
}

function expect(holds, what) {
  if (!holds) complaints.push(what);
}

/** Looks at both pages as they are without a wallet. */
async function bare() {
  const looks = [
    ['wide-light', WIDE, 'light'],
    ['wide-dark', WIDE, 'dark'],
    ['narrow-light', NARROW, 'light'],
    ['narrow-dark', NARROW, 'dark'],
  ];
  const wallets = [wallet('Comes Late', key, { [SIGN_MESSAGE]: reject, [SIGN_TRANSACTION]: reject })];
  const look = async (name, url) => {
    const { page, news, late, photograph } = await open({ name, url, viewport: WIDE, colorScheme: 'light', wallets, comeLate: true });
    await says(page.locator('#none'), /No Solana wallet was found in this browser/);
    const background = {};
    for (const [what, viewport, colorScheme] of looks) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      background[colorScheme] = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      await photograph(what);
    }
    expect(background.light !== background.dark, `light and dark both are ${background.light}`);
    // An extension that was switched on meanwhile.
    await late();
    await page.getByRole('button', { name: 'Comes Late' }).waitFor();
    expect(!(await page.locator('#none').isVisible()), 'a wallet is offered and said not to be there');
    expect((await news.textContent()) === '', 'there are news of nothing');
  };
  await Promise.all([look('prove', values.url), look('claim', new URL('claim.html', values.url).href)]);
}

/** A wallet’s holder who rejects at first. */
function hesitant(act) {
  let asked = 0;
  return (bytes) => {
    asked += 1;
    return asked === 1 ? reject() : act(bytes);
  };
}

async function prove() {
  const wallets = [
    wallet('Mixed Up', key, { [SIGN_MESSAGE]: (message) => otherKey.sign(message) }),
    wallet('Hesitant', key, { [SIGN_MESSAGE]: hesitant((message) => key.sign(message)), [SIGN_TRANSACTION]: reject }),
    wallet('Signs no texts', key, { [SIGN_TRANSACTION]: reject }),
  ];
  const { page, news, trouble, photograph } = await open({ name: 'page', viewport: NARROW, colorScheme: 'light', wallets });
  await page.getByRole('button', { name: 'Hesitant' }).waitFor();
  expect((await page.getByRole('button').count()) === 2, 'a wallet that cannot sign texts is offered');
  await page.keyboard.press('Tab');
  await photograph('wallets');

  await choose(page, 'Mixed Up');
  await says(trouble, /^The signature is not by this wallet/);
  await photograph('other-key');
  await choose(page, 'Hesitant');
  await says(trouble, /^Hesitant did not sign\. It says: “User rejected the request\.”$/);
  await photograph('rejected');
  // The focus has stayed, so that Enter alone tries again.
  await page.keyboard.press('Enter');
  await says(news, `Your earnings go to ${key.address}`);
  await page.getByRole('heading', { name: 'Done' }).waitFor();
  expect(!(await trouble.isVisible()), 'a trouble that is over is still shown');
  expect((await page.getByRole('button').count()) === 0, 'a wallet can be chosen after all is done');
  await photograph('done');

  // A wallet that is proven already is no excuse for a signature that is wrong.
  await page.reload();
  await choose(page, 'Mixed Up');
  await says(trouble, /^The signature is not by this wallet/);
}

async function claim() {
  const wallets = [
    wallet('Mixed Up', key, {
      [SIGN_TRANSACTION]: (bytes) => {
        const signed = key.signTransaction(bytes);
        otherKey.sign(bytes).copy(signed, 1);
        return signed;
      },
    }),
    wallet('Somebody Else’s', otherKey, { [SIGN_TRANSACTION]: (bytes) => otherKey.signTransaction(bytes) }),
    wallet('Hesitant', key, {
      [SIGN_TRANSACTION]: hesitant((bytes) => key.signTransaction(bytes)),
      [SIGN_AND_SEND_TRANSACTION]: reject,
    }),
  ];
  const { page, news, trouble, photograph } = await open({ name: 'page', viewport: WIDE, colorScheme: 'dark', wallets });
  await choose(page, 'Somebody Else’s');
  await says(trouble, /lists nothing of this worker for this wallet/);
  await photograph('not-listed');
  await choose(page, 'Mixed Up');
  await says(trouble, /^The wallet did not sign the claim/);
  await photograph('other-key');
  await choose(page, 'Hesitant');
  await says(trouble, /^Hesitant did not sign\. It says: “User rejected the request\.”$/);
  await photograph('rejected');
  await page.keyboard.press('Enter');
  await says(news, `Sent: ${values.amount} practice USDC go to ${key.address}`);
  await photograph('sent');
}

async function send() {
  const sends = async (bytes) => {
    const signed = key.signTransaction(bytes);
    const params = [signed.toString('base64'), { encoding: 'base64' }];
    const answer = await fetch(values.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'sendTransaction', params }),
    });
    const { error } = await answer.json();
    if (error) throw new Error(error.message);
    return signed.subarray(1, 65);
  };
  const wallets = [wallet('Sends by Itself', key, { [SIGN_AND_SEND_TRANSACTION]: sends })];
  const { page, news, photograph } = await open({ name: 'page', viewport: NARROW, colorScheme: 'dark', wallets });
  await choose(page, 'Sends by Itself');
  await says(news, `Sent: ${values.amount} practice USDC go to ${key.address}`);
  await photograph('sent');
}
