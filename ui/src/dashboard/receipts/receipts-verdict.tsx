import clsx from 'clsx';
import { useTranslation } from 'react-i18next';

import type { ReceiptsCheck } from '../../bindings/ReceiptsCheck';
import { usePractice } from '../../components/money';
import { formatMoney } from '../../format/money';
import { useFaultSentence } from '../../i18n/use-fault';
import { Moon } from '../../sky/moon';

/** What recomputing the receipts came to. */
export function ReceiptsVerdict({ check }: { check: ReceiptsCheck }) {
  const { t, i18n } = useTranslation();
  const sentence = useFaultSentence();
  const practice = usePractice();
  const { fault, receipts: count, signatures } = check;
  const total = `${formatMoney(check.total, i18n.language)} ${practice ? t('money.practice_usdc') : t('money.usdc')}`;
  return (
    <div
      role={fault ? 'alert' : 'status'}
      data-testid="receipts-verdict"
      data-verdict={fault ? 'faulty' : 'ok'}
      className={clsx(
        'card flex animate-arrive items-center gap-5 p-6',
        fault ? 'border-ember/60 bg-ember-ground' : 'border-aurora/50',
      )}
    >
      <Moon lit={fault ? 0.35 : 1} mood={fault ? 'trouble' : 'clear'} className="size-14 shrink-0" />
      <div className="min-w-0">
        <h2 className={clsx('text-xl font-semibold', fault && 'text-ember')}>
          {fault ? t('receipts.bad_title') : t('receipts.ok_title')}
        </h2>
        {fault ? (
          <>
            <p>{sentence(fault)}</p>
            <p className="text-sm text-muted">
              {t('receipts.bad_after', { count })} {t('common.failed_code', { code: fault.code })}
            </p>
          </>
        ) : (
          <p className="text-muted">{t('receipts.ok', { count, signatures, total })}</p>
        )}
      </div>
    </div>
  );
}
