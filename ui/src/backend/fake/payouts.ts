import type { ChainPlace } from '../../bindings/ChainPlace';
import type { Fault } from '../../bindings/Fault';
import type { NextPayout } from '../../bindings/NextPayout';
import type { Payout } from '../../bindings/Payout';
import type { PayoutCheck } from '../../bindings/PayoutCheck';
import type { PayoutStage } from '../../bindings/PayoutStage';
import type { PayoutStanding } from '../../bindings/PayoutStanding';
import type { WalletStanding } from '../../bindings/WalletStanding';
import { simulatedCheck, type Told } from './check';
import { EPOCH_MS, type SimulatedLedger } from './ledger';
import { base58, type Random } from './random';

/** How long a payout stays in a stage before it comes into the next. */
const STAGE_MS: Partial<Record<PayoutStage, number>> = { planned: 1_500, signed: 1_500, sent: 8_000 };
const NEXT_STAGE: Partial<Record<PayoutStage, PayoutStage>> = { planned: 'signed', signed: 'sent', sent: 'confirmed' };

/** As a practice network asks: 5,000 lamports at 150 USDC for a SOL. */
const FEE = 750;
/** On a real ledger the first payout also opens the wallet's accounts there. */
const FEE_FIRST = 450_750;
const THRESHOLD = 1_000_000;
const THRESHOLD_MIN = 100_000;

/** The page on which a claim is signed by a wallet that lives elsewhere. */
export const CLAIM_PAGE = 'http://127.0.0.1:41235/ffeeddccbbaa99887766554433221100/';

/** Where a simulated network pays, by the name of its ledger. */
export function simulatedPlace(cluster: string): ChainPlace {
  return {
    cluster,
    endpoint: cluster === 'practice' ? 'http://127.0.0.1:41299/' : `https://api.${cluster}.lull.example/`,
    program: 'LuLLdistr1butorXwFjH5xK2mVq8yT3sNc7pRbAaZ9e4',
    mint: cluster === 'mainnet' ? 'EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v' : 'PracT1ceMintv3nYqWb8kGf5dXsJ7hRmUaQz2pLc9Ee6',
    account: 'NetAcc7vQdXbT5yKm3wRfH9sPj2uLgZ8nEcA4xM6oCqk',
  };
}

/** The simulated network's side of paying out. */
export class SimulatedPayouts {
  place: ChainPlace | null = simulatedPlace('practice');
  /** Set by tests: the network has not said anything yet. */
  untold = false;
  /** Set by tests: the network has stopped all payouts. */
  stopped = false;
  /** Set by tests: what the chain says on the subject that a check finds wrong, or what it is silent about. */
  told: Told = {};
  threshold: number | null = THRESHOLD;
  readonly rows: Payout[] = [];
  private readonly leaves = new Map<string, { lifetime: number; paid: number }>();
  private anchored: PayoutStanding['anchored'] = null;
  private readonly ownClaims: { wallet: string; amount: number; at: number }[] = [];
  private epochSeen: number;
  private readonly random: Random;

  constructor(random: Random, now: number) {
    this.random = random;
    this.epochSeen = Math.floor(now / EPOCH_MS);
  }

  /** Payouts of earlier weeks; one of them needed a second transaction. */
  seedHistory(cluster: string, now: number, wallet: string, ledger: SimulatedLedger): void {
    this.place = simulatedPlace(cluster);
    const epoch = Math.floor(now / EPOCH_MS);
    const dues = ledger.duesBefore(now, [14, 11, 8, 5]);
    dues.forEach(({ at, amount }, n) => {
      const id = 2 * n + 1;
      const paid: Payout = {
        id,
        epoch: Math.floor(at / EPOCH_MS),
        wallet,
        amount: amount - FEE,
        fee: FEE,
        stage: 'confirmed',
        signature: base58(this.random, 88),
        at,
      };
      if (n === 1) this.rows.unshift({ ...paid, id: id - 1, stage: 'expired', signature: base58(this.random, 88), at: at - 90_000 });
      this.rows.unshift(paid);
      ledger.pay(paid.amount, paid.fee);
    });
    const paid = this.rows.reduce((sum, row) => (row.stage === 'confirmed' ? sum + row.amount : sum), 0);
    this.leaves.set(wallet, { lifetime: paid, paid });
    this.anchored = { epoch: epoch - 1, at: epoch * EPOCH_MS + 41_000, signature: base58(this.random, 88) };
    // What an epoch listed below the threshold stays listed, and can be claimed.
    const leaf = this.leaves.get(wallet);
    if (leaf) leaf.lifetime += Math.max(0, Math.min(640_000, this.available(now, ledger)) - FEE);
  }

  advance(now: number, ledger: SimulatedLedger, wallets: WalletStanding): void {
    for (const row of this.rows) {
      const stays = STAGE_MS[row.stage];
      const next = NEXT_STAGE[row.stage];
      if (stays === undefined || !next || now - row.at < stays || this.stopped) continue;
      row.stage = next;
      row.at = now;
      if (next === 'signed') row.signature = base58(this.random, 88);
      if (next === 'confirmed') this.book(row, ledger);
    }
    while (this.ownClaims[0] && this.ownClaims[0].at <= now) {
      const claim = this.ownClaims.shift();
      if (!claim) break;
      const row: Payout = { ...this.row(claim.wallet, claim.amount, 0, now), stage: 'confirmed' };
      this.rows.unshift(row);
      this.book(row, ledger);
    }
    const epoch = Math.floor(now / EPOCH_MS);
    if (epoch === this.epochSeen) return;
    this.epochSeen = epoch;
    this.closeEpoch(now, ledger, wallets);
  }

  /** Lists what is payable, and sends it if that is wanted. */
  closeEpoch(now: number, ledger: SimulatedLedger, { wallet, proven }: WalletStanding): void {
    if (!this.place || this.stopped) return;
    this.anchored = { epoch: Math.floor(now / EPOCH_MS) - 1, at: now, signature: base58(this.random, 88) };
    if (wallet === null || !this.pays(proven)) return;
    const leaf = this.leaf(wallet);
    const claimable = Math.max(this.claimable(wallet), this.available(now, ledger) - (this.threshold === null ? 0 : this.fee(wallet)));
    leaf.lifetime = leaf.paid + Math.max(0, claimable);
    if (this.threshold === null || claimable < this.threshold || this.underWay()) return;
    this.rows.unshift(this.row(wallet, claimable, this.fee(wallet), now));
  }

  /** Claims what is listed, with a key that the worker keeps. */
  claim(wallet: string | null, now: number): Fault | { signature: string } {
    const amount = wallet === null ? 0 : this.claimable(wallet);
    if (wallet === null || amount === 0 || this.ownClaims.length > 0)
      return { code: 'nothing_to_claim', sentence: 'The newest epoch lists nothing for this wallet that is not paid.' };
    this.ownClaims.push({ wallet, amount, at: now + 8_000 });
    return { signature: base58(this.random, 88) };
  }

  setThreshold(least: number | null): Fault | null {
    if (least !== null && least < THRESHOLD_MIN)
      return { code: 'threshold_too_low', sentence: 'This network sends no less than 0.1 USDC at once; fees would eat it.' };
    this.threshold = least;
    return null;
  }

  check(id: number | null, endpoint: string | null, now: number): PayoutCheck | Fault {
    const row = this.rows.find((candidate) => candidate.id === id);
    const asked = endpoint ?? this.place?.endpoint ?? null;
    if (id !== null && !row) return { code: 'payout_unknown', sentence: 'There is no such payout.' };
    if (!this.place || asked === null)
      return { code: 'no_endpoint', sentence: 'The network names no endpoint; give one of your own in the settings.' };
    const [wallet, leaf] = [...this.leaves][0] ?? [];
    if (!wallet || !leaf) return { code: 'nothing_listed', sentence: 'No epoch has listed anything for your wallet yet.' };
    return simulatedCheck({
      payout: row ?? null,
      place: this.place,
      wallet: row?.wallet ?? wallet,
      lifetime: leaf.lifetime,
      epoch: this.anchored?.epoch ?? 0,
      endpoint: new URL(asked).host,
      endpointIsNetworks: endpoint === null,
      at: now,
      told: this.told,
    });
  }

  view(now: number, ledger: SimulatedLedger, wallets: WalletStanding): PayoutStanding | null {
    if (this.untold) return null;
    return {
      place: this.place,
      threshold: this.threshold,
      threshold_min: THRESHOLD_MIN,
      fee_next: this.fee(wallets.wallet),
      fee_later: FEE,
      epoch_ends_at: (Math.floor(now / EPOCH_MS) + 1) * EPOCH_MS,
      anchored: this.anchored,
      wallets: [...this.leaves].map(([wallet, leaf]) => ({ wallet, ...leaf })),
      next: this.next(now, ledger, wallets),
      payouts: this.rows.slice(0, 52).map((row) => ({ ...row })),
    };
  }

  private next(now: number, ledger: SimulatedLedger, { wallet, proven }: WalletStanding): NextPayout {
    if (!this.place) return 'no_chain';
    if (this.stopped) return 'stopped';
    if (this.underWay()) return 'under_way';
    const available = this.available(now, ledger);
    if (available === 0) return 'nothing';
    if (wallet === null) return 'no_wallet';
    if (!this.pays(proven)) return 'wallet_unproven';
    if (this.threshold === null) return 'by_contributor';
    const amount = available - this.fee(wallet);
    if (amount < this.threshold) return { below_threshold: { missing: this.threshold - amount } };
    return { at_epoch: { at: (Math.floor(now / EPOCH_MS) + 1) * EPOCH_MS, amount } };
  }

  private row(wallet: string, amount: number, fee: number, now: number): Payout {
    const id = (this.rows[0]?.id ?? 0) + 1;
    return { id, epoch: this.anchored?.epoch ?? 0, wallet, amount, fee, stage: 'planned', signature: null, at: now };
  }

  private book(row: Payout, ledger: SimulatedLedger): void {
    this.leaf(row.wallet).paid += row.amount;
    ledger.pay(row.amount, row.fee);
  }

  private leaf(wallet: string): { lifetime: number; paid: number } {
    const leaf = this.leaves.get(wallet) ?? { lifetime: 0, paid: 0 };
    this.leaves.set(wallet, leaf);
    return leaf;
  }

  private claimable(wallet: string): number {
    const leaf = this.leaves.get(wallet);
    return leaf ? leaf.lifetime - leaf.paid : 0;
  }

  private fee(wallet: string | null): number {
    const paidBefore = wallet !== null && (this.leaves.get(wallet)?.paid ?? 0) > 0;
    return paidBefore || this.place?.cluster === 'practice' ? FEE : FEE_FIRST;
  }

  /** A practice network pays wallets whose holder has not signed, too. */
  private pays(proven: boolean): boolean {
    return proven || this.place?.cluster === 'practice';
  }

  private underWay(): boolean {
    return this.rows.some((row) => row.stage in STAGE_MS);
  }

  private available(now: number, ledger: SimulatedLedger): number {
    const underWay = this.rows.reduce((sum, row) => (row.stage in STAGE_MS ? sum + row.amount + row.fee : sum), 0);
    return Math.max(0, ledger.payable(now) - underWay);
  }
}
