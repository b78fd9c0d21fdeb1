// A newcomer's way through the window.

/** A control may take this long to appear or to be usable: the worker answers in milliseconds, and this machine
 * may be busy rendering in software at the same time. */
const SOON_MS = 20_000;

/** The longest benchmark that still counts: on a software adapter with two cores it takes about half a minute. */
const BENCHMARK_MS = 240_000;

/** What a contributor is promised: money within a minute of enrolling. Twice that, as two cores do everything. */
const FIRST_RECEIPT_MS = 120_000;

/** A picture has 48 tiles, and takes turns with another job: some minutes on a software adapter. */
const PICTURE_MS = 900_000;

const BAD_ADDRESS = 'this-is-no-address';

/** Walks; throws at the first thing that is not as promised. Returns the times worth telling, as text. */
export async function fromWizardToReceipt({ browser, photograph }) {
  const find = (id) => browser.$(`[data-testid="${id}"]`);
  const see = async (id, timeout = SOON_MS) => {
    await find(id).waitForDisplayed({ timeout, timeoutMsg: `"${id}" was not seen in ${timeout} ms` });
    return find(id);
  };
  const press = async (id, timeout = SOON_MS) => {
    const control = await see(id, timeout);
    await control.waitForEnabled({ timeout, timeoutMsg: `"${id}" could not be pressed in ${timeout} ms` });
    await control.click();
  };
  const began = Date.now();

  await see('wizard-step-welcome', SOON_MS * 3);
  await photograph('welcome');
  await press('wizard-next');

  await see('wizard-step-device');
  // Devices are found by starting the runtime.
  await find('wizard-next').waitForEnabled({ timeout: SOON_MS * 3, timeoutMsg: 'no device was found' });
  await photograph('device');
  await press('wizard-next');

  await see('wizard-step-benchmark');
  await press('benchmark-start');
  await see('benchmark-value-fp32_peak', BENCHMARK_MS);
  await photograph('benchmark-running');
  await find('wizard-next').waitForEnabled({ timeout: BENCHMARK_MS, timeoutMsg: 'the benchmark did not end' });
  for (const measure of ['fp32_peak', 'memory_read', 'gemm_fp32']) {
    const value = await (await see(`benchmark-value-${measure}`)).getText();
    expect(/[1-9]/.test(value), `${measure} was measured as "${value}"`);
  }
  await photograph('benchmark-done');
  const benchmarked = Date.now();
  await press('wizard-next');

  await see('wizard-step-estimate');
  await photograph('estimate');
  await press('wizard-next');
  await see('wizard-step-effort');
  await photograph('effort');
  await press('wizard-next');

  await see('wizard-step-wallet');
  await (await see('wallet-input')).setValue(BAD_ADDRESS);
  await press('wizard-next');
  await see('wallet-error');
  await photograph('wallet-refused');
  await press('wizard-skip');

  await see('wizard-step-enrol');
  await photograph('enrol');
  const enrolled = Date.now();
  await press('enrol-start');

  await see('dashboard', FIRST_RECEIPT_MS);
  await photograph('dashboard');
  const earned = async () => /[1-9]/.test(await (await find('earnings-today')).getText());
  await browser.waitUntil(earned, { timeout: FIRST_RECEIPT_MS, timeoutMsg: 'nothing was earned', interval: 200 });
  const receipt = Date.now();
  await see('earnings-chart');
  await photograph('earned');

  await press('nav-tasks');
  await see('task-row');
  await photograph('tasks');

  await press('nav-receipts');
  await see('receipt-row');
  await press('receipts-verify');
  const verdict = await see('receipts-verdict', SOON_MS);
  await photograph('receipts-verified');
  expect((await verdict.getAttribute('data-verdict')) === 'ok', `the receipts are said to be: ${await verdict.getText()}`);

  await press('nav-payouts');
  await see('payouts-next');
  // What comes next depends on when the epoch ends, but without a wallet nothing is under way, and the network must
  // have said which it is.
  const said = async () => ['no_wallet', 'nothing'].includes(await find('payouts-next').getAttribute('data-next'));
  await browser.waitUntil(said, { timeout: SOON_MS, timeoutMsg: 'the payouts page did not say what comes next', interval: 200 });
  const page = await browser.$('main').getText();
  expect(/practice/i.test(page), 'the payouts page does not say that it is practice');
  expect(/[0-9]/.test(await (await see('payouts-held')).getText()), 'the payouts page shows no held earnings');
  await photograph('payouts');

  await press('nav-overview');
  await press('pause');
  await press('pause-restart');
  await see('resume');
  await photograph('paused');
  await press('resume');
  await see('pause');
  await photograph('resumed');

  await press('nav-settings');
  await find('pause').waitForDisplayed({ reverse: true, timeout: SOON_MS, timeoutMsg: 'the settings did not open' });
  await photograph('settings');

  const seconds = (from, to) => `${((to - from) / 1000).toFixed(1)} s`;
  return `benchmarked after ${seconds(began, benchmarked)}, first receipt ${seconds(enrolled, receipt)} after enrolling`;
}

/** Waits until most of a picture has been rendered here, and photographs it. */
export async function untilPictureIsThere({ browser, photograph }) {
  await browser.$('[data-testid="nav-overview"]').click();
  const share = async () => Number.parseInt(await browser.$('[data-testid="picture-share"]').getText(), 10);
  // Not all of it: the next job's picture takes its place at once.
  await browser.waitUntil(async () => (await share()) >= 90, { timeout: PICTURE_MS, timeoutMsg: 'the picture was not finished', interval: 500 });
  await photograph('picture');
}

function expect(holds, message) {
  if (!holds) throw new Error(message);
}
