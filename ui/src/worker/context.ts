import { createContext, useContext, useSyncExternalStore } from 'react';

import type { Snapshot } from '../bindings/Snapshot';
import type { Backend } from '../backend/backend';
import type { SnapshotStore, WorkerKnowledge } from './snapshot-store';

/** The way to the shell, and what it has told so far. */
export interface WorkerConnection {
  backend: Backend;
  store: SnapshotStore;
}

export const WorkerContext = createContext<WorkerConnection | null>(null);

function useConnection(): WorkerConnection {
  const connection = useContext(WorkerContext);
  if (!connection) throw new Error('this component needs a WorkerContext around it');
  return connection;
}

/** The way to the shell. */
export function useBackend(): Backend {
  return useConnection().backend;
}

/** What follows the worker, for code that waits for a change. */
export function useSnapshotStore(): SnapshotStore {
  return useConnection().store;
}

/** All that is known of the worker. */
export function useWorker(): WorkerKnowledge {
  const { store } = useConnection();
  return useSyncExternalStore(store.subscribe, store.read);
}

/** The newest snapshot. Only below components that wait for the first one. */
export function useSnapshot(): Snapshot {
  const { snapshot } = useWorker();
  if (!snapshot) throw new Error('this component is shown only once there is a snapshot');
  return snapshot;
}
