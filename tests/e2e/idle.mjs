#!/usr/bin/env node
// What the programs cost when nothing is to be done, beside BOINC's client, in the same minute:
//
//   node idle.mjs --programs target/release [--seconds 60] [--threads]
//
// Measured are a worker that is switched off, a worker that is enrolled and finds no work, the app in the tray with its
// worker off, the network that the second worker is enrolled in, and, where it is installed, boinc without a project.
// With --threads the threads that took most of it are listed too. Linux only. Needs Xvfb and dbus-run-session.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { startDisplay } from './lib/display.mjs';
import { freshHome } from './lib/home.mjs';
import { endGroup, startGroup, until } from './lib/processes.mjs';

const { values } = parseArgs({
  options: { programs: { type: 'string' }, seconds: { type: 'string', default: '60' }, threads: { type: 'boolean', default: false } },
});
if (!values.programs) {
  console.error('usage: node idle.mjs --programs FOLDER [--seconds N]');
  process.exit(2);
}

/** Bound on everything that is waited for: a benchmark on a software adapter is the longest. */
const SOON_MS = 240_000;
/** Programs are left alone so long before they are measured, so that nothing of their start is counted. */
const SETTLE_MS = 15_000;
/** The unit of times in /proc/PID/stat. */
const TICKS_PER_SECOND = 100;

const program = (name) => resolve(values.programs, name);
const ends = [];
const display = await startDisplay();
ends.push(() => display.end());

function start(path, args, options = {}) {
  const child = spawn(path, args, { stdio: ['pipe', 'pipe', 'ignore'], ...options });
  child.on('error', () => {});
  ends.push(() => child.kill('SIGKILL'));
  return child;
}

function home() {
  const made = freshHome(display.name, program('lull-worker'));
  ends.push(made.remove);
  return { ...made.environment, LULL_KEYCHAIN: 'file' };
}

function run(path, args, env) {
  return new Promise((done, fail) => {
    const child = spawn(path, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let printed = '';
    child.stdout.on('data', (bytes) => (printed += bytes));
    child.on('exit', (code) => (code === 0 ? done(printed) : fail(new Error(`${path} ${args.join(' ')}: ${code}`))));
  });
}

function readStat(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
}

/** Nanoseconds on a processor, of each thread. */
function threads(pid) {
  const ids = readdirSync(`/proc/${pid}/task`);
  return new Map(
    ids.map((id) => {
      const thread = `/proc/${pid}/task/${id}`;
      const ran = Number(readFileSync(`${thread}/schedstat`, 'utf8').split(' ')[0]);
      return [id, { name: readFileSync(`${thread}/comm`, 'utf8').trim(), ran }];
    }),
  );
}

function memory(pid) {
  const kilobytes = (file, name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(file, 'utf8'))?.[1]);
  return {
    rss: kilobytes(`/proc/${pid}/status`, 'VmRSS') / 1024,
    anonymous: kilobytes(`/proc/${pid}/status`, 'RssAnon') / 1024,
    unique: kilobytes(`/proc/${pid}/smaps_rollup`, 'Private_Dirty') / 1024,
  };
}

function childrenOf(pid) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readStat(name).parent === pid;
      } catch {
        return false; // It has ended meanwhile.
      }
    });
}

const command = (pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim();

try {
  const measured = [];

  const offHome = home();
  const off = start(program('lull-worker'), ['run'], { env: offHome });
  measured.push({ name: 'worker, off', pid: off.pid });

  const data = mkdtempSync(join(tmpdir(), 'lull-idle-'));
  ends.push(() => rmSync(data, { recursive: true, force: true }));
  const network = start(program('lull-network'), ['--data-dir', join(data, 'network')]);
  const [first] = await new Promise((done) => createInterface(network.stdout).once('line', (line) => done([line])));
  const { ticket } = JSON.parse(first);
  measured.push({ name: 'network, one worker, no jobs', pid: network.pid });

  const readyHome = home();
  const ready = start(program('lull-worker'), ['run'], { env: readyHome });
  measured.push({ name: 'worker, enrolled, no work', pid: ready.pid });
  await until('the worker answers', SOON_MS, () => run(program('lull-worker'), ['status', '--json'], readyHome));
  await run(program('lull-worker'), ['enrol', ticket], readyHome);
  await until('the worker is enrolled and idle', SOON_MS, async () => {
    const { state, steps } = JSON.parse(await run(program('lull-worker'), ['status', '--json'], readyHome));
    return steps.enrolled && state.name === 'ready';
  });

  const app = startGroup(program('lull'), ['--minimized'], home());
  ends.push(() => endGroup(app, 2_000));
  const appPid = await until('the app runs', SOON_MS, () => childrenOf(app.leader.pid).find((pid) => command(pid) === 'lull'));
  measured.push({ name: 'app in the tray', pid: appPid });
  const appWorker = await until('its worker runs', SOON_MS, () => childrenOf(Number(appPid)).find((pid) => command(pid) === 'lull-worker'));
  measured.push({ name: "the app's worker, off", pid: appWorker });

  const boincFolder = join(data, 'boinc');
  await run('mkdir', ['-p', boincFolder]);
  const boinc = start('boinc', ['--dir', boincFolder, '--no_gui_rpc'], { cwd: boincFolder });
  await sleep(1_000);
  if (boinc.pid && boinc.exitCode === null) measured.push({ name: 'boinc-client, no project', pid: boinc.pid });
  else console.log('boinc-client is not installed; install it to compare');

  await sleep(SETTLE_MS);
  const before = measured.map(({ pid }) => readStat(pid).ticks);
  const threadsBefore = measured.map(({ pid }) => threads(pid));
  await sleep(Number(values.seconds) * 1_000);
  console.log(`idle for ${values.seconds} s, all at once`);
  console.log(`${''.padEnd(30)}${'RSS'.padStart(10)}${'anonymous'.padStart(12)}${'private dirty'.padStart(15)}${'CPU'.padStart(12)}`);
  measured.forEach(({ name, pid }, at) => {
    const { rss, anonymous, unique } = memory(pid);
    const share = (readStat(pid).ticks - before[at]) / TICKS_PER_SECOND / Number(values.seconds);
    const columns = [`${rss.toFixed(1)} MB`.padStart(10), `${anonymous.toFixed(1)} MB`.padStart(12), `${unique.toFixed(1)} MB`.padStart(15)];
    console.log(`${name.padEnd(30)}${columns.join('')}${`${(share * 100).toFixed(3)} %`.padStart(12)}`);
    if (!values.threads) return;
    const ran = [...threads(pid)].map(([id, thread]) => ({ ...thread, ran: thread.ran - (threadsBefore[at].get(id)?.ran ?? 0) }));
    ran.sort((one, other) => other.ran - one.ran);
    for (const thread of ran.slice(0, 6)) {
      const share = thread.ran / 1e9 / Number(values.seconds);
      console.log(`  ${thread.name.padEnd(28)}${`${(share * 100).toFixed(4)} %`.padStart(49)}`);
    }
  });
} finally {
  for (const end of ends.reverse()) await end();
}
process.exit(0);
