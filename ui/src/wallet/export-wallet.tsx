import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { ask } from '../backend/ask';
import { Button } from '../components/button';
import { FaultNote } from '../components/notes';
import { useBackend } from '../worker/context';
import { useDeed } from '../worker/use-answer';
import { FlowFrame } from './flow-frame';
import { WordsShown } from './words-shown';
import { WordWarnings } from './word-warnings';

/** Shows the words of the wallet that is kept, after the warnings. */
export function ExportWallet({ onLeave }: { onLeave: () => void }) {
  const { t } = useTranslation();
  const backend = useBackend();
  const deed = useDeed();
  const [words, setWords] = useState<string[] | null>(null);
  const show = () =>
    void deed.run(async () => setWords((await ask(backend, { command: 'export_wallet' }, 'wallet_words')).words));
  return (
    <FlowFrame title={t('kept.export_title')} text={t('kept.export_text')}>
      {words ? <WordsShown words={words} /> : <WordWarnings />}
      {deed.fault && <FaultNote fault={deed.fault} />}
      <div className="flex flex-wrap gap-2.5">
        {!words && (
          <Button look="danger" size="small" disabled={deed.busy} onClick={show} data-testid="export-show">
            {t('kept.export_show')}
          </Button>
        )}
        <Button look="plain" size="small" onClick={onLeave} data-testid="export-done">
          {words ? t('kept.done') : t('common.cancel')}
        </Button>
      </div>
    </FlowFrame>
  );
}
