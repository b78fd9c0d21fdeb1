// Has a wallet of this browser sign the claim that this worker composed.

import { account, ask, choose, done, tell } from './wallets.js';

// With the first the worker sends, and goes on sending until it is final; with the second the wallet does.
const SIGN = 'solana:signTransaction';
const SEND = 'solana:signAndSendTransaction';

const fromBase64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));

async function claim(wallet) {
  const of = await account(wallet);
  tell('Composing the claim …');
  const { transaction, chain, amount } = await ask('claim', { address: of.address });
  tell(`${wallet.name} asks you to sign for ${amount} to\n${of.address}`);
  const asked = { account: of, transaction: fromBase64(transaction) };
  // A wallet that does not know the ledger can sign for it all the same.
  if (of.chains.includes(chain)) asked.chain = chain;
  if (SIGN in wallet.features) {
    const [signed] = await wallet.features[SIGN].signTransaction(asked);
    await ask('send', { address: of.address, transaction: toBase64(signed.signedTransaction) });
  } else {
    const [sent] = await wallet.features[SEND].signAndSendTransaction({ ...asked, chain });
    await ask('sent', { address: of.address, signature: toBase64(sent.signature) });
  }
  done(`Sent: ${amount} go to\n${of.address}\nThey are final within a minute. You can close this page.`);
}

choose([SIGN, SEND], claim);
