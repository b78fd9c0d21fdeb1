import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';

import type { Fault } from '../bindings/Fault';
import type { Snapshot } from '../bindings/Snapshot';
import type { Backend, Unsubscribe } from './backend';

/** What the shell tells of by itself, by the event's name. */
interface ShellEvents {
  snapshot: Snapshot;
  'worker-lost': Fault;
}

/** Subscribes to an event of the shell; ending it before the shell has confirmed is allowed. */
function subscribe<E extends keyof ShellEvents>(
  event: E,
  listener: (payload: ShellEvents[E]) => void,
): Unsubscribe {
  let ended = false;
  const subscribed = listen<ShellEvents[E]>(event, ({ payload }) => {
    if (!ended) listener(payload);
  });
  return () => {
    ended = true;
    void subscribed.then((unlisten) => unlisten());
  };
}

/** The shell that the app ships with. */
export const tauriBackend: Backend = {
  command: (command) => invoke('worker_command', { command }),
  latestSnapshot: () => invoke('latest_snapshot'),
  onSnapshot: (listener) => subscribe('snapshot', listener),
  onWorkerLost: (listener) => subscribe('worker-lost', listener),
  autostartGet: () => invoke('autostart_get'),
  autostartSet: (enabled) => invoke('autostart_set', { enabled }),
  revealFile: (path) => invoke('reveal_file', { path }),
  openWalletPage: (url) => invoke('open_wallet_page', { url }),
  openExplorer: (cluster, signature) => invoke('open_explorer', { cluster, signature }),
  quit: () => invoke('quit'),
};
