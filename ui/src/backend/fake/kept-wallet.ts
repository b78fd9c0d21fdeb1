import type { Fault } from '../../bindings/Fault';
import type { KeptWallet } from '../../bindings/KeptWallet';

/** The phrase and address of the simulation: the phrase is a published test vector of BIP39, worth nothing to anyone. */
export const SIMULATED_WORDS = 'legal winner thank year wave sausage worth useful legal winner thank yellow'.split(' ');
export const SIMULATED_ADDRESS = '5oNDL3swdJJF1g9DzJiZ4ynHXgszjAEpUkxVYejchzrY';

const normal = (words: string) => words.trim().toLowerCase().split(/\s+/);

/** The simulated keychain, by the real worker's rules. */
export class SimulatedKeptWallet {
  kept: KeptWallet | null = null;

  make(): Fault | null {
    if (this.kept?.confirmed)
      return { code: 'wallet_kept_already', sentence: 'A wallet is kept here already; its words were confirmed.' };
    this.kept = { address: SIMULATED_ADDRESS, confirmed: false };
    return null;
  }

  confirm(words: string): Fault | null {
    if (!this.kept) return { code: 'wallet_none_kept', sentence: 'No wallet was made here.' };
    if (normal(words).join(' ') !== SIMULATED_WORDS.join(' '))
      return {
        code: 'wallet_words_checksum',
        sentence: 'These words do not belong together: one of them is another one, or their order is; compare each of them.',
      };
    this.kept = { ...this.kept, confirmed: true };
    return null;
  }

  restore(words: string): Fault | null {
    const given = normal(words);
    if (given.length !== 12 && given.length !== 24)
      return { code: 'wallet_words_count', sentence: `A wallet has 12 or 24 words; these are ${given.length}.` };
    if (given.join(' ') !== SIMULATED_WORDS.join(' '))
      return { code: 'wallet_words_checksum', sentence: 'These words belong to no wallet; one of them is misspelt or in the wrong place.' };
    this.kept = { address: SIMULATED_ADDRESS, confirmed: true };
    return null;
  }

  forget(words: string | null): Fault | null {
    if (!this.kept) return { code: 'wallet_none_kept', sentence: 'No wallet is kept here.' };
    if (words !== null && normal(words).join(' ') !== SIMULATED_WORDS.join(' '))
      return { code: 'wallet_words_differ', sentence: 'These words are of another wallet than the one that is kept.' };
    this.kept = null;
    return null;
  }
}
