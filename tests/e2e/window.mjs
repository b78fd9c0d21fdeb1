#!/usr/bin/env node
// The real app in a real window, from a first start to a receipt that is checked:
//
//   node window.mjs --app target/release/lull [--runs 20] [--worker PATH] [--artefacts FOLDER] [--picture]
//
// Needs Xvfb, dbus-run-session, WebKitWebDriver and tauri-driver. Prints a line for each run and
// "N passed, N failed" at the end; leaves pictures of each step, and the app's output, in the artefacts folder. With
// --picture each run goes on until a job's picture is all but done, and photographs that for the README.
import { resolve } from 'node:path';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { startDisplay } from './lib/display.mjs';
import { freshHome } from './lib/home.mjs';
import { openWindow } from './lib/session.mjs';
import { fromWizardToReceipt, untilPictureIsThere } from './lib/walk.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    app: { type: 'string' },
    worker: { type: 'string' },
    runs: { type: 'string', default: '1' },
    port: { type: 'string', default: '4444' },
    picture: { type: 'boolean', default: false },
    artefacts: { type: 'string', default: join(here, 'artefacts') },
  },
});
if (!values.app) {
  console.error('usage: node window.mjs --app PATH [--runs N] [--worker PATH] [--port N] [--artefacts FOLDER]');
  process.exit(2);
}

const display = await startDisplay();
let passed = 0;
let failed = 0;
for (let run = 0; run < Number(values.runs); run += 1) {
  const home = freshHome(display.name, values.worker && resolve(values.worker));
  const began = Date.now();
  let window;
  try {
    window = await openWindow({
      app: resolve(values.app),
      environment: home.environment,
      // Ports of an earlier run may linger.
      port: Number(values.port) + 2 * run,
      artefacts: join(resolve(values.artefacts), `window-${run}`),
    });
    const opened = Date.now() - began;
    const times = await fromWizardToReceipt(window);
    if (values.picture) await untilPictureIsThere(window);
    passed += 1;
    console.log(`run ${run}: ok, window ${opened} ms, ${times}`);
  } catch (error) {
    failed += 1;
    await window?.examine().catch(() => {});
    console.log(`run ${run}: FAILED after ${Date.now() - began} ms: ${error.message}`);
  } finally {
    await window?.end();
    home.remove();
  }
}
display.end();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
