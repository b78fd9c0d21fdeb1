import type { Fault } from '../../bindings/Fault';

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
