import { FolderOpen } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import { useBackend } from '../worker/context';
import { useDeed } from '../worker/use-answer';
import { Button } from './button';
import { FaultNote, GoodNote } from './notes';

/** Where a file was written, and a way to its folder. */
export function ExportedNote({ path }: { path: string }) {
  const { t } = useTranslation();
  const backend = useBackend();
  const deed = useDeed();
  return (
    <div className="grid gap-2">
      <GoodNote>
        <div className="flex flex-wrap items-center justify-between gap-3">
          <p className="min-w-0">{t('receipts.exported', { path })}</p>
          <Button size="small" onClick={() => void deed.run(() => backend.revealFile(path))}>
            <FolderOpen aria-hidden className="size-4" />
            {t('common.show_folder')}
          </Button>
        </div>
      </GoodNote>
      {deed.fault && <FaultNote fault={deed.fault} />}
    </div>
  );
}
