// Has a wallet of this browser sign what the network drew.

import { account, ask, choose, done, tell } from './wallets.js';

const SIGN = 'solana:signMessage';

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

async function prove(wallet) {
  const of = await account(wallet);
  const { nonce, text } = await ask('state', { address: of.address });
  tell(`${wallet.name} asks you to sign for\n${of.address}`);
  const message = new TextEncoder().encode(text);
  const [signed] = await wallet.features[SIGN].signMessage({ account: of, message });
  tell('The network looks at the signature …');
  const { from } = await ask('prove', { nonce, signature: hex(signed.signature) });
  done(
    from === null
      ? `Your earnings go to\n${of.address}\nYou can close this page.`
      : `From ${new Date(from).toLocaleString()} on your earnings go to\n${of.address}\n` +
          'Until then they go where they went before, so that nobody can take them unnoticed. You can close this page.',
  );
}

choose([SIGN], prove);
