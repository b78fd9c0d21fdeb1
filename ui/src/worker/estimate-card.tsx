import clsx from 'clsx';
import { useTranslation } from 'react-i18next';

import type { Estimate } from '../bindings/Estimate';
import { Money, usePractice } from '../components/money';
import { EmptyNote } from '../components/notes';
import { formatNumber } from '../format/measure';
import { useSnapshot } from './context';
import { TariffField } from './tariff-field';

function powerBasis(estimate: Estimate): 'measured' | 'package' | 'typical' {
  if (!estimate.power_measured) return 'typical';
  return estimate.power_of_package ? 'package' : 'measured';
}

/** Gross, power and net of a day, with what they rest on. */
export function EstimateCard() {
  const { t, i18n } = useTranslation();
  const { estimate } = useSnapshot();
  const practice = usePractice();
  if (!estimate) {
    return (
      <div className="card">
        <EmptyNote title={t('wizard.estimate.title')} why={t('wizard.estimate.waiting')} />
      </div>
    );
  }
  const net = estimate.gross_per_day - estimate.power_cost_per_day;
  const costShare = 
    estimate.gross_per_day > 0 ? Math.min(1, Math.max(0, estimate.power_cost_per_day / estimate.gross_per_day)) : 1;
  const figures = {
    watts: formatNumber(estimate.power_watts, i18n.language),
    hours: formatNumber(estimate.hours_per_day, i18n.language),
  };
  return (
    <div className="card grid overflow-hidden">
      <div className="grid gap-5 p-6">
        <p className="w-fit rounded-full border border-moon/40 px-3 py-1 text-xs font-medium text-moon">
          {practice ? t('wizard.estimate.label_practice') : t('wizard.estimate.label')}
        </p>
        <div>
          <p className="text-sm text-muted">
            {t('wizard.estimate.net')} · {practice ? t('money.practice_usdc') : t('money.usdc')}
          </p>
          <Money
            units={net}
            named={false}
            className={clsx(
              'font-display text-[clamp(2.2rem,6vw,3.5rem)] leading-tight font-semibold tracking-tight',
              net < 0 ? 'text-ember' : 'text-figure',
            )}
          />
          {net < 0 && <p className="text-sm text-ember">{t('wizard.estimate.negative')}</p>}
        </div>
        <div aria-hidden className="flex h-3 gap-0.5 overflow-hidden rounded-full">
          <div className="bg-(--kind-4) transition-[width] duration-500" style={{ width: `${(1 - costShare) * 100}%` }} />
          <div className="flex-1 bg-line-strong" />
        </div>
        <dl className="grid gap-4 sm:grid-cols-2">
          <div>
            <dt className="text-sm text-muted">
              {t('wizard.estimate.gross')} · {t('wizard.estimate.hours', figures)}
            </dt>
            <dd>
              <Money units={estimate.gross_per_day} className="text-lg font-medium" />
            </dd>
          </div>
          <div>
            <dt className="text-sm text-muted">{t('wizard.estimate.power')}</dt>
            <dd>
              <Money units={-estimate.power_cost_per_day} named={false} className="text-lg font-medium" />{' '}
              <span className="text-sm text-muted">USD</span>
              <p className="text-sm text-faint">
                {t(`wizard.estimate.power_${powerBasis(estimate)}`, figures)}
              </p>
            </dd>
          </div>
        </dl>
      </div>
      <div className="flex flex-wrap items-end justify-between gap-5 border-t border-line bg-raised/50 p-6">
        <TariffField />
        <div className="max-w-[46ch] min-w-0 text-sm text-muted">
          <p className="font-medium text-ink">{t('wizard.estimate.basis')}</p>
          <p>{estimate.basis}</p>
          <p>
            {estimate.tasks_seen === 0
              ? t('wizard.estimate.basis_benchmark')
              : t('wizard.estimate.basis_tasks', { count: estimate.tasks_seen })}
          </p>
        </div>
      </div>
    </div>
  );
}
