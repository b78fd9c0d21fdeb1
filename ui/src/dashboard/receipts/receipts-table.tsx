import { useTranslation } from 'react-i18next';

import type { ReceiptRow } from '../../bindings/ReceiptRow';
import { Money } from '../../components/money';
import { useNow } from '../../components/use-now';
import { formatInstant, formatMoment } from '../../format/time';

/** Receipts as a table; columns that matter less give way on a narrow window. */
export function ReceiptsTable({ rows }: { rows: readonly ReceiptRow[] }) {
  const { t, i18n } = useTranslation();
  const now = useNow(60_000);
  const head = 'px-3 py-3 font-medium first:pl-6 last:pr-6';
  const cell = 'px-3 py-2.5 first:pl-6 last:pr-6';
  return (
    <table className="w-full text-left text-sm">
      <thead className="border-b border-line text-muted">
        <tr>
          <th scope="col" className={head}>
            {t('receipts.column.nonce')}
          </th>
          <th scope="col" className={head}>
            {t('receipts.column.job')}
          </th>
          <th scope="col" className={`${head} text-right`}>
            {t('receipts.column.amount')}
          </th>
          <th scope="col" className={`${head} hidden text-right sm:table-cell`}>
            {t('receipts.column.cumulative')}
          </th>
          <th scope="col" className={`${head} hidden text-right lg:table-cell`}>
            {t('receipts.column.epoch')}
          </th>
          <th scope="col" className={`${head} hidden text-right md:table-cell`}>
            {t('receipts.column.when')}
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.nonce} data-testid="receipt-row" className="border-b border-line/60 last:border-0 hover:bg-raised/50">
            <td className={`${cell} figures font-mono text-faint`}>{row.nonce}</td>
            <td className={cell} title={row.assignment}>
              {row.job_title ?? <span className="text-faint">{t('receipts.unknown_job')}</span>}
              <span className="block font-mono text-xs text-faint">{row.assignment.slice(-12)}</span>
            </td>
            <td className={`${cell} text-right text-base`}>
              <Money units={row.amount} named={false} />
            </td>
            <td className={`${cell} hidden text-right text-muted sm:table-cell`}>
              <Money units={row.cumulative} named={false} flat />
            </td>
            <td className={`${cell} figures hidden text-right text-muted lg:table-cell`}>{row.epoch}</td>
            <td className={`${cell} hidden text-right whitespace-nowrap text-muted md:table-cell`}>
              <time dateTime={new Date(row.received_at).toISOString()} title={formatInstant(row.received_at, i18n.language)}>
                {formatMoment(row.received_at, now, i18n.language)}
              </time>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
