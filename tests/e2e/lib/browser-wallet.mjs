// Wallets of a browser, scripted: they make themselves known by the Wallet Standard, as extensions do, and sign with real
// keys, which never enter the page.
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';

const CONNECT = 'standard:connect';
export const SIGN_MESSAGE = 'solana:signMessage';
export const SIGN_TRANSACTION = 'solana:signTransaction';
export const SIGN_AND_SEND_TRANSACTION = 'solana:signAndSendTransaction';

/** What stands before the 32 bytes of an Ed25519 key in PKCS #8. */
const PKCS8_HEAD = '302e020100300506032b657004220420';

/** Bytes of a signature. */
const SIGNATURE_BYTES = 64;

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

function base58(bytes) {
  let number = BigInt(`0x${bytes.toString('hex')}`);
  let text = '';
  for (; number > 0n; number /= 58n) text = ALPHABET[Number(number % 58n)] + text;
  const zeros = bytes.findIndex((byte) => byte !== 0);
  return ALPHABET[0].repeat(zeros) + text;
}

/** A key pair of 32 bytes in hexadecimal. */
export class WalletKey {
  constructor(seed) {
    this.secret = createPrivateKey({ key: Buffer.from(PKCS8_HEAD + seed, 'hex'), format: 'der', type: 'pkcs8' });
    const { x } = createPublicKey(this.secret).export({ format: 'jwk' });
    this.public = Buffer.from(x, 'base64url');
    this.address = base58(this.public);
  }

  sign(message) {
    return sign(null, message, this.secret);
  }

  /** Signs a transaction of which this key is the only signer: one signature, and the message from there on. */
  signTransaction(transaction) {
    const message = transaction.subarray(1 + SIGNATURE_BYTES);
    // A message with a version begins with it; then come the numbers of signers and of accounts, and the payer.
    const unversioned = message[0] & 0x80 ? message.subarray(1) : message;
    const payer = unversioned.subarray(4, 4 + this.public.length);
    if (transaction[0] !== 1 || unversioned[0] !== 1) throw new Error('This transaction wants other signatures too.');
    if (!payer.equals(this.public)) throw new Error('Another wallet pays for this transaction.');
    return Buffer.concat([transaction.subarray(0, 1), this.sign(message), message]);
  }
}

/** What a wallet says when its holder presses “Reject”. */
export function reject() {
  throw new Error('User rejected the request.');
}

/** A wallet by its name, whose account has the address of `key`. `can` has a function for each of its features; each takes
 * and gives bytes. */
export function wallet(name, key, can) {
  return { name, key, can };
}

/** A round icon, as wallets bring one along. */
function icon(colour) {
  const drawing = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="4" fill="${colour}"/></svg>`;
  return `data:image/svg+xml;base64,${Buffer.from(drawing).toString('base64')}`;
}
const COLOURS = ['rebeccapurple', 'darkorange', 'teal', 'crimson'];

/** Runs in the page: has wallets make themselves known as extensions do, whether the page listens already or not yet. */
function announce(wallets) {
  const toBytes = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const toText = (bytes) => btoa(String.fromCharCode(...bytes));
  for (const { name, icon, address, publicKey, features, connect } of wallets) {
    const chains = Object.freeze(['solana:mainnet', 'solana:devnet']);
    const account = Object.freeze({ address, publicKey: toBytes(publicKey), chains, features: Object.freeze(features) });
    const ask = async (feature, bytes) => toBytes(await window.askScriptedWallet(name, feature, toText(bytes)));
    const { signMessage, signTransaction, signAndSendTransaction } = {
      signMessage: async (...inputs) => {
        const sign = async ({ message }) => ({
          signedMessage: message,
          signature: await ask('solana:signMessage', message),
        });
        return Promise.all(inputs.map(sign));
      },
      signTransaction: async (...inputs) => {
        const sign = async ({ transaction }) => ({
          signedTransaction: await ask('solana:signTransaction', transaction),
        });
        return Promise.all(inputs.map(sign));
      },
      signAndSendTransaction: async (...inputs) => {
        const send = async ({ transaction, chain }) => {
          if (typeof chain !== 'string') throw new Error('This wallet was not told of which chain the transaction is.');
          return { signature: await ask('solana:signAndSendTransaction', transaction) };
        };
        return Promise.all(inputs.map(send));
      },
    };
    const all = {
      [connect]: { version: '1.0.0', connect: async () => ({ accounts: [account] }) },
      'solana:signMessage': { version: '1.1.0', signMessage },
      'solana:signTransaction': { version: '1.0.0', supportedTransactionVersions: ['legacy', 0], signTransaction },
      'solana:signAndSendTransaction': {
        version: '1.0.0',
        supportedTransactionVersions: ['legacy', 0],
        signAndSendTransaction,
      },
    };
    const has = Object.fromEntries([connect, ...features].map((feature) => [feature, Object.freeze(all[feature])]));
    const wallet = Object.freeze({ version: '1.0.0', name, icon, chains, features: Object.freeze(has), accounts: [] });
    const register = ({ register: add }) => add(wallet);
    window.dispatchEvent(new CustomEvent('wallet-standard:register-wallet', { detail: register }));
    window.addEventListener('wallet-standard:app-ready', ({ detail }) => register(detail));
  }
}

/** Gives a page of Playwright these wallets: from its beginning, or as if they came late. */
export async function give(page, wallets) {
  await page.exposeFunction('askScriptedWallet', async (name, feature, text) => {
    const asked = wallets.find((one) => one.name === name);
    return Buffer.from(await asked.can[feature](Buffer.from(text, 'base64'))).toString('base64');
  });
  const described = wallets.map(({ name, key, can }, index) => ({
    name,
    icon: icon(COLOURS[index % COLOURS.length]),
    address: key.address,
    publicKey: key.public.toString('base64'),
    features: Object.keys(can),
    connect: CONNECT,
  }));
  return {
    early: () => page.addInitScript(announce, described),
    late: () => page.evaluate(announce, described),
  };
}
