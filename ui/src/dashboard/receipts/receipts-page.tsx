import { Download, ReceiptText, ShieldCheck } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { ReceiptsCheck } from '../../bindings/ReceiptsCheck';
import { ask } from '../../backend/ask';
import { Button } from '../../components/button';
import { ExportedNote } from '../../components/exported-note';
import { EmptyNote, FaultNote, LoadingRows } from '../../components/notes';
import { useBackend, useSnapshot } from '../../worker/context';
import { useReceipts } from '../../worker/queries';
import { useDeed } from '../../worker/use-answer';
import { PageHeading } from '../page-heading';
import { ReceiptsTable } from './receipts-table';
import { ReceiptsVerdict } from './receipts-verdict';

/** The worker answers with this many at most. */
const ROWS_MAX = 200;

/** All receipts, and whether they hold. */
export function ReceiptsPage() {
  const { t } = useTranslation();
  const backend = useBackend();
  const total = useSnapshot().earnings.receipts;
  const receipts = useReceipts(ROWS_MAX);
  const [check, setCheck] = useState<ReceiptsCheck | null>(null);
  const [exported, setExported] = useState<string | null>(null);
  const verifying = useDeed();
  const exporting = useDeed();
  const verify = () =>
    void verifying.run(async () => {
      setCheck(null);
      setCheck(await ask(backend, { command: 'verify_receipts' }, 'receipts_checked'));
    });
  const exportAll = () =>
    void exporting.run(async () => {
      setExported((await ask(backend, { command: 'export_receipts' }, 'exported')).path);
    });
  const fault = verifying.fault ?? exporting.fault;
  return (
    <div className="grid gap-5">
      <PageHeading title={t('receipts.title')} text={t('receipts.text')}>
        <Button onClick={exportAll} disabled={exporting.busy || total === 0}>
          <Download aria-hidden className="size-4" />
          {t('receipts.export')}
        </Button>
        <Button look="primary" onClick={verify} disabled={verifying.busy || total === 0} data-testid="receipts-verify">
          <ShieldCheck aria-hidden className="size-4" />
          {verifying.busy ? t('receipts.verifying') : t('receipts.verify')}
        </Button>
      </PageHeading>
      {fault && <FaultNote fault={fault} />}
      {check && <ReceiptsVerdict check={check} />}
      {exported && <ExportedNote path={exported} />}
      <div className="card min-w-0 overflow-hidden">
        {receipts.fault && <FaultNote fault={receipts.fault} onRetry={receipts.again} />}
        {!receipts.value && !receipts.fault && <LoadingRows rows={6} />}
        {receipts.value?.length === 0 && (
          <EmptyNote
            title={t('receipts.empty')}
            why={t('receipts.empty_why')}
            mark={<ReceiptText className="size-8" strokeWidth={1.5} />}
          />
        )}
        {receipts.value && receipts.value.length > 0 && <ReceiptsTable rows={receipts.value} />}
      </div>
      {receipts.value && receipts.value.length < total && (
        <p className="text-sm text-faint">{t('receipts.newest', { count: receipts.value.length, total })}</p>
      )}
    </div>
  );
}
