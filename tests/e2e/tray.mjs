#!/usr/bin/env node
// The app in a tray, without its window: what the menu says, what its lines do, and that quitting ends the
// worker.
//
//   node tray.mjs --app target/debug/lull --worker target/debug/examples/scripted-worker [--runs N]
//
// Needs Xvfb, dbus-run-session, openbox, wmctrl and xdotool.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';

import { startDisplay } from './lib/display.mjs';
import { freshHome } from './lib/home.mjs';
import { endGroup, startGroup, until } from './lib/processes.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    app: { type: 'string' },
    worker: { type: 'string' },
    runs: { type: 'string', default: '1' },
    // Set by this script for the part of it that runs within the test's own message bus.
    inside: { type: 'boolean', default: false },
  },
});
if (!values.app || !values.worker) {
  console.error('usage: node tray.mjs --app PATH --worker PATH [--runs N]');
  process.exit(2);
}

/** The version of the messages that this tree's programs speak. */
function protocolVersion() {
  const source = readFileSync(join(here, '../../crates/worker-api/src/lib.rs'), 'utf8');
  return Number(/PROTOCOL_VERSION: u16 = (\d+);/.exec(source)[1]);
}

/** Bound on every wait; the app answers in milliseconds on an idle machine. */
const SOON_MS = 30_000;

if (values.inside) {
  await walkThroughTray();
  process.exit(0);
}

const display = await startDisplay();
let passed = 0;
let failed = 0;
for (let run = 0; run < Number(values.runs); run += 1) {
  const home = freshHome(display.name, resolve(values.worker));
  const args = [join(here, 'tray.mjs'), '--inside', '--app', resolve(values.app), '--worker', values.worker];
  const group = startGroup(process.execPath, args, home.environment);
  const code = await new Promise((done) => group.leader.on('exit', done));
  await endGroup(group);
  if (code === 0) passed += 1;
  else failed += 1;
  console.log(`run ${run}: ${code === 0 ? 'ok' : 'FAILED'}\n${group.output().trim()}`);
  home.remove();
}
display.end();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);

async function walkThroughTray() {
  const { becomeTray, TrayItem } = await import('./lib/tray-host.mjs');
  const tray = await becomeTray();
  // Windows are closed and brought to the front by a window manager.
  const manager = execFile('openbox', []);
  const ended = { code: null };
  const app = execFile(values.app, ['--minimized'], (error) => {
    ended.code = error ? (error.code ?? 1) : 0;
  });
  app.stderr.pipe(process.stderr);
  const said = (what) => console.log(`  ${what}`);

  const registered = await until('the icon appears', SOON_MS, () => tray.items[0]);
  const item = new TrayItem(tray.bus, registered);
  const labels = async () => (await item.menu()).filter((line) => !line.separator).map((line) => line.label);
  const line = async (label) => (await item.menu()).find((entry) => entry.label === label);
  const stateIs = (pattern) => until(`the state line is ${pattern}`, SOON_MS, async () => pattern.test((await labels())[1]));
  const icon = async () => {
    const path = await item.property('IconName');
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  };
  // The app writes the pictures out anew, so that they are compared by what they show: by name they differ always.
  const icons = {};

  await stateIs(/^Ready, waiting for work$/);
  const menu = await labels();
  const expected = ['Today: 0.00 USDC', 'Ready, waiting for work', 'Open Lull', 'Pause for 1 hour', 'Pause until restart', 'Pause until I resume', 'Resume', 'Quit (work stops)'];
  check(JSON.stringify(menu) === JSON.stringify(expected), `the menu reads ${JSON.stringify(menu)}`);
  check(!(await line(menu[0])).enabled && !(await line(menu[1])).enabled, "the menu's first lines are no buttons");
  check((await line('Pause for 1 hour')).enabled && !(await line('Resume')).enabled, 'a ready worker can be paused');
  check((await windows()) === 0, 'started with --minimized there is no window');
  icons.ready = await icon();
  said(`menu: ${menu.join(' | ')}`);

  await item.click('Pause for 1 hour');
  await stateIs(/^Paused until \d\d:\d\d$/);
  await until('resuming is offered', SOON_MS, async () => (await line('Resume')).enabled);
  icons.paused = await icon();
  said(`paused: ${(await labels())[1]}`);

  await item.click('Pause until restart');
  await stateIs(/^Paused until restart$/);

  await item.click('Resume');
  await stateIs(/^Ready, waiting for work$/);
  check((await icon()) === icons.ready, "the icon is the ready one again");

  // The command line's way to the same worker, as the tray has no enrolment.
  await commandWorker({ command: 'enrol', ticket: null });
  await stateIs(/^Earning: Harbour at night, \d+ %$/);
  icons.earning = await icon();
  await until('the earnings rise', SOON_MS, async () => /^Today: 0\.00[1-9]\d* practice USDC$/.test((await labels())[0]));
  said(`earning: ${(await labels()).slice(0, 2).join(' | ')}`);
  await until('the first earnings are told', SOON_MS, () => tray.notifications.length > 0);
  check(tray.notifications[0].summary === 'Your first earnings', JSON.stringify(tray.notifications));
  said(`notification: ${tray.notifications[0].summary}: ${tray.notifications[0].body}`);

  await item.click('Open Lull');
  await until('the window opens', SOON_MS, async () => (await windows()) > 0);
  await until('the window manager has it', SOON_MS, async () => {
    const { stdout } = await promisify(execFile)('wmctrl', ['-l']);
    return / Lull$/m.test(stdout);
  });
  await closeWindow();
  await until('the window is gone', SOON_MS, async () => (await windows()) === 0);
  check(ended.code === null, 'the app goes on without its window');
  await until('the tray still answers', SOON_MS, async () => (await labels()).length === expected.length);
  said('window: opened from the tray, closed, app still there');

  // A second start opens the window of the first and ends.
  await promisify(execFile)(values.app, []);
  await until('a second start opens the window', SOON_MS, async () => (await windows()) > 0);
  said('second start: ended, and opened the window of the first');

  await endWorkerByForce();
  await until('the loss is shown', SOON_MS, async () => (await icon()) !== icons.earning);
  icons.problem = await icon();
  // The scripted worker remembers nothing, so that the new one is a newcomer's.
  await stateIs(/^Ready, waiting for work$/);
  said('worker killed: shown, and started again');

  check(new Set(Object.values(icons)).size === 4, `four states have four icons: ${JSON.stringify(icons)}`);
  await item.click('Quit (work stops)');
  await until('the app ends', SOON_MS, () => ended.code !== null);
  check(ended.code === 0, `the app ended with ${ended.code}`);
  check((await workers()).length === 0, 'quitting ends the worker');
  said('quit: app and worker have ended');

  const again = execFile(values.app, ['--minimized']);
  await until('the app is in the tray again', SOON_MS, () => tray.items[1]);
  await promisify(execFile)(values.app, ['--quit']);
  await until('the app ends', SOON_MS, () => again.exitCode !== null);
  // With nothing to end it just ends.
  await promisify(execFile)(values.app, ['--quit']);
  check((await workers()).length === 0, 'quitting from outside ends the worker');
  said('--quit: ended the running app');
  manager.kill();
  tray.end();
}

function check(holds, message) {
  if (!holds) throw new Error(message);
}

/** How many windows of the app are seen. GTK keeps others that are not. */
async function windows() {
  const search = promisify(execFile)('xdotool', ['search', '--onlyvisible', '--name', '^Lull$']);
  // It fails when it finds none.
  const { stdout } = await search.catch(() => ({ stdout: '' }));
  return stdout.split('\n').filter(Boolean).length;
}

/** Asks the window manager to close the window, as its close button does. */
async function closeWindow() {
  await promisify(execFile)('wmctrl', ['-F', '-c', 'Lull']);
}

/** Processes of the worker that belong to this test, which its data folder tells. */
async function workers() {
  const { stdout } = await promisify(execFile)('pgrep', ['-x', 'scripted-worker']).catch(() => ({ stdout: '' }));
  return stdout.split('\n').filter((pid) => {
    try {
      return pid && readFileSync(`/proc/${pid}/environ`).includes(`LULL_DATA_DIR=${process.env.LULL_DATA_DIR}\0`);
    } catch {
      return false;
    }
  });
}

async function endWorkerByForce() {
  for (const pid of await workers()) process.kill(Number(pid), 'SIGKILL');
}

/** Sends one command over the worker's socket: frames of a big-endian length and JSON. */
async function commandWorker(command) {
  const { createConnection } = await import('node:net');
  const socket = createConnection(join(process.env.LULL_DATA_DIR, 'worker.sock'));
  const body = Buffer.from(JSON.stringify({ protocol: protocolVersion(), id: 1, command }));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  socket.write(Buffer.concat([length, body]));
  await new Promise((done, failed) => {
    socket.once('data', done);
    socket.once('error', failed);
  });
  socket.destroy();
}
