import { ArrowLeft, Download, Flame, Gauge } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { BenchmarkReport } from '../../bindings/BenchmarkReport';
import type { DeviceView } from '../../bindings/DeviceView';
import { ask } from '../../backend/ask';
import { BenchmarkProgress } from '../../benchmark/benchmark-progress';
import { Comparison } from '../../benchmark/comparison';
import { MeasureGroups } from '../../benchmark/measure-groups';
import { MemoryCurves } from '../../benchmark/memory-curves';
import { NetworkTimings } from '../../benchmark/network-timings';
import { RooflineChart } from '../../benchmark/roofline-chart';
import { ScoreCards } from '../../benchmark/score-cards';
import { SustainedChart } from '../../benchmark/sustained-chart';
import { Button } from '../../components/button';
import { ExportedNote } from '../../components/exported-note';
import { EmptyNote, FaultNote } from '../../components/notes';
import { useNow } from '../../components/use-now';
import { formatAgo, formatCountdown } from '../../format/time';
import { useBackend, useSnapshot } from '../../worker/context';
import { useDeed } from '../../worker/use-answer';
import { PageHeading } from '../page-heading';
import type { PageName } from '../pages';

/** Until most cards have reached their final heat. */
const SUSTAINED_SECONDS = 120;

interface BenchmarkPageProps {
  device: DeviceView;
  /** The page that led here. */
  from: PageName;
  onBack: () => void;
}

/** All that was measured of one device, and what it means. */
export function BenchmarkPage({ device, from, onBack }: BenchmarkPageProps) {
  const { t } = useTranslation();
  const backend = useBackend();
  const { state } = useSnapshot();
  const [exported, setExported] = useState<string | null>(null);
  const measuring = useDeed();
  const exporting = useDeed();
  const { index, name, kind, driver } = device.info;
  const report = device.benchmark;
  const running = state.name === 'benchmarking' ? state : null;
  const measure = (sustained_seconds: number) => {
    setExported(null);
    void measuring.run(() => ask(backend, { command: 'benchmark', device: index, sustained_seconds }, 'done'));
  };
  const exportReport = () =>
    void exporting.run(async () => {
      setExported((await ask(backend, { command: 'export_benchmark', device: index }, 'exported')).path);
    });
  const busy = measuring.busy || running !== null;
  const fault = measuring.fault ?? exporting.fault;
  return (
    <div data-testid="benchmark-page" className="grid gap-5">
      <div className="-mb-2">
        <Button look="plain" size="small" className="-ml-3" onClick={onBack} data-testid="benchmark-back">
          <ArrowLeft aria-hidden className="size-4" />
          {t(`nav.${from}`)}
        </Button>
      </div>
      <PageHeading title={name} text={`${t(`device.kind.${kind}`)} · ${driver}`}>
        {report && (
          <Button onClick={exportReport} disabled={exporting.busy} data-testid="benchmark-export">
            <Download aria-hidden className="size-4" />
            {t('benchmark.export')}
          </Button>
        )}
        <Button onClick={() => measure(SUSTAINED_SECONDS)} disabled={busy} data-testid="benchmark-sustained">
          <Flame aria-hidden className="size-4" />
          {t('benchmark.measure_sustained')}
        </Button>
        <Button look="primary" onClick={() => measure(0)} disabled={busy} data-testid="benchmark-again">
          <Gauge aria-hidden className="size-4" />
          {report ? t('wizard.benchmark.again') : t('wizard.benchmark.start')}
        </Button>
      </PageHeading>
      {fault && <FaultNote fault={fault} />}
      {exported && <ExportedNote path={exported} />}
      {running && (
        <section aria-label={t('wizard.benchmark.overall')} className="card grid gap-3 p-6">
          {running.device === index ? (
            <BenchmarkProgress view={running} />
          ) : (
            <p className="text-sm text-muted">{t('benchmark.other_device')}</p>
          )}
        </section>
      )}
      {report ? (
        <Findings device={device} report={report} />
      ) : (
        !running && (
          <div className="card">
            <EmptyNote
              title={t('settings.never_measured')}
              why={t('benchmark.empty_why')}
              mark={<Gauge className="size-8" strokeWidth={1.5} />}
            />
          </div>
        )
      )}
    </div>
  );
}

function Findings({ device, report }: { device: DeviceView; report: BenchmarkReport }) {
  const { t, i18n } = useTranslation();
  const now = useNow(60_000);
  return (
    <>
      <section aria-label={t('benchmark.score.title')} className="card grid gap-5 p-6">
        {device.scores.length > 0 && (
          <>
            <header className="grid gap-1">
              <h2 className="text-lg font-semibold">{t('benchmark.score.title')}</h2>
              <p className="max-w-[75ch] text-sm text-pretty text-muted">{t('benchmark.score.text')}</p>
            </header>
            <ScoreCards scores={device.scores} />
          </>
        )}
        <div className="border-line text-sm text-faint not-first:border-t not-first:pt-4">
          <p className="figures">
            {t('benchmark.measured', {
              when: formatAgo(report.measured_at, now, i18n.language),
              duration: formatCountdown(report.duration_ms),
              version: report.runtime_version,
            })}
          </p>
          <NetworkTimings device={device} />
        </div>
      </section>
      <div className="grid gap-5 xl:grid-cols-2 xl:items-start">
        <MeasureGroups report={report} />
        <div className="grid min-w-0 gap-5">
          <RooflineChart report={report} />
          <Comparison device={device} report={report} />
        </div>
      </div>
      <MemoryCurves report={report} />
      <SustainedChart report={report} />
    </>
  );
}
