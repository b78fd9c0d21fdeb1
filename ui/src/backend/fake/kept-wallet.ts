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
      return { code: 'wallet_already_kept', sentence: 'A wallet is kept here already; its words were confirmed.' };
    this.kept = { address: SIMULATED_ADDRESS, confirmed: false };
    return null;
  }

  confirm(words: string): Fault | null {
    if (!this.kept) return { code: 'wallet_none_kept', sentence: 'No wallet was made here.' };
    const wrong = SIMULATED_WORDS.findIndex((word, n) => normal(words)[n] !== word);
    if (wrong >= 0)
      return {
        code: 'wallet_words_differ',
        sentence: `Word ${wrong + 1} is not the one that was shown; look at what you wrote down.`,
      };
    this.kept = { ...this.kept, confirmed: true };
    return null;
  }

  restore(words: string): Fault | null {
    const given = normal(words);
    if (given.length !== 12 && given.length !== 24)
      return { code: 'wallet_words_number', sentence: `A wallet has 12 or 24 words; these are ${given.length}.` };
    if (given.join(' ') !== SIMULATED_WORDS.join(' '))
      return { code: 'wallet_words_wrong', sentence: 'These words belong to no wallet; one of them is misspelt or in the wrong place.' };
    this.kept = { address: SIMULATED_ADDRESS, confirmed: true };
    return null;
  }
}
