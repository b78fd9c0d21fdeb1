import { CircleAlert, CircleCheck } from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';

import type { Fault } from '../bindings/Fault';
import { useFaultSentence } from '../i18n/use-fault';
import { Button } from './button';

/** What went wrong, said at once to screen readers too. */
export function FaultNote({ fault, testId, onRetry }: { fault: Fault; testId?: string; onRetry?: () => void }) {
  const { t } = useTranslation();
  const sentence = useFaultSentence();
  return (
    <div
      role="alert"
      data-testid={testId}
      data-code={fault.code}
      className="flex items-start gap-3 rounded-xl bg-ember-ground px-4 py-3 text-sm text-ember"
    >
      <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
      <p className="min-w-0 flex-1">{sentence(fault)}</p>
      {onRetry && (
        <Button look="danger" size="small" onClick={onRetry} className="-my-1">
          {t('common.try_again')}
        </Button>
      )}
    </div>
  );
}

/** Something went well. */
export function GoodNote({ children }: { children: ReactNode }) {
  return (
    <div role="status" className="flex items-start gap-3 rounded-xl bg-raised px-4 py-3 text-sm">
      <CircleCheck aria-hidden className="mt-0.5 size-4 shrink-0 text-aurora" />
      <div className="min-w-0 flex-1">{children}</div>
    </div>
  );
}

/** A place where something will be. */
export function EmptyNote({ title, why, mark }: { title: string; why: string; mark?: ReactNode }) {
  return (
    <div className="m-auto grid justify-items-center gap-1 px-6 py-12 text-center">
      {mark && (
        <div aria-hidden className="mb-3 text-faint">
          {mark}
        </div>
      )}
      <p className="font-display text-lg font-medium">{title}</p>
      <p className="max-w-sm text-sm text-muted">{why}</p>
    </div>
  );
}

/** Grey lines in place of rows that are being fetched. */
export function LoadingRows({ rows = 4 }: { rows?: number }) {
  const { t } = useTranslation();
  return (
    <div role="status" aria-label={t('common.loading')} className="grid gap-3 p-5">
      {Array.from({ length: rows }, (_, n) => (
        <div key={n} className="h-10 animate-breathe rounded-lg bg-raised" />
      ))}
    </div>
  );
}
