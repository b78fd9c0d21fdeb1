import { KeyRound, TriangleAlert } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { ask } from '../backend/ask';
import { Button } from '../components/button';
import { FaultNote, GoodNote } from '../components/notes';
import { useBackend, useSnapshot } from '../worker/context';
import { presentWallet } from '../worker/payouts';
import { useDeed } from '../worker/use-answer';
import { ExportWallet } from './export-wallet';
import { MakeWallet } from './make-wallet';
import { RestoreWallet } from './restore-wallet';

type Open = 'make' | 'finish' | 'restore' | 'export';

/** The wallet whose key is kept on this machine, and the ways to one. */
export function KeptWallet() {
  const { t } = useTranslation();
  const backend = useBackend();
  const snapshot = useSnapshot();
  const [open, setOpen] = useState<Open | null>(null);
  const [done, setDone] = useState(false);
  const deed = useDeed();
  const { kept_wallet: kept } = snapshot;
  const start = (flow: Open) => {
    setOpen(flow);
    setDone(false);
    deed.clear();
  };
  const finish = () => {
    setOpen(null);
    setDone(true);
  };
  const leave = () => setOpen(null);
  if (open === 'make' || open === 'finish')
    return <MakeWallet unconfirmed={open === 'finish'} onDone={finish} onLeave={leave} />;
  if (open === 'restore') return <RestoreWallet onDone={finish} onLeave={leave} />;
  if (open === 'export') return <ExportWallet onLeave={leave} />;
  const paysElsewhere = kept?.confirmed === true && presentWallet(snapshot) !== kept.address;
  return (
    <div data-testid="kept-wallet" className="grid gap-3">
      <div className="flex items-start gap-3">
        {kept && !kept.confirmed ? (
          <TriangleAlert aria-hidden className="mt-0.5 size-5 shrink-0 text-ember" strokeWidth={1.75} />
        ) : (
          <KeyRound aria-hidden className="mt-0.5 size-5 shrink-0 text-moon" strokeWidth={1.75} />
        )}
        <div className="min-w-0 text-sm">
          <p className="text-base font-medium">
            {kept === null ? t('kept.none') : kept.confirmed ? t('kept.kept') : t('kept.unconfirmed')}
          </p>
          <p className="text-muted">
            {kept === null ? t('kept.none_why') : kept.confirmed ? t('kept.kept_why') : t('kept.unconfirmed_why')}
          </p>
          {kept && <p className="pt-1 font-mono text-xs break-all text-muted">{kept.address}</p>}
        </div>
      </div>
      {done && kept?.confirmed && (
        <GoodNote>
          <p data-testid="kept-done">{t('kept.made')}</p>
        </GoodNote>
      )}
      <div className="flex flex-wrap gap-2.5">
        {kept?.confirmed && (
          <>
            {paysElsewhere && (
              <Button
                size="small"
                disabled={deed.busy}
                onClick={() => void deed.run(() => ask(backend, { command: 'set_wallet', address: kept.address }, 'done'))}
              >
                {t('kept.pay_here')}
              </Button>
            )}
            <Button size="small" onClick={() => start('export')} data-testid="kept-export">
              {t('kept.export')}
            </Button>
          </>
        )}
        {kept?.confirmed === false && (
          <Button look="primary" size="small" onClick={() => start('finish')} data-testid="kept-finish">
            {t('kept.finish')}
          </Button>
        )}
        {!kept?.confirmed && (
          <>
            <Button size="small" onClick={() => start('make')} data-testid="kept-make">
              {kept ? t('kept.make_another') : t('kept.make')}
            </Button>
            <Button look="plain" size="small" onClick={() => start('restore')} data-testid="kept-restore">
              {t('kept.restore_open')}
            </Button>
          </>
        )}
      </div>
      {deed.fault && <FaultNote fault={deed.fault} />}
    </div>
  );
}
