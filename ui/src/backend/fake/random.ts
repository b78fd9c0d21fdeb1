/** A small seeded generator (mulberry32), so that a simulation can be repeated exactly. */
export type Random = () => number;

export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** So many hexadecimal digits. */
export function hexDigits(random: Random, count: number): string {
  return Array.from({ length: count }, () => Math.floor(random() * 16).toString(16)).join('');
}

/** An id in the form of a UUID of version 7. */
export function uuid(random: Random, at: number): string {
  const time = at.toString(16).padStart(12, '0');
  const tail = hexDigits(random, 12);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hexDigits(random, 3)}-a${hexDigits(random, 3)}-${tail}`;
}

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** So many characters as Solana writes signatures and addresses; 88 of them begin low, or they would not be 64 bytes. */
export function base58(random: Random, count: number): string {
  const digit = (below: number) => BASE58[Math.floor(random() * below)] ?? '1';
  return `${digit(4)}${Array.from({ length: count - 1 }, () => digit(BASE58.length)).join('')}`;
}
