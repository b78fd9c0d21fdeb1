// A contributor's machine that has never seen Lull: empty folders for everything that it writes.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Makes it; returns the environment that points there, and how to remove it. */
export function freshHome(display, worker) {
  // Short, because the worker's socket lies in it and socket paths are limited to 103 bytes.
  const root = mkdtempSync(join(tmpdir(), 'lull-e2e-'));
  const folder = (name) => {
    const path = join(root, name);
    mkdirSync(path, { mode: 0o700 });
    return path;
  };
  const environment = {
    ...process.env,
    DISPLAY: display,
    HOME: folder('home'),
    LULL_DATA_DIR: folder('data'),
    XDG_CONFIG_HOME: folder('config'),
    XDG_DATA_HOME: folder('share'),
    XDG_CACHE_HOME: folder('cache'),
    XDG_RUNTIME_DIR: folder('run'),
    LC_ALL: 'en_US.UTF-8',
    // Neither the accessibility bus nor a settings daemon is there, and GTK would wait for them.
    NO_AT_BRIDGE: '1',
    GSETTINGS_BACKEND: 'memory',
  };
  delete environment.WAYLAND_DISPLAY;
  if (worker) environment.LULL_WORKER = worker;
  return { root, environment, remove: () => rmSync(root, { recursive: true, force: true, maxRetries: 5 }) };
}
