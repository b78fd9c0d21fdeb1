import clsx from 'clsx';
import { CircleCheck, CircleHelp, CircleX, FileWarning, X } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { CheckedFact } from '../../bindings/CheckedFact';
import type { PayoutCheck } from '../../bindings/PayoutCheck';
import { ask } from '../../backend/ask';
import { Button } from '../../components/button';
import { ExportedNote } from '../../components/exported-note';
import { FaultNote } from '../../components/notes';
import { formatInstant } from '../../format/time';
import { useFaultSentence } from '../../i18n/use-fault';
import { MoonPort } from '../../sky/moon-port';
import { useBackend } from '../../worker/context';
import { useDeed } from '../../worker/use-answer';

type Verdict = 'ok' | 'open' | 'wrong';

const looks = {
  ok: { lit: 1, mood: 'clear', frame: 'border-aurora/50 bg-surface' },
  open: { lit: 0.5, mood: 'clear', frame: 'border-tide/50 bg-surface' },
  wrong: { lit: 0.35, mood: 'trouble', frame: 'border-ember/60 bg-ember-ground' },
} as const;

/** A fact that was not told is not a fact that holds. */
export function verdictOf({ fault, facts }: PayoutCheck): Verdict {
  if (fault || facts.some((fact) => fact.finding === 'wrong')) return 'wrong';
  return facts.every((fact) => fact.finding === 'holds') ? 'ok' : 'open';
}

/** What the worker found when it looked for itself, fact by fact, and on whose word. */
export function CheckVerdict({ check, onClose }: { check: PayoutCheck; onClose: () => void }) {
  const { t, i18n } = useTranslation();
  const sentence = useFaultSentence();
  const verdict = verdictOf(check);
  const { lit, mood, frame } = looks[verdict];
  const holding = check.facts.filter((fact) => fact.finding === 'holds').length;
  return (
    <div
      role={verdict === 'wrong' ? 'alert' : 'status'}
      data-testid="payout-verdict"
      data-verdict={verdict}
      className={clsx('grid animate-arrive gap-4 rounded-2xl border p-5', frame)}
    >
      <div className="flex items-start gap-4">
        <MoonPort lit={lit} mood={mood} className="size-13" />
        <div className="min-w-0 flex-1">
          <h3 className={clsx('text-lg font-semibold', verdict === 'wrong' && 'text-ember')}>
            {check.payout === null ? t(`payouts.verdict.epoch_${verdict}`) : t(`payouts.verdict.payout_${verdict}`)}
          </h3>
          {verdict === 'wrong' && check.fault && <p>{sentence(check.fault)}</p>}
          <p className="text-sm text-muted">
            {t('payouts.verdict.count', { holding, count: check.facts.length })}{' '}
            {verdict !== 'ok' && t(`payouts.verdict.${verdict}_todo`)}
          </p>
        </div>
        <button
          type="button"
          onClick={onClose}
          aria-label={t('payouts.verdict.close')}
          className="-m-1 rounded-full p-1 text-muted hover:text-ink"
        >
          <X aria-hidden className="size-4" />
        </button>
      </div>
      <ul className="grid gap-2.5">
        {check.facts.map((fact) => (
          <Fact key={fact.subject} fact={fact} />
        ))}
      </ul>
      <p className="text-sm text-muted">
        {t(check.endpoint_is_networks ? 'payouts.asked_networks' : 'payouts.asked_own', { host: check.endpoint })}{' '}
        {formatInstant(check.at, i18n.language)}
        {check.endpoint_is_networks && <span className="block">{t('payouts.asked_networks_why')}</span>}
      </p>
      <Evidence payout={check.payout} wrong={verdict === 'wrong'} />
    </div>
  );
}

const marks = {
  holds: { Mark: CircleCheck, tone: 'text-aurora' },
  wrong: { Mark: CircleX, tone: 'text-ember' },
  unknown: { Mark: CircleHelp, tone: 'text-tide' },
} as const;

function Fact({ fact }: { fact: CheckedFact }) {
  const { t } = useTranslation();
  const { Mark, tone } = marks[fact.finding];
  const told = 'font-mono text-xs break-all';
  const same = fact.finding === 'holds' && (fact.found === '' || fact.found === fact.expected);
  return (
    <li data-testid="checked-fact" data-finding={fact.finding} className="flex items-start gap-3 text-sm">
      <Mark aria-hidden className={`mt-0.5 size-4 shrink-0 ${tone}`} />
      <div className="min-w-0">
        <p className="font-medium">
          {t(`payouts.subject.${fact.subject}`)} <span className={`font-normal ${tone}`}>{t(`payouts.finding.${fact.finding}`)}</span>
        </p>
        {same ? (
          <p className={`${told} text-muted`}>{fact.expected}</p>
        ) : (
          <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-3">
            <dt className="text-muted">{t('payouts.expected')}</dt>
            <dd className={`${told} self-center`}>{fact.expected}</dd>
            <dt className="text-muted">{t('payouts.found')}</dt>
            <dd className={`${told} self-center ${fact.finding === 'wrong' ? 'text-ember' : 'text-muted'}`}>
              {fact.found || t('payouts.found_nothing')}
            </dd>
          </dl>
        )}
      </div>
    </li>
  );
}

/** Writes what was found, with all that it rests on, to a file that others can check. */
function Evidence({ payout, wrong }: { payout: number | null; wrong: boolean }) {
  const { t } = useTranslation();
  const backend = useBackend();
  const deed = useDeed();
  const [path, setPath] = useState<string | null>(null);
  const write = () =>
    void deed.run(async () => setPath((await ask(backend, { command: 'export_evidence', payout }, 'exported')).path));
  return (
    <>
      <Button
        look={wrong ? 'danger' : 'plain'}
        size="small"
        className="w-fit"
        disabled={deed.busy}
        onClick={write}
        data-testid="payout-evidence"
      >
        <FileWarning aria-hidden className="size-4" />
        {wrong ? t('payouts.evidence') : t('payouts.evidence_same')}
      </Button>
      {deed.fault && <FaultNote fault={deed.fault} />}
      {path && <ExportedNote path={path} />}
    </>
  );
}
