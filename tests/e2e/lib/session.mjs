// The app under WebDriver.
//
// What makes it reliable: a message bus for each test, so that no other instance of the app is found; the driver
// in its own process group, ended as a whole, since the driver leaves the app alive; and /status asked through
// tauri-driver before the session is opened, which answers only when both drivers listen.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { remote } from 'webdriverio';

import { endGroup, startGroup, until } from './processes.mjs';

/** How long both drivers may take to listen: under a second on an idle machine. */
const DRIVERS_READY_MS = 20_000;

/** How long the app may take to open its window on a busy machine. */
const SESSION_OPEN_MS = 60_000;

function tauriDriver() {
  const candidates = [
    process.env.TAURI_DRIVER,
    join(homedir(), '.cache/lull/tauri-driver/bin/tauri-driver'),
    join(homedir(), '.cargo/bin/tauri-driver'),
  ];
  const found = candidates.find((path) => path && existsSync(path));
  if (!found) {
    throw new Error(
      'tauri-driver is missing: cargo install tauri-driver --version ^2 --locked --root ~/.cache/lull/tauri-driver',
    );
  }
  return found;
}

/** Opens the app with its window; returns the browser, a camera and how to end it all. */
export async function openWindow({ app, environment, port, artefacts }) {
  const args = ['--port', `${port}`, '--native-port', `${port + 1}`, '--native-driver', '/usr/bin/WebKitWebDriver'];
  const group = startGroup(tauriDriver(), args, environment);
  let browser;
  mkdirSync(artefacts, { recursive: true });
  const end = async () => {
    // The app quits when its session ends, and takes the worker with it.
    await browser?.deleteSession().catch(() => {});
    await endGroup(group);
    writeFileSync(join(artefacts, 'output.txt'), group.output());
  };
  try {
    await until('the drivers listen', DRIVERS_READY_MS, async () => {
      if (group.leader.exitCode !== null) throw new Error(group.output());
      const answer = await fetch(`http://127.0.0.1:${port}/status`, { signal: AbortSignal.timeout(1000) });
      await answer.text();
      return answer.ok;
    });
    browser = await remote({
      hostname: '127.0.0.1',
      port,
      logLevel: 'silent',
      connectionRetryCount: 0,
      connectionRetryTimeout: SESSION_OPEN_MS,
      capabilities: {
        browserName: 'wry',
        'wdio:enforceWebDriverClassic': true,
        'tauri:options': { application: app, args: [] },
      },
    });
  } catch (error) {
    await end();
    throw error;
  }
  let pictures = 0;
  const photograph = async (name) => {
    pictures += 1;
    // What fades in is waited for; what moves for ever is not.
    await browser
      .waitUntil(() => browser.execute(() => document.getAnimations().every((animation) =>
        animation.playState !== 'running' || animation.effect?.getComputedTiming().endTime === Infinity)), { timeout: 3000 })
      .catch(() => {});
    await browser.saveScreenshot(join(artefacts, `${String(pictures).padStart(2, '0')}-${name}.png`));
  };
  /** For a failure: what is seen, and what it is made of. */
  const examine = async () => {
    writeFileSync(join(artefacts, 'failed.html'), await browser.getPageSource());
    await photograph('failed');
  };
  return { browser, photograph, examine, end };
}
