import type { ChainPlace } from '../../bindings/ChainPlace';
import type { CheckedFact } from '../../bindings/CheckedFact';
import type { Payout } from '../../bindings/Payout';
import type { PayoutCheck } from '../../bindings/PayoutCheck';
import type { Subject } from '../../bindings/Subject';

/** Where the simulated chain departs from the truth: what it says instead; `null` where it says nothing. */
export type Told = Partial<Record<Subject, string | null>>;

interface Question {
  payout: Payout | null;
  place: ChainPlace;
  wallet: string;
  lifetime: number;
  epoch: number;
  endpoint: string;
  endpointIsNetworks: boolean;
  at: number;
  told: Told;
}

const usdc = (units: number) => `${(units / 1_000_000).toFixed(6)} USDC`;

/** What a worker would find on the simulated chain. */
export function simulatedCheck(question: Question): PayoutCheck {
  const { payout, place, told } = question;
  const root = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';
  const ofPayout: [Subject, string][] = payout
    ? [
        ['transaction', 'final, without an error'],
        ['program', place.program],
        ['mint', place.mint],
        ['amount', usdc(payout.amount)],
        ['destination', `token account of ${question.wallet}`],
      ]
    : [['program', place.program]];
  const expected: [Subject, string][] = [
    ...ofPayout,
    ['path', `${root.slice(0, 16)}…`],
    ['root', `epoch ${question.epoch}: ${root.slice(0, 16)}…`],
    ['receipts', `${usdc(question.lifetime)} or more`],
  ];
  const facts = expected.map(([subject, should]): CheckedFact => {
    const says = told[subject];
    if (says === null) return { subject, finding: 'unknown', expected: should, found: '' };
    if (says !== undefined) return { subject, finding: 'wrong', expected: should, found: says };
    return { subject, finding: 'holds', expected: should, found: should };
  });
  const wrong = facts.find((fact) => fact.finding === 'wrong');
  return {
    payout: payout?.id ?? null,
    endpoint: question.endpoint,
    endpoint_is_networks: question.endpointIsNetworks,
    at: question.at,
    facts,
    fault: wrong
      ? {
          code: `payout_other_${wrong.subject}`,
          sentence: `The ${wrong.subject} should be ${wrong.expected}, and the chain says ${wrong.found}.`,
        }
      : null,
  };
}
