import { ChevronLeft, ChevronRight, FileSpreadsheet } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { ask } from '../../backend/ask';
import { Button } from '../../components/button';
import { ExportedNote } from '../../components/exported-note';
import { FaultNote } from '../../components/notes';
import { Segmented } from '../../components/segmented';
import { useBackend, useSnapshot } from '../../worker/context';
import { useDeed } from '../../worker/use-answer';
import { periodBefore, periodName, type Span } from './periods';

/** Statements of a month or a year, as CSV. */
export function Statements() {
  const { t, i18n } = useTranslation();
  const backend = useBackend();
  const { taken_at: now } = useSnapshot();
  const [span, setSpan] = useState<Span>('month');
  const [back, setBack] = useState(0);
  const [path, setPath] = useState<string | null>(null);
  const deed = useDeed();
  const period = periodBefore(span, now, back);
  const turn = (by: number) => {
    setBack(back + by);
    setPath(null);
  };
  const write = () =>
    void deed.run(async () => {
      setPath(null);
      const utcOffset = -new Date(period.from).getTimezoneOffset();
      const command = { command: 'export_statement', ...period, utc_offset_minutes: utcOffset } as const;
      setPath((await ask(backend, command, 'exported')).path);
    });
  const arrow = 'grid size-9 place-items-center rounded-full text-muted hover:bg-raised hover:text-ink disabled:opacity-40';
  return (
    <section aria-label={t('payouts.statement.title')} data-testid="statements" className="card grid min-w-0 content-start gap-5 p-6">
      <header>
        <h2 className="text-lg font-semibold">{t('payouts.statement.title')}</h2>
        <p className="text-sm text-muted">{t('payouts.statement.text')}</p>
      </header>
      <div className="flex flex-wrap items-center justify-between gap-3">
        <Segmented
          label={t('payouts.statement.span')}
          value={span}
          options={(['month', 'year'] as const).map((value) => ({ value, label: t(`payouts.statement.${value}`) }))}
          onChange={(next) => {
            setSpan(next);
            setBack(0);
            setPath(null);
          }}
        />
        <div className="flex items-center gap-1">
          <button type="button" className={arrow} aria-label={t('payouts.statement.earlier')} onClick={() => turn(1)}>
            <ChevronLeft aria-hidden className="size-4" />
          </button>
          <p aria-live="polite" data-testid="statement-period" className="min-w-28 text-center text-sm font-medium">
            {periodName(span, period, i18n.language)}
          </p>
          <button
            type="button"
            className={arrow}
            aria-label={t('payouts.statement.later')}
            disabled={back === 0}
            onClick={() => turn(-1)}
          >
            <ChevronRight aria-hidden className="size-4" />
          </button>
        </div>
      </div>
      <Button className="w-fit" disabled={deed.busy} onClick={write} data-testid="statement-export">
        <FileSpreadsheet aria-hidden className="size-4" />
        {t('payouts.statement.export')}
      </Button>
      {deed.fault && <FaultNote fault={deed.fault} />}
      {path && <ExportedNote path={path} />}
    </section>
  );
}
