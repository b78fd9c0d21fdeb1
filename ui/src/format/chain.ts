import type { ExplorerCluster } from '../backend/backend';

/** The two ends of a name on the chain, by which people compare them; the whole is never further than a click. */
export function shortName(name: string): string {
  return name.length > 13 ? `${name.slice(0, 6)}…${name.slice(-6)}` : name;
}

const explored: readonly string[] = ['mainnet', 'devnet', 'testnet'] satisfies ExplorerCluster[];

/** The ledger as the block explorer knows it; `null` for one that it has no pages of. */
export function explorerCluster(cluster: string): ExplorerCluster | null {
  return explored.includes(cluster) ? (cluster as ExplorerCluster) : null;
}

/** The host of an endpoint's address; an address that cannot be read is shown as it is. */
export function hostOf(endpoint: string): string {
  try {
    return new URL(endpoint).host;
  } catch {
    return endpoint;
  }
}
