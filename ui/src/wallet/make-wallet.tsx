import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { ask } from '../backend/ask';
import { Button } from '../components/button';
import { FaultNote } from '../components/notes';
import { useBackend } from '../worker/context';
import { useDeed } from '../worker/use-answer';
import { FlowFrame } from './flow-frame';
import { WordsForm } from './words-form';
import { WordsShown } from './words-shown';
import { WordWarnings } from './word-warnings';

type Step = { name: 'warned' } | { name: 'shown'; words: string[]; seen: boolean } | { name: 'typed' };

interface MakeWalletProps {
  /** Goes on with the wallet that was made and not confirmed, instead of making one. */
  unconfirmed: boolean;
  onDone: () => void;
  onLeave: () => void;
}

/**
 * Makes a wallet: warnings, the words, and all of them typed again.
 *
 * All, and not three that are asked for: a slip in any one of the others would lose the wallet as surely. It also lets
 * this page forget the words before it asks, so that what reaches the worker comes from paper and not from memory.
 */
export function MakeWallet({ unconfirmed, onDone, onLeave }: MakeWalletProps) {
  const { t } = useTranslation();
  const backend = useBackend();
  const deed = useDeed();
  const [step, setStep] = useState<Step>({ name: 'warned' });
  const show = (command: 'make_wallet' | 'export_wallet') =>
    void deed.run(async () => {
      const { words } = await ask(backend, { command }, 'wallet_words');
      setStep({ name: 'shown', words, seen: false });
    });
  const confirm = (words: string) =>
    void deed.run(() => ask(backend, { command: 'confirm_wallet', words }, 'done')).then((done) => {
      if (done) onDone();
    });
  switch (step.name) {
    case 'warned':
      return (
        <FlowFrame title={t('kept.make_title')} text={t('kept.make_text')}>
          <WordWarnings />
          {deed.fault && <FaultNote fault={deed.fault} />}
          <div className="flex flex-wrap gap-2.5">
            <Button
              look="primary"
              size="small"
              disabled={deed.busy}
              onClick={() => show(unconfirmed ? 'export_wallet' : 'make_wallet')}
              data-testid="make-show"
            >
              {t('kept.make_show')}
            </Button>
            {unconfirmed && (
              <Button
                size="small"
                onClick={() => {
                  deed.clear();
                  setStep({ name: 'typed' });
                }}
                data-testid="make-have"
              >
                {t('kept.make_have')}
              </Button>
            )}
            <Button look="plain" size="small" onClick={onLeave}>
              {t('common.cancel')}
            </Button>
          </div>
        </FlowFrame>
      );
    case 'shown':
      return (
        <FlowFrame title={t('kept.shown_title')} text={t('kept.shown_text')}>
          <WordsShown words={step.words} onShown={() => setStep({ ...step, seen: true })} />
          <div className="flex flex-wrap gap-2.5">
            <Button
              look="primary"
              size="small"
              disabled={!step.seen}
              onClick={() => setStep({ name: 'typed' })}
              data-testid="make-written"
            >
              {t('kept.written')}
            </Button>
            <Button look="plain" size="small" onClick={onLeave}>
              {t('kept.later')}
            </Button>
          </div>
        </FlowFrame>
      );
    case 'typed':
      return (
        <FlowFrame title={t('kept.typed_title')} text={t('kept.typed_text')}>
          <WordsForm
            label={t('kept.confirm')}
            busy={deed.busy}
            fault={deed.fault}
            onChange={deed.clear}
            onSubmit={confirm}
            leave={{ label: t('kept.show_again'), onPress: () => show('export_wallet') }}
          />
        </FlowFrame>
      );
  }
}
