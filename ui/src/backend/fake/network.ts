import type { Fault } from '../../bindings/Fault';
import type { NetworkView } from '../../bindings/NetworkView';

/** Why the worker would refuse a ticket; `null` when it would take it. */
export function ticketFault(ticket: string | null): Fault | null {
  if (ticket === null || /^lull1[a-z2-7]{20,}$/.test(ticket)) return null;
  return { code: 'ticket_malformed', sentence: 'This is not a ticket of a network; copy the whole of it again.' };
}

/** A network that has not answered yet; without a ticket the practice network. */
export function networkBeingJoined(id: string, ticket: string | null): NetworkView {
  return { id, name: null, practice: ticket === null, connected: false, enrolled: false };
}

/** The network of somebody who joined it weeks ago. */
export function veteransNetwork(id: string, practice: boolean): NetworkView {
  return { id, name: practice ? 'Practice network' : 'Moonlight network', practice, connected: true, enrolled: true };
}
