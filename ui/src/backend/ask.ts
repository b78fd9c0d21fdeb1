import type { Command } from '../bindings/Command';
import type { Reply } from '../bindings/Reply';
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
  let reply: Reply;
  try {
    reply = await backend.command(command);
  } catch (caught) {
    if (isFault(caught)) throw new FaultError(caught);
    throw new FaultError({ code: 'shell_failed', sentence: String(caught) });
  }
  if (reply.reply === 'refused') throw new FaultError(reply.value);
  if (reply.reply !== expected) {
    throw new FaultError({
      code: 'unexpected_reply',
      sentence: `The worker answered "${reply.reply}" to "${command.command}"; the app and the worker may be of different versions. Restart the app.`,
    });
  }
  return ('value' in reply ? reply.value : undefined) as ReplyValue<N>;
}
