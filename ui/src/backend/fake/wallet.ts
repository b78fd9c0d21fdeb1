import type { Fault } from '../../bindings/Fault';
import type { Snapshot } from '../../bindings/Snapshot';
import type { WalletStanding } from '../../bindings/WalletStanding';
import picture from './wallet-request.svg?raw';

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** A token account, which is off the curve. The simulation knows this one; the worker knows them all. */
export const TOKEN_ACCOUNT_EXAMPLE = 'ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL';

/** Why the worker would refuse an address; `null` when it would take it. */
export function walletFault(address: string): Fault | null {
  let value = 0n;
  for (const character of address) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0)
      return {
        code: 'wallet_not_base58',
        sentence: 'this address has a character that no Solana address has; copy it again from your wallet',
      };
    value = value * 58n + BigInt(digit);
  }
  const zeros = /^1*/.exec(address)?.[0].length ?? 0;
  const bytes = zeros + Math.ceil(value.toString(16).length / 2);
  if (value === 0n ? zeros !== 32 : bytes !== 32)
    return {
      code: 'wallet_wrong_length',
      sentence: 'this address is too short or too long for Solana; copy it again from your wallet',
    };
  if (address === TOKEN_ACCOUNT_EXAMPLE)
    return {
      code: 'wallet_off_curve',
      sentence: "this is a program's or token account's address; give the address of your wallet itself",
    };
  return null;
}

/** How long a transaction may take that proves a wallet. */
const REQUEST_VALID_MS = 30 * 60_000;

/** A request for a transaction that proves a wallet. The picture is always the same. */
export function walletRequest(wallet: string, now: number) {
  const reference = '7mJXLHkSkKrKniF4uydNpwhJEAiS3VBWCJaBCuwuHh3g';
  const url = `solana:${wallet}?amount=0.000001&reference=${reference}&label=Lull`;
  return { wallet, url, picture, expires_at: now + REQUEST_VALID_MS };
}

/** How long a change waits, as in real networks. */
const CHANGE_WAITS_MS = 2 * 86_400_000;

/** Where the simulated network pays, by the real one's rules. */
export class SimulatedWallets {
  wanted: string | null = null;
  standing: WalletStanding = { wallet: null, proven: false, next: null };
  private wasSet = false;

  set(wallet: string | null, now: number, proven = false): void {
    this.wanted = wallet;
    const { standing } = this;
    if (standing.wallet === wallet) this.standing = { wallet, proven: standing.proven || proven, next: null };
    else if (!this.wasSet) this.standing = { wallet, proven, next: null };
    else this.standing = { ...standing, next: { wallet, proven, from: now + CHANGE_WAITS_MS } };
    this.wasSet = true;
  }

  /** The holder of the wanted wallet signs; without one, of some wallet. */
  prove(now: number): void {
    this.set(this.wanted ?? '7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU', now, true);
  }

  /** Its part of a snapshot. */
  view(enrolled: boolean): Pick<Snapshot, 'wallet' | 'wallet_standing' | 'wallet_proof'> {
    return { wallet: this.wanted, wallet_standing: enrolled ? this.standing : null, wallet_proof: null };
  }

  pass(now: number): void {
    const { next } = this.standing;
    if (next && now >= next.from) this.standing = { wallet: next.wallet, proven: next.proven, next: null };
  }
}
