import { ChevronDown, TriangleAlert } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import type { BenchmarkReport } from '../bindings/BenchmarkReport';
import type { Measure } from '../bindings/Measure';
import type { Measurement } from '../bindings/Measurement';
import type { Skipped } from '../bindings/Skipped';
import { formatMeasure, formatPercent } from '../format/measure';
import { useFaultSentence } from '../i18n/use-fault';
import { groupNames, groups, isBetterLower, isRate, measurementOf, skippedOf, type GroupName } from './measures';

/** Every measure of a report by what it tells of, and those that were not taken with their reason. */
export function MeasureGroups({ report }: { report: BenchmarkReport }) {
  const { t } = useTranslation();
  return (
    <div className="card grid min-w-0 divide-y divide-line">
      {groupNames.map((name) => (
        <section key={name} aria-label={t(`benchmark.group.${name}`)} className="min-w-0 p-3">
          <h2 className="px-3 pt-2 pb-1 text-lg font-semibold">{t(`benchmark.group.${name}`)}</h2>
          <Group name={name} report={report} />
        </section>
      ))}
    </div>
  );
}

function Group({ name, report }: { name: GroupName; report: BenchmarkReport }) {
  // Never 0, which nothing can be a share of.
  const best = Math.max(Number.MIN_VALUE, ...groups[name].filter(isRate).map((measure) => measurementOf(report, measure)?.value ?? 0));
  return (
    <ul>
      {groups[name].map((measure) => {
        const found = measurementOf(report, measure);
        const skipped = skippedOf(report, measure);
        if (found) return <Found key={measure} measurement={found} share={isRate(measure) ? found.value / best : null} />;
        if (skipped) return <NotTaken key={measure} skipped={skipped} />;
        return null;
      })}
    </ul>
  );
}

function Name({ measure }: { measure: Measure }) {
  const { t } = useTranslation();
  return (
    <span className="grid min-w-0">
      <span className="font-medium">{t(`measure.${measure}`)}</span>
      <span className="text-sm text-pretty text-muted">{t(`measure.${measure}_why`)}</span>
    </span>
  );
}

/** A measure with its value; how it was found unfolds. */
function Found({ measurement, share }: { measurement: Measurement; share: number | null }) {
  const { t, i18n } = useTranslation();
  const { measure, value, spread, samples, correct, method } = measurement;
  const { figure, unit } = formatMeasure(measure, value, i18n.language);
  return (
    <li>
      <details className="group rounded-xl open:bg-raised" data-testid={`measure-${measure}`}>
        <summary className="grid cursor-pointer list-none grid-cols-[minmax(0,1fr)_auto_1rem] items-center gap-x-4 rounded-xl px-3 py-2.5 transition-colors hover:bg-raised [&::-webkit-details-marker]:hidden">
          <Name measure={measure} />
          <span className="grid justify-items-end gap-1.5">
            <span className="figures whitespace-nowrap">
              <span className="text-lg font-medium">{figure}</span> <span className="text-sm text-muted">{unit}</span>
            </span>
            {share !== null && (
              <span aria-hidden className="block h-1.5 w-24 overflow-hidden rounded-full bg-sunken sm:w-32">
                <span
                  className="block h-full rounded-full bg-gradient-to-r from-(--kind-2) to-(--kind-1)"
                  style={{ width: `${Math.max(0.015, share) * 100}%` }}
                />
              </span>
            )}
            {isBetterLower(measure) && <span className="text-xs text-faint">{t('benchmark.lower_better')}</span>}
          </span>
          <ChevronDown aria-hidden className="size-4 text-faint transition-transform group-open:rotate-180" />
        </summary>
        <div className="grid gap-1 px-3 pt-1 pb-3 text-sm text-muted">
          <p>{method}</p>
          {samples.length > 1 && (
            <p className="figures text-faint">
              {t('wizard.benchmark.spread', { spread: formatPercent(spread, i18n.language, 1), count: samples.length })}
            </p>
          )}
        </div>
      </details>
      {!correct && (
        <p className="flex items-start gap-2 px-3 pb-2 text-sm text-ember">
          <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
          {t('wizard.benchmark.wrong')}
        </p>
      )}
    </li>
  );
}

function NotTaken({ skipped }: { skipped: Skipped }) {
  const { t } = useTranslation();
  const sentence = useFaultSentence();
  return (
    <li
      data-testid={`skipped-${skipped.measure}`}
      className="grid grid-cols-[minmax(0,1fr)_auto] items-start gap-x-4 px-3 py-2.5"
    >
      <span className="grid min-w-0">
        <span className="font-medium text-muted">{t(`measure.${skipped.measure}`)}</span>
        <span className="text-sm text-pretty text-muted">{sentence(skipped.fault)}</span>
      </span>
      <span className="mr-8 text-sm text-faint">{t('benchmark.not_measured')}</span>
    </li>
  );
}
