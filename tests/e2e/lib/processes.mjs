// Processes in groups of their own, so that ending one leaves nothing behind.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** Starts a program as the leader of a new process group, within a message bus of its own. */
export function startGroup(command, args, environment) {
  const leader = spawn('dbus-run-session', ['--', command, ...args], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const said = [];
  const hear = (bytes) => {
    said.push(bytes);
    // A page that logs without end must not fill the memory of its test.
    if (said.length > 2000) said.splice(0, 1000);
  };
  leader.stdout.on('data', hear);
  leader.stderr.on('data', hear);
  return { leader, output: () => Buffer.concat(said).toString() };
}

/** Ends a group: politely, then by force. */
export async function endGroup({ leader }, patienceMs = 15_000) {
  const signal = (name) => {
    try {
      process.kill(-leader.pid, name);
    } catch {
      // The whole group has ended.
    }
  };
  if (leader.exitCode === null && leader.signalCode === null) {
    signal('SIGTERM');
    await Promise.race([once(leader, 'exit'), sleep(patienceMs, undefined, { ref: false })]);
  }
  // The leader may be gone before those that it started.
  signal('SIGKILL');
}

/** Asks until `probe` gives something; throws when it has not after `withinMs`. */
export async function until(what, withinMs, probe) {
  const end = Date.now() + withinMs;
  let last;
  for (;;) {
    try {
      const found = await probe();
      if (found) return found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`${what} did not happen in ${withinMs} ms${last ? `: ${last.message}` : ''}`);
    await sleep(50);
  }
}
