import { Square } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import type { BenchmarkView } from '../bindings/BenchmarkView';
import { ask } from '../backend/ask';
import { Button } from '../components/button';
import { FaultNote } from '../components/notes';
import { formatPercent, writeMeasure } from '../format/measure';
import { useBackend } from '../worker/context';
import { useDeed } from '../worker/use-answer';

/** How far a benchmark is, what is being measured, and how to stop it. */
export function BenchmarkProgress({ view }: { view: BenchmarkView }) {
  const { t, i18n } = useTranslation();
  const backend = useBackend();
  const stopping = useDeed();
  const { measure, fraction, value_so_far: value } = view;
  return (
    <div className="grid gap-3">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-3">
        <div className="grid min-w-40 flex-1 gap-2">
          <p className="flex flex-wrap items-baseline justify-between gap-x-4 text-sm">
            <span>{measure === null ? t('benchmark.preparing') : t(`measure.${measure}`)}</span>
            <span className="figures text-muted">
              {measure !== null && value !== null && `${writeMeasure(measure, value, i18n.language)} · `}
              {formatPercent(fraction, i18n.language)}
            </span>
          </p>
          <div
            role="progressbar"
            aria-label={t('wizard.benchmark.overall')}
            aria-valuenow={Math.round(fraction * 100)}
            className="h-1.5 overflow-hidden rounded-full bg-sunken"
          >
            <div className="h-full rounded-full bg-moon transition-[width]" style={{ width: `${fraction * 100}%` }} />
          </div>
        </div>
        <Button
          size="small"
          disabled={stopping.busy}
          onClick={() => void stopping.run(() => ask(backend, { command: 'cancel_benchmark' }, 'done'))}
          data-testid="benchmark-stop"
        >
          <Square aria-hidden className="size-3.5" />
          {t('wizard.benchmark.stop')}
        </Button>
      </div>
      {stopping.fault && <FaultNote fault={stopping.fault} />}
    </div>
  );
}
