import { Gauge } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import { BenchmarkBars } from '../benchmark/benchmark-bars';
import { BenchmarkProgress } from '../benchmark/benchmark-progress';
import { OtherMeasures } from '../benchmark/other-measures';
import { runBenchmarks } from '../benchmark/run-benchmarks';
import { ScoreCards } from '../benchmark/score-cards';
import { Button } from '../components/button';
import { FaultNote, GoodNote } from '../components/notes';
import { useBackend, useSnapshot, useSnapshotStore } from '../worker/context';
import { useDeed } from '../worker/use-answer';
import { StepFrame, type StepProps } from './step-frame';

/** Measures the devices that are lent, live. */
export function BenchmarkStep({ onNext, onBack }: StepProps) {
  const { t } = useTranslation();
  const backend = useBackend();
  const store = useSnapshotStore();
  const { devices, state, steps } = useSnapshot();
  const measuring = useDeed();
  const lent = devices.filter((device) => device.lent);
  const running = state.name === 'benchmarking' ? state : null;
  const begin = () => void measuring.run(() => runBenchmarks(backend, store, lent.map((device) => device.info.index)));
  const fault = measuring.fault ?? (state.name === 'faulted' ? state.fault : null);
  const samples = lent[0]?.benchmark?.measurements[0]?.samples.length ?? 0;
  return (
    <StepFrame
      step="benchmark"
      title={t('wizard.benchmark.title')}
      text={t('wizard.benchmark.text')}
      onBack={onBack}
      next={{ onPress: onNext, disabled: !steps.benchmarked || running !== null }}
    >
      <div className="grid gap-4">
        {lent.map((device) => (
          <section key={device.info.index} aria-label={device.info.name} className="card grid gap-5 p-6">
            <h2 className="flex items-center gap-2.5 text-base font-medium">
              <Gauge aria-hidden className="size-5 text-moon" strokeWidth={1.75} />
              {device.info.name}
            </h2>
            <BenchmarkBars device={device} />
            <OtherMeasures device={device} />
            {device.scores.length > 0 && !running && (
              <div className="grid gap-3 border-t border-line pt-5">
                <ScoreCards scores={device.scores} />
                <p className="text-xs text-pretty text-faint">{t('benchmark.score.text')}</p>
              </div>
            )}
          </section>
        ))}
        {running ? (
          <BenchmarkProgress view={running} />
        ) : (
          <div>
            <Button
              look={steps.benchmarked ? 'quiet' : 'primary'}
              size={steps.benchmarked ? 'normal' : 'large'}
              onClick={begin}
              disabled={measuring.busy || lent.length === 0}
              data-testid="benchmark-start"
            >
              {steps.benchmarked ? t('wizard.benchmark.again') : t('wizard.benchmark.start')}
            </Button>
          </div>
        )}
        {fault && <FaultNote fault={fault} />}
        {steps.benchmarked && !running && samples > 0 && (
          <GoodNote>
            <p className="font-medium">{t('wizard.benchmark.done')}</p>
            <p className="text-muted">{t('wizard.benchmark.done_why', { count: samples })}</p>
          </GoodNote>
        )}
      </div>
    </StepFrame>
  );
}
