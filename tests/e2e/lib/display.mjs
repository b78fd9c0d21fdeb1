// A display of its own, so that a test neither needs nor disturbs a desktop.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Starts Xvfb on a free display; returns its name and how to end it. */
export async function startDisplay() {
  const server = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1280x900x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const number = await Promise.race([
    once(server.stdio[3], 'data').then(([line]) => line.toString().trim()),
    once(server, 'error').then(([error]) => Promise.reject(error)),
    once(server, 'exit').then(([code]) => Promise.reject(new Error(`Xvfb ended with ${code}`))),
  ]);
  return { name: `:${number}`, end: () => server.kill('SIGTERM') };
}
