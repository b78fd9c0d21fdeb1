import type { NextPayout } from '../bindings/NextPayout';
import type { Payout } from '../bindings/Payout';
import type { PayoutStanding } from '../bindings/PayoutStanding';
import type { Snapshot } from '../bindings/Snapshot';

/** The name of what comes next, apart from its figures. */
export type NextName = Extract<NextPayout, string> | 'below_threshold' | 'at_epoch';

export function nextName(next: NextPayout): NextName {
  if (typeof next === 'string') return next;
  return 'at_epoch' in next ? 'at_epoch' : 'below_threshold';
}

/** Whether its transaction may still reach the chain. */
export function isUnderWay({ stage }: Payout): boolean {
  switch (stage) {
    case 'planned':
    case 'signed':
    case 'sent':
      return true;
    case 'confirmed':
    case 'failed':
    case 'expired':
      return false;
  }
}

/** Where money is, from an accepted task to the wallet; base units. */
export interface MoneyWay {
  held: number;
  payable: number;
  /** `null` while the network has not said how payouts stand. */
  underWay: number | null;
  paid: number;
}

/** The network counts what is on its way, and its fees, as payable until it is final; here it is told apart. */
export function moneyWay({ earnings, payouts }: Snapshot): MoneyWay {
  const open = payouts?.payouts.filter(isUnderWay) ?? [];
  const leaving = open.reduce((sum, payout) => sum + payout.amount + payout.fee, 0);
  return {
    held: earnings.held,
    payable: Math.max(0, earnings.payable - leaving),
    underWay: payouts && open.reduce((sum, payout) => sum + payout.amount, 0),
    paid: earnings.paid,
  };
}

/** Where the network pays now; where it has not said, what the contributor wants. */
export function presentWallet({ wallet, wallet_standing: standing }: Snapshot): string | null {
  return standing ? standing.wallet : wallet;
}

/** What the newest epoch lists for a wallet beyond what is paid and on its way: so much a claim would bring now. */
export function claimable(standing: PayoutStanding, wallet: string): number {
  const listed = standing.wallets.find((row) => row.wallet === wallet);
  if (!listed) return 0;
  const leaving = standing.payouts.filter((payout) => payout.wallet === wallet && isUnderWay(payout));
  return Math.max(0, listed.lifetime - listed.paid - leaving.reduce((sum, payout) => sum + payout.amount, 0));
}
