import type { Command } from '../bindings/Command';
import type { Fault } from '../bindings/Fault';
import type { Reply } from '../bindings/Reply';
import type { Snapshot } from '../bindings/Snapshot';

/** Ledgers that the block explorer knows; others have no page there. */
export type ExplorerCluster = 'mainnet' | 'devnet' | 'testnet';

/** Ends a subscription. */
export type Unsubscribe = () => void;

/**
 * Everything that the user interface asks of the shell around it.
 *
 * Promises reject with a [`Fault`]; a command that the worker understood but declined resolves to
 * `{reply: 'refused'}`. `ask` in `ask.ts` turns the second into the first.
 */
export interface Backend {
  /** Sends one command to the worker. */
  command(command: Command): Promise<Reply>;
  /** The newest snapshot that the shell holds; `null` before the worker was first reached. */
  latestSnapshot(): Promise<Snapshot | null>;
  /** Calls back after every change of the worker. */
  onSnapshot(listener: (snapshot: Snapshot) => void): Unsubscribe;
  /** Calls back when the worker is gone or cannot be reached. A snapshot follows when it is back. */
  onWorkerLost(listener: (fault: Fault) => void): Unsubscribe;
  /** Whether the app starts when the contributor logs in. */
  autostartGet(): Promise<boolean>;
  /** Makes the app start, or not, when the contributor logs in. */
  autostartSet(enabled: boolean): Promise<void>;
  /** Opens the folder that holds a file. */
  revealFile(path: string): Promise<void>;
  /** Opens the worker's page on which a wallet is proven, in the contributor's browser. */
  openWalletPage(url: string): Promise<void>;
  /** Opens a transaction's page on explorer.solana.com, in the contributor's browser. */
  openExplorer(cluster: ExplorerCluster, signature: string): Promise<void>;
  /** Ends the app and the worker. */
  quit(): Promise<void>;
}
