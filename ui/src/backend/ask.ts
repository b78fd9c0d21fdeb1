import type { Command } from '../bindings/Command';
import type { Reply } from '../bindings/Reply';
import type { TransactionSignature } from '../bindings/TransactionSignature';
import type { Backend } from './backend';
import { FaultError, isFault } from './fault';

type ReplyName = Exclude<Reply['reply'], 'refused'>;
type ReplyValue<N extends ReplyName> =
  Extract<Reply, { reply: N }> extends { value: infer V } ? V : undefined;

/**
 * Sends a command and unwraps the reply that it must have.
 *
 * Throws a `FaultError` when the worker refuses or cannot be reached, and when it answers with another reply
 * than the protocol says.
 */
export async function ask<N extends ReplyName>(
  backend: Backend,
  command: Command,
  expected: N,
): Promise<ReplyValue<N>> {
  const reply = await answerTo(backend, command);
  if (reply.reply !== expected) throw unexpected(reply, command);
  return ('value' in reply ? reply.value : undefined) as ReplyValue<N>;
}

/** What became of a claim: it was sent, or its holder signs it on a page. */
export type Claim = { signature: TransactionSignature } | { url: string };

/** Claims what the newest epoch lists. Throws as `ask` does. */
export async function askToClaim(backend: Backend): Promise<Claim> {
  const command: Command = { command: 'claim_payout' };
  const reply = await answerTo(backend, command);
  if (reply.reply === 'claimed' || reply.reply === 'wallet_page') return reply.value;
  throw unexpected(reply, command);
}

async function answerTo(backend: Backend, command: Command): Promise<Exclude<Reply, { reply: 'refused' }>> {
  let reply: Reply;
  try {
    reply = await backend.command(command);
  } catch (caught) {
    if (isFault(caught)) throw new FaultError(caught);
    throw new FaultError({ code: 'shell_failed', sentence: String(caught) });
  }
  if (reply.reply === 'refused') throw new FaultError(reply.value);
  return reply;
}

function unexpected(reply: Reply, command: Command): FaultError {
  return new FaultError({
    code: 'unexpected_reply',
    sentence: `The worker answered "${reply.reply}" to "${command.command}"; the app and the worker may be of different versions. Restart the app.`,
  });
}
