// Photographs the user interface over the simulated worker, under the content security policy that the app
// ships with, and fails when the page complains.
//
//   npm run screenshots                 all pictures, into screenshots/
//   npm run screenshots -- tasks long   those whose name contains one of the words
import { createReadStream, existsSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

import axe from 'axe-core';
import { chromium } from 'playwright-core';

const root = new URL('../dist-fake/', import.meta.url).pathname;
const out = new URL('../screenshots/', import.meta.url).pathname;
const wanted = process.argv.slice(2);
mkdirSync(out, { recursive: true });

const types = { '.svg': 'image/svg+xml', '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.woff2': 'font/woff2' };
// The shell's policy, less its own `ipc:` scheme.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; connect-src 'none'";
const server = createServer((request, response) => {
  const path = normalize(new URL(request.url, 'http://localhost').pathname);
  const file = join(root, path === '/' ? 'index.html' : path);
  if (!file.startsWith(root) || !existsSync(file)) return response.writeHead(404).end();
  response.writeHead(200, {
    'content-type': types[extname(file)] ?? 'application/octet-stream',
    'content-security-policy': policy,
  });
  createReadStream(file).pipe(response);
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});

const complaints = [];

/** Opens a page over a fresh simulation, lets `act` lead it somewhere, and photographs it. */
async function photograph(name, options, act = async () => {}) {
  if (wanted.length > 0 && !wanted.some((word) => name.includes(word))) return;
  const { width = 1200, height = 820, theme = 'dark', language = 'en', query = '', full = true } = options;
  const context = await browser.newContext({ viewport: { width, height }, locale: language, reducedMotion: 'reduce' });
  await context.addInitScript(
    ([storedTheme, storedLanguage]) => {
      localStorage.setItem('lull.theme', storedTheme);
      localStorage.setItem('lull.language', storedLanguage);
    },
    [theme, language],
  );
  const page = await context.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`${name}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`${name}: ${error.message}`));
  await page.goto(`${origin}/?${query}`);
  await page.locator('main').waitFor();
  await act(page);
  await page.evaluate(() => document.fonts.ready);
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (sideways > 0) complaints.push(`${name}: ${sideways} px wider than the window`);
  // Contrast can be told only where there is a layout.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => globalThis.axe.run({ runOnly: ['color-contrast'] }));
  for (const { nodes } of violations)
    for (const node of nodes.slice(0, 6)) complaints.push(`${name}: contrast: ${node.any[0]?.message} ${node.html.slice(0, 120)}`);
  await page.screenshot({ path: join(out, `${name}.png`), fullPage: full });
  console.log(name);
  await context.close();
}

const step = (name) => `[data-testid="wizard-step-${name}"]`;
const press = (page, id) => page.getByTestId(id).click();
/** Moves the simulated clock. */
const ahead = (page, seconds, step = 2.5) =>
  page.evaluate(
    async ([all, each]) => {
      // In steps, as snapshots come in life: graphs and the benchmark's bars are made of them.
      for (let left = all; left > 0; left -= each) {
        globalThis.lullFake.advance(Math.min(each, left) * 1000);
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
    },
    [seconds, step],
  );

/** Leads the wizard to a step. */
async function wizardTo(page, goal) {
  await ahead(page, 3);
  for (const name of ['welcome', 'device', 'benchmark', 'estimate', 'effort', 'wallet']) {
    await page.locator(step(name)).waitFor();
    if (name === goal) return;
    if (name === 'benchmark') {
      await press(page, 'benchmark-start');
      if (goal === 'measuring') return ahead(page, 21, 1);
      await ahead(page, 42, 1);
    }
    if (name === 'wallet') await press(page, 'wizard-skip');
    else await page.getByTestId('wizard-next').click();
  }
  await page.locator(step('enrol')).waitFor();
}

for (const goal of ['welcome', 'device', 'measuring', 'benchmark', 'estimate', 'effort', 'wallet', 'enrol'])
  await photograph(`wizard-${goal}`, { full: false }, async (page) => {
    await wizardTo(page, goal === 'benchmark' ? 'estimate' : goal);
    if (goal === 'benchmark') await press(page, 'wizard-back');
    if (goal === 'wallet') {
      await page.getByTestId('wallet-input').fill('0x52908400098527886E0F7030069857D2E4169EE7');
      await press(page, 'wizard-next');
      await page.getByTestId('wallet-error').waitFor();
    }
  });

const enrolled = 'scene=enrolled&ahead=100';
const settled = async (page) => {
  await ahead(page, 78);
  await page.getByTestId('task-picture').waitFor();
};
const goTo = (name) => async (page) => {
  await press(page, `nav-${name}`);
  await page.getByRole('heading', { level: 1 }).first().waitFor();
  if (name === 'tasks') await page.getByTestId('task-row').first().waitFor();
  if (name === 'receipts') await page.getByTestId('receipt-row').first().waitFor();
  if (name === 'payouts') await page.getByTestId('payout-row').first().waitFor();
};
await photograph('dashboard', { query: enrolled, full: false, width: 1280, height: 860 }, settled);
for (const theme of ['dark', 'light'])
  for (const language of ['en', 'zh-CN'])
    await photograph(`overview-${theme}-${language}`, { query: enrolled, theme, language }, settled);
await photograph('overview-long', { query: enrolled, language: 'de-x-long' }, settled);
await photograph('overview-narrow', { query: enrolled, width: 380, height: 760 }, settled);
await photograph('overview-narrow-long', { query: enrolled, width: 380, height: 760, language: 'de-x-long' }, settled);
await photograph('overview-wide-light', { query: enrolled, width: 1800, height: 1000, theme: 'light' }, settled);
await photograph('wizard-benchmark-long', { width: 380, height: 760, language: 'de-x-long', theme: 'light' }, async (page) => {
  await wizardTo(page, 'estimate');
  await press(page, 'wizard-back');
});
await photograph('wizard-narrow', { width: 380, height: 760 }, (page) => wizardTo(page, 'estimate'));
await photograph('wizard-light', { theme: 'light', full: false }, (page) => wizardTo(page, 'estimate'));
await photograph('wizard-long', { language: 'de-x-long', full: false }, (page) => wizardTo(page, 'device'));
await photograph('wizard-zh', { language: 'zh-CN', full: false }, (page) => wizardTo(page, 'welcome'));
for (const name of ['tasks', 'receipts', 'settings'])
  for (const theme of ['dark', 'light'])
    await photograph(`${name}-${theme}`, { query: enrolled, theme, full: name === 'settings' }, goTo(name));
await photograph('settings-narrow-long', { query: enrolled, width: 380, language: 'de-x-long' }, goTo('settings'));
const measured = async (page) => {
  await press(page, 'open-benchmark-0');
  await page.getByTestId('benchmark-page').waitFor();
};
await photograph('benchmark-dark', { query: enrolled, width: 1280 }, measured);
await photograph('benchmark-light', { query: enrolled, width: 1280, theme: 'light' }, measured);
await photograph('benchmark-zh', { query: enrolled, width: 1280, language: 'zh-CN' }, measured);
await photograph('benchmark-long', { query: enrolled, language: 'de-x-long' }, measured);
await photograph('benchmark-narrow', { query: enrolled, width: 380, height: 760 }, measured);
await photograph('benchmark-narrow-long', { query: enrolled, width: 380, height: 760, language: 'de-x-long', theme: 'light' }, measured);
await photograph('benchmark-wide', { query: enrolled, width: 1800, height: 1000 }, measured);
// As by a reader who has only a keyboard: the first measure unfolded, the tip of a curve by the pointer.
await photograph('benchmark-focus', { query: enrolled, width: 1280, full: false }, async (page) => {
  await measured(page);
  await page.getByTestId('measure-fp32_peak').locator('summary').focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
});
await photograph('benchmark-tip', { query: enrolled, width: 1280, full: false }, async (page) => {
  await measured(page);
  await page.getByTestId('memory-curves').scrollIntoViewIfNeeded();
  await page.getByTestId('memory-curves').locator('.u-over').first().hover({ position: { x: 240, y: 120 } });
});
await photograph('benchmark-running', { query: enrolled, full: false, theme: 'light' }, async (page) => {
  await measured(page);
  await press(page, 'benchmark-sustained');
  await ahead(page, 90, 1);
  await press(page, 'benchmark-export');
  await page.getByRole('status').first().waitFor();
});
// A device that lacks some measures, that throttles, and of which the platform tells nothing.
await photograph('benchmark-integrated', { query: enrolled, width: 1280 }, async (page) => {
  await press(page, 'open-benchmark-1');
  await press(page, 'benchmark-sustained');
  await ahead(page, 162);
  await page.getByTestId('sustained').waitFor();
});
await photograph('benchmark-none', { query: enrolled, full: false }, (page) => press(page, 'open-benchmark-1'));
await photograph('receipts-narrow', { query: enrolled, width: 380, height: 760, full: false }, goTo('receipts'));
await photograph('receipts-verified', { query: enrolled, full: false }, async (page) => {
  await goTo('receipts')(page);
  await press(page, 'receipts-verify');
  await page.getByTestId('receipts-verdict').waitFor();
});
await photograph('receipts-faulty', { query: enrolled, full: false }, async (page) => {
  await goTo('receipts')(page);
  await page.evaluate(() => (globalThis.lullFake.worker.ledger.tamperedNonce = globalThis.lullFake.worker.ledger.receipts[3].nonce));
  await press(page, 'receipts-verify');
  await page.getByTestId('receipts-verdict').waitFor();
});
const mainnet = `${enrolled}&cluster=mainnet`;
for (const theme of ['dark', 'light'])
  for (const language of ['en', 'zh-CN'])
    await photograph(`payouts-${theme}-${language}`, { query: mainnet, theme, language, width: 1280 }, goTo('payouts'));
await photograph('payouts-practice', { query: enrolled, width: 1280 }, goTo('payouts'));
await photograph('payouts-narrow', { query: mainnet, width: 360, height: 760 }, goTo('payouts'));
await photograph('payouts-narrow-light', { query: enrolled, width: 360, height: 760, theme: 'light' }, goTo('payouts'));
await photograph('payouts-long', { query: mainnet, width: 1280, language: 'de-x-long' }, goTo('payouts'));
await photograph('payouts-narrow-long', { query: mainnet, width: 360, height: 760, language: 'de-x-long' }, goTo('payouts'));
await photograph('payouts-wide', { query: mainnet, width: 1800, height: 1000 }, goTo('payouts'));
await photograph('payouts-middle', { query: mainnet, width: 900, theme: 'light' }, goTo('payouts'));
for (const [trouble, theme] of [['stopped', 'dark'], ['untold', 'light'], ['none', 'dark']])
  await photograph(`payouts-${trouble}`, { query: `${mainnet}&payouts=${trouble}`, theme, full: false }, async (page) => {
    await press(page, 'nav-payouts');
    await page.getByTestId('payouts-next').waitFor();
  });
for (const [outcome, trouble, theme] of [['verified', '', 'dark'], ['wrong', 'wrong', 'light'], ['wrong-dark', 'wrong', 'dark'], ['unknown', 'silent', 'dark']])
  await photograph(`payouts-${outcome}`, { query: `${mainnet}&payouts=${trouble}`, theme, width: 1280 }, async (page) => {
    await goTo('payouts')(page);
    await page.getByTestId('payout-verify').first().click();
    await page.getByTestId('payout-verdict').waitFor();
    if (outcome !== 'wrong') return;
    await press(page, 'payout-evidence');
    await page.getByText('lull-evidence').waitFor();
  });
// By whoever claims: more is asked for than will ever be payable, then nothing is sent at all; then a claim.
await photograph('payouts-claim', { query: mainnet, width: 1280, theme: 'light' }, async (page) => {
  await goTo('payouts')(page);
  await page.getByRole('radio', { name: /claim it myself/ }).click();
  await press(page, 'threshold-save');
  await press(page, 'claim');
  await press(page, 'statement-export');
  await page.getByText('lull-statement').waitFor();
});
await photograph('payouts-edited', { query: mainnet, width: 1280 }, async (page) => {
  await goTo('payouts')(page);
  await page.getByLabel('Send from').fill('0.01');
  await page.getByRole('button', { name: 'Choose another' }).click();
  await page.getByLabel('Address of a Solana endpoint').fill('http://example.org');
  await page.getByTestId('endpoint-choice').getByRole('button', { name: 'Save' }).click();
  await page.getByRole('alert').first().waitFor();
});
await photograph('payouts-under-way', { query: mainnet, width: 1280, full: false }, async (page) => {
  await goTo('payouts')(page);
  await page.evaluate(() => {
    const { worker } = globalThis.lullFake;
    worker.payouts.closeEpoch(worker.now, worker.ledger, worker.wallets.standing);
  });
  await ahead(page, 4, 1);
  await page.locator('[data-stage="sent"]').waitFor();
});
for (const [name, options] of [
  ['dark', { width: 1100 }],
  ['light-zh-CN', { width: 1100, theme: 'light', language: 'zh-CN' }],
  ['narrow-long', { width: 360, height: 760, language: 'de-x-long' }],
])
  await photograph(`wallet-phone-${name}`, { query: mainnet, ...options }, async (page) => {
    await page.evaluate(() => {
      const { wallets } = globalThis.lullFake.worker;
      wallets.standing = { ...wallets.standing, proven: false };
    });
    await goTo('settings')(page);
    await press(page, 'wallet-by-phone');
    await page.getByTestId('wallet-request').waitFor();
  });
// A wallet that is made here: warned, shown (uncovered, too), typed with a slip, kept.
const madeWallet = async (page, until) => {
  await press(page, 'nav-settings');
  await press(page, 'kept-make');
  if (until === 'warned') return;
  await press(page, 'make-show');
  await page.getByTestId('words').waitFor();
  if (until === 'covered') return;
  await press(page, 'words-uncover');
  if (until === 'uncovered') return;
  const words = await page.getByTestId('words').locator('li').allInnerTexts();
  await press(page, 'make-written');
  for (const [n, word] of words.entries())
    await page.getByTestId(`word-${n + 1}`).fill(until === 'slip' && n === 3 ? 'yellow' : word.replace(/^\d+\s*/, ''));
  await press(page, 'words-submit');
  await page.getByTestId(until === 'slip' ? 'words-fault' : 'kept-done').waitFor();
};
for (const [until, theme] of [['warned', 'dark'], ['covered', 'light'], ['uncovered', 'dark'], ['slip', 'dark'], ['kept', 'light']])
  await photograph(`made-${until}`, { query: enrolled, theme, width: 1280 }, (page) => madeWallet(page, until));
await photograph('made-narrow', { query: enrolled, width: 360, height: 760, language: 'de-x-long' }, (page) => madeWallet(page, 'uncovered'));
await photograph('made-typed-narrow', { query: enrolled, width: 360, height: 760 }, (page) => madeWallet(page, 'slip'));
await photograph('wizard-made', { full: false }, async (page) => {
  await wizardTo(page, 'wallet');
  await press(page, 'wallet-make');
  await press(page, 'make-show');
  await press(page, 'words-uncover');
});
await photograph('wizard-restore', { width: 360, height: 760 }, async (page) => {
  await wizardTo(page, 'wallet');
  await press(page, 'wallet-restore');
});
await photograph('paused', { query: enrolled, full: false }, async (page) => {
  await settled(page);
  await press(page, 'pause');
  await press(page, 'pause-hour');
  await page.getByTestId('resume').waitFor();
});
await photograph('pause-menu', { query: enrolled, full: false }, async (page) => {
  await settled(page);
  await press(page, 'pause');
});
// Why nothing is done: a game; many things at once; one device of two; nothing to do; and what all that cost.
const simulate = (page, act) => page.evaluate(act).then(() => ahead(page, 1));
const lendBoth = (page) =>
  simulate(page, () => {
    const { worker } = globalThis.lullFake;
    worker.settings = { ...worker.settings, devices_not_lent: [] };
  });
const holdMany = async (page) => {
  await lendBoth(page);
  await simulate(page, () => {
    const { worker } = globalThis.lullFake;
    const { machine } = worker.guards;
    const today = (new Date().getDay() + 6) % 7;
    const hours = Array.from({ length: 7 }, (_, day) => (day === (today + 1) % 7 ? 0xff : 0));
    worker.settings.guards = { ...worker.settings.guards, away_minutes: 10, programs: ['obs64'], hours };
    machine.game = 'doom';
    machine.others.set(0, { program: 'blender', need: 'memory' });
    machine.lastTouchedAt = worker.now;
    machine.heat.set(1, 86);
    machine.metered = true;
    machine.freeBytes = 1.3e9;
  });
};
const holdOne = async (page) => {
  await lendBoth(page);
  await simulate(page, () => globalThis.lullFake.worker.guards.machine.others.set(0, { program: 'blender', need: 'time' }));
  await page.getByTestId('device-hold-0').scrollIntoViewIfNeeded();
};
await photograph('idle-game', { query: enrolled, full: false, height: 1000 }, async (page) => {
  await settled(page);
  await simulate(page, () => globalThis.lullFake.worker.play('doom'));
});
for (const [name, options] of [
  ['dark', {}],
  ['light-zh-CN', { theme: 'light', language: 'zh-CN' }],
  ['narrow', { width: 360, height: 760 }],
  ['narrow-long', { width: 360, height: 760, language: 'de-x-long', theme: 'light' }],
])
  await photograph(`idle-many-${name}`, { query: enrolled, ...options }, async (page) => {
    await settled(page);
    await holdMany(page);
  });
for (const [name, options] of [
  ['dark', {}],
  ['light-zh-CN', { theme: 'light', language: 'zh-CN' }],
  ['narrow-long', { width: 360, height: 760, language: 'de-x-long' }],
])
  await photograph(`idle-device-${name}`, { query: enrolled, ...options }, async (page) => {
    await settled(page);
    await holdOne(page);
    await press(page, 'pause-1');
    await press(page, 'pause-resumed');
    await page.getByTestId('resume-1').waitFor();
  });
await photograph('idle-device-menu', { query: enrolled, full: false, height: 1000, theme: 'light' }, async (page) => {
  await settled(page);
  await holdOne(page);
  await page.getByTestId('pause-1').scrollIntoViewIfNeeded();
  await press(page, 'pause-1');
});
await photograph('idle-nothing', { query: enrolled, full: false, height: 1000 }, async (page) => {
  await settled(page);
  await page.evaluate(() => {
    globalThis.lullFake.worker.enter({ name: 'ready', reason: { code: 'no_jobs', sentence: 'No customer has a job waiting.' } });
    globalThis.lullFake.tell();
  });
});
for (const [name, options] of [
  ['dark', {}],
  ['light-zh-CN', { theme: 'light', language: 'zh-CN' }],
  ['narrow-long', { width: 360, height: 760, language: 'de-x-long' }],
])
  await photograph(`idle-standing-${name}`, { query: enrolled, ...options }, async (page) => {
    await settled(page);
    await lendBoth(page);
    await page.evaluate(() => {
      const { worker } = globalThis.lullFake;
      const exactly = (count) => ({ count, or_more: false });
      worker.tasks.standings.set(0, {
        told_at: worker.now,
        ahead: exactly(3),
        withheld: [
          { tasks: { count: 1000, or_more: true }, by: { exclusion: 'kind', kind: 'infer/1' } },
          { tasks: exactly(12), by: { exclusion: 'own_report' } },
          { tasks: exactly(1), by: { exclusion: 'tried_lately', again_at: worker.now + 42_000 } },
        ],
      });
      worker.tasks.standings.set(1, {
        told_at: worker.now,
        ahead: null,
        withheld: [{ tasks: exactly(4), by: { exclusion: 'refuted', again_at: worker.now + 2_700_000 } }],
      });
      worker.enter({ name: 'ready', reason: { code: 'no_matching_kind', sentence: 'The waiting jobs are of kinds that this machine does not run.' } });
      globalThis.lullFake.tell();
    });
    await page.getByTestId('standing-1').waitFor();
  });
for (const [name, options] of [
  ['dark', {}],
  ['light-zh-CN', { theme: 'light', language: 'zh-CN' }],
  ['narrow', { width: 360, height: 760 }],
  ['narrow-long', { width: 360, height: 760, language: 'de-x-long', theme: 'light' }],
])
  await photograph(`trips-${name}`, { query: enrolled, ...options }, async (page) => {
    await settled(page);
    await simulate(page, () => globalThis.lullFake.worker.play('doom'));
    await ahead(page, 90);
    await page.getByTestId('trips').locator('summary').click();
    await page.getByTestId('trip-row').first().waitFor();
  });
// The price of power by the time of day, one of them refused, and from a list that could not be read again.
const priceOf = (tariff) => async (page) => {
  await goTo('settings')(page);
  await page.evaluate((chosen) => {
    const { worker } = globalThis.lullFake;
    worker.settings = { ...worker.settings, tariff: chosen };
  }, tariff);
  await ahead(page, 1);
  const shown = page.getByTestId(tariff.kind === 'listed' ? 'price-list-stand' : 'band-1');
  await shown.waitFor();
  await shown.scrollIntoViewIfNeeded();
};
const bands = [
  { days: 127, from_minute: 1320, to_minute: 360, micro_per_kwh: 120_000 },
  { days: 31, from_minute: 1020, to_minute: 1200, micro_per_kwh: 384_500 },
];
const byTime = priceOf({ kind: 'time_of_use', base_micro_per_kwh: 210_000, bands });
const byList = priceOf({
  kind: 'listed',
  source: { from: 'url', url: 'https://prices.example/de/today.csv' },
  factor_millionths: 1_190_000,
  added_micro_per_kwh: 142_000,
  fallback_micro_per_kwh: 300_000,
});
for (const [name, options] of [
  ['dark', { width: 1280 }],
  ['light-zh', { width: 1280, theme: 'light', language: 'zh-CN' }],
  ['narrow', { width: 360 }],
  ['narrow-long', { width: 360, language: 'de-x-long', theme: 'light' }],
]) {
  await photograph(`price-bands-${name}`, { query: enrolled, height: 1100, full: false, ...options }, byTime);
  await photograph(`price-list-${name}`, { query: enrolled, height: 1100, full: false, ...options }, byList);
}
await photograph('price-refused', { query: enrolled, width: 1280, height: 1100, full: false }, async (page) => {
  await byTime(page);
  await page.getByTestId('band-2').locator('input[type=time]').last().fill('23:00');
  await page.getByTestId('tariff-fault').waitFor();
});
const allGuards = async (page) => {
  await goTo('settings')(page);
  await page.evaluate(() => {
    const { worker } = globalThis.lullFake;
    const hours = [12582912 + 255, 255, 255, 255, 12582912, 0xffffff, 0xffffff];
    const quiet = { fan_percent: 40, power_watts: 180, may_lower_power_limit: true };
    worker.settings.guards = { ...worker.settings.guards, away_minutes: 25, programs: ['blender', 'DaVinci Resolve'], hours, quiet };
    worker.play('doom');
  });
  await ahead(page, 1);
  // A summary is pressed by its keys in a browser alone.
  await page.getByTestId('all-guards').locator('summary').focus();
  await page.keyboard.press('Enter');
  await page.getByTestId('hours-grid').waitFor();
};
for (const [name, options] of [
  ['dark', { width: 1280 }],
  ['light', { width: 1600, theme: 'light' }],
  ['zh-CN', { width: 1280, language: 'zh-CN', theme: 'light' }],
  ['narrow', { width: 360, height: 760 }],
  ['narrow-long', { width: 360, height: 760, language: 'de-x-long' }],
])
  await photograph(`guards-${name}`, { query: enrolled, ...options }, allGuards);
const capOfData = async (page) => {
  await allGuards(page);
  await page.evaluate(() => {
    const { worker } = globalThis.lullFake;
    const caps = { sent_gb: 12, received_gb: null, both_gb: 45, month_day: 18 };
    worker.settings.guards = { ...worker.settings.guards, data_cap: caps };
  });
  await ahead(page, 1);
  await page.getByTestId('data-chart').locator('canvas').waitFor();
  await page.getByTestId('guard-data_cap').scrollIntoViewIfNeeded();
};
for (const [name, options] of [
  ['dark', { height: 1000 }],
  ['light-zh-CN', { height: 1000, theme: 'light', language: 'zh-CN' }],
  ['narrow', { width: 360, height: 1100 }],
  ['narrow-long', { width: 360, height: 1400, language: 'de-x-long' }],
])
  await photograph(`data-cap-${name}`, { query: enrolled, full: false, ...options }, capOfData);
// As by the keyboard: an hour has the focus; the last hour was kept back; a number is beyond its bounds.
await photograph('guards-focus', { query: enrolled, full: false, height: 1000 }, async (page) => {
  await allGuards(page);
  await page.getByTestId('hours-weekends').focus();
  for (const key of ['Tab', 'Tab', 'ArrowDown', 'ArrowRight', 'ArrowRight']) await page.keyboard.press(key);
});
await photograph('guards-wrong', { query: enrolled, full: false, height: 1100 }, async (page) => {
  await allGuards(page);
  await page.getByTestId('away-minutes').fill('2000');
  const cells = page.getByRole('gridcell');
  await cells.first().hover();
  await page.mouse.down();
  await cells.last().hover();
  await page.mouse.up();
  await page.getByLabel('Name of a program').fill('C:\\blender');
  await page.getByTestId('hours-grid').scrollIntoViewIfNeeded();
});
for (const [name, options] of [
  ['narrow', { width: 360, height: 760 }],
  ['light-zh-CN', { theme: 'light', language: 'zh-CN' }],
  ['long', { language: 'de-x-long' }],
])
  await photograph(`wizard-effort-${name}`, options, (page) => wizardTo(page, 'effort'));
// Language models: one served, four texts at once, one being loaded, allowed and not asked for; the consent to them.
const serving = (scene) => `${enrolled.replace('ahead=100', 'ahead=190')}&models=${scene}`;
const views = [
  ['dark', {}],
  ['light-zh-CN', { theme: 'light', language: 'zh-CN' }],
  ['narrow', { width: 360, height: 760 }],
  ['narrow-long', { width: 360, height: 760, language: 'de-x-long', theme: 'light' }],
];
for (const [name, options] of views) {
  await photograph(`models-four-${name}`, { query: serving('four'), ...options, height: 1200, full: false }, (page) => page.getByTestId('shift').waitFor());
  await photograph(`models-settings-${name}`, { query: serving('four'), height: 1100, full: false, ...options }, async (page) => {
    await goTo('settings')(page);
    await page.getByTestId('model-facts').scrollIntoViewIfNeeded();
  });
}
await photograph('models-one-light', { query: serving('one'), theme: 'light', full: false }, (page) => page.getByTestId('shift').waitFor());
await photograph('models-preparing', { query: serving('preparing'), full: false }, (page) => page.getByTestId('shift').waitFor());
await photograph('models-idle', { query: serving('idle'), full: false, height: 1000 }, (page) => page.getByTestId('standing-0').waitFor());
await photograph('models-idle-settings-light', { query: serving('idle'), theme: 'light', height: 1100, full: false }, async (page) => {
  await goTo('settings')(page);
  await page.getByTestId('model-facts').scrollIntoViewIfNeeded();
});
await photograph('models-tasks', { query: serving('four'), full: false }, goTo('tasks'));
await photograph('models-wizard-narrow', { width: 360, height: 760 }, async (page) => {
  await wizardTo(page, 'effort');
  await page.getByTestId('wizard-model-facts').locator('summary').focus();
  await page.keyboard.press('Enter');
  await page.getByTestId('model-facts').waitFor();
});
await photograph('worker-lost', { query: enrolled, full: false, theme: 'light' }, async (page) => {
  await settled(page);
  await page.evaluate(() => globalThis.lullFake.loseWorker({ code: 'connection_closed', sentence: 'The worker closed the connection.' }));
});
await photograph('first-earning', { full: false }, async (page) => {
  await wizardTo(page, 'enrol');
  await press(page, 'enrol-start');
  await ahead(page, 5);
  await page.getByTestId('dashboard').waitFor();
  await ahead(page, 18);
  await page.getByTestId('task-picture').waitFor();
});
await photograph('just-enrolled', {}, async (page) => {
  await wizardTo(page, 'enrol');
  await press(page, 'enrol-start');
  await ahead(page, 5);
  await page.getByTestId('dashboard').waitFor();
});

await browser.close();
server.close();
if (complaints.length > 0) {
  console.error(complaints.join('\n'));
  process.exit(1);
}
