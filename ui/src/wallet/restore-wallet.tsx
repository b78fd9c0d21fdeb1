import { useTranslation } from 'react-i18next';

import { ask } from '../backend/ask';
import { useBackend } from '../worker/context';
import { useDeed } from '../worker/use-answer';
import { FlowFrame } from './flow-frame';
import { WordsForm } from './words-form';

/** Takes over a wallet by its words. */
export function RestoreWallet({ onDone, onLeave }: { onDone: () => void; onLeave: () => void }) {
  const { t } = useTranslation();
  const backend = useBackend();
  const deed = useDeed();
  const restore = (words: string) =>
    void deed.run(() => ask(backend, { command: 'restore_wallet', words }, 'done')).then((done) => {
      if (done) onDone();
    });
  return (
    <FlowFrame title={t('kept.restore_title')} text={t('kept.restore_text')}>
      <WordsForm
        anyCount
        label={t('kept.restore')}
        busy={deed.busy}
        fault={deed.fault}
        onChange={deed.clear}
        onSubmit={restore}
        leave={{ label: t('common.cancel'), onPress: onLeave }}
      />
    </FlowFrame>
  );
}
