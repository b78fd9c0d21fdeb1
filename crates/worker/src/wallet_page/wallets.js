// Finds the wallets of this browser by the Wallet Standard, and shows them to be chosen from.

export const CONNECT = 'standard:connect';
/** How long wallets may take to say that they are here. */
const WALLETS_APPEAR_MS = 1500;

/** A wallet says in a sentence why it did not sign; what is longer is no sentence. */
const WORDS_MAX = 200;

const heading = document.querySelector('h1');
const intro = document.querySelector('h1 + p');
const list = document.querySelector('#wallets');
const none = document.querySelector('#none');
const news = document.querySelector('#news');
const trouble = document.querySelector('#trouble');
const known = new Set();

/** What this page has to say itself. Whatever else goes wrong are the words of a wallet. */
class Trouble extends Error {}

function wordsOf(wallet, error) {
  const words = typeof error?.message === 'string' ? error.message.trim() : '';
  if (!words) return `${wallet.name} did not sign.`;
  return `${wallet.name} did not sign. It says: “${words.slice(0, WORDS_MAX)}”`;
}

export function tell(sentence) {
  news.textContent = sentence;
  trouble.hidden = true;
}

function complain(sentence) {
  // Faults are written to go into a sentence.
  const whole = sentence.charAt(0).toUpperCase() + sentence.slice(1);
  trouble.textContent = /[.!?]”?$/.test(whole) ? whole : `${whole}.`;
  trouble.hidden = false;
  news.textContent = '';
}

/** Nothing more is to be chosen. */
export function done(sentence) {
  heading.textContent = 'Done';
  intro.hidden = true;
  list.hidden = true;
  tell(sentence);
}

export async function ask(what, body) {
  const answer = await fetch(what, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  }).catch(() => {
    throw new Trouble('Lull does not answer. It may have been closed, or this page is too old: open it anew from Lull.');
  });
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Trouble(value.sentence ?? 'This page is no longer valid. Open it anew from Lull.');
  return value;
}

/** The account of a wallet that its holder lets this page use. */
export async function account(wallet) {
  tell(`Waiting for ${wallet.name} …`);
  const { accounts } = await wallet.features[CONNECT].connect();
  const found = accounts.find((one) => one.chains.some((chain) => chain.startsWith('solana:')));
  if (!found) throw new Trouble(`${wallet.name} has no Solana account that it lets this page use.`);
  return found;
}

/** Shows each wallet that can do one of these things; the chosen one is given to `act`. */
export function choose(features, act) {
  const add = (wallet) => {
    const fits = CONNECT in wallet.features && features.some((feature) => feature in wallet.features);
    if (!fits || known.has(wallet)) return;
    known.add(wallet);
    none.hidden = true;
    const button = document.createElement('button');
    if (typeof wallet.icon === 'string' && wallet.icon.startsWith('data:image/')) {
      const icon = document.createElement('img');
      icon.src = wallet.icon;
      icon.alt = '';
      button.append(icon);
    }
    button.append(wallet.name);
    button.addEventListener('click', async () => {
      const buttons = list.querySelectorAll('button');
      for (const one of buttons) one.disabled = true;
      try {
        await act(wallet);
      } catch (error) {
        complain(error instanceof Trouble ? error.message : wordsOf(wallet, error));
      } finally {
        for (const one of buttons) one.disabled = false;
        // It was lost with the button, and whoever uses the keyboard tries again from there.
        if (document.activeElement === document.body) button.focus();
      }
    });
    const item = document.createElement('li');
    item.append(button);
    list.append(item);
  };
  const register = (...wallets) => {
    for (const wallet of wallets) add(wallet);
    return () => {};
  };
  const registry = Object.freeze({ register });
  window.addEventListener('wallet-standard:register-wallet', ({ detail }) => detail(registry));
  window.dispatchEvent(new CustomEvent('wallet-standard:app-ready', { detail: registry }));
  setTimeout(() => {
    none.hidden = known.size > 0;
  }, WALLETS_APPEAR_MS);
}
