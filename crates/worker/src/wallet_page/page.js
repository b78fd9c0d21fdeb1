// Finds the wallets of this browser by the Wallet Standard, and has one of them sign what the network drew.

const SIGN = 'solana:signMessage';
const CONNECT = 'standard:connect';
/** How long wallets may take to say that they are here. */
const WALLETS_APPEAR_MS = 1500;

const list = document.querySelector('#wallets');
const none = document.querySelector('#none');
const news = document.querySelector('#news');
const trouble = document.querySelector('#trouble');
const known = new Set();

function tell(sentence) {
  news.textContent = sentence;
  trouble.hidden = true;
}

function complain(sentence) {
  // Faults are written to go into a sentence.
  const whole = sentence.charAt(0).toUpperCase() + sentence.slice(1);
  trouble.textContent = /[.!?]$/.test(whole) ? whole : `${whole}.`;
  trouble.hidden = false;
  news.textContent = '';
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

async function ask(what, body) {
  const answer = await fetch(what, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  }).catch(() => {
    throw new Error('Lull does not answer. It may have been closed, or this page is too old: open it anew from Lull.');
  });
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(value.sentence ?? 'This page is no longer valid. Open it anew from Lull.');
  return value;
}

async function prove(wallet) {
  tell(`Waiting for ${wallet.name} …`);
  const { accounts } = await wallet.features[CONNECT].connect();
  const account = accounts.find((one) => one.chains.some((chain) => chain.startsWith('solana:')));
  if (!account) throw new Error(`${wallet.name} has no Solana account that it lets this page use.`);
  const { nonce, text } = await ask('state', { address: account.address });
  tell(`${wallet.name} asks you to sign for\n${account.address}`);
  const message = new TextEncoder().encode(text);
  const [signed] = await wallet.features[SIGN].signMessage({ account, message });
  tell('The network looks at the signature …');
  const { from } = await ask('prove', { nonce, signature: hex(signed.signature) });
  list.hidden = true;
  tell(
    from === null
      ? `Done: your earnings go to\n${account.address}\nYou can close this page.`
      : `Done: from ${new Date(from).toLocaleString()} on your earnings go to\n${account.address}\n` +
          'Until then they go where they went before, so that nobody can take them unnoticed. You can close this page.',
  );
}

function add(wallet) {
  const fits = SIGN in wallet.features && CONNECT in wallet.features;
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
      await prove(wallet);
    } catch (error) {
      complain(error instanceof Error && error.message ? error.message : 'The wallet did not sign.');
    } finally {
      for (const one of buttons) one.disabled = false;
    }
  });
  const item = document.createElement('li');
  item.append(button);
  list.append(item);
}

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
