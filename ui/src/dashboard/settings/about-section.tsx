import { useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';

import { ask } from '../../backend/ask';
import { Button } from '../../components/button';
import { ExportedNote } from '../../components/exported-note';
import { FaultNote } from '../../components/notes';
import { useBackend, useSnapshot } from '../../worker/context';
import { useDeed } from '../../worker/use-answer';
import { Section } from './section';

/** Versions, logs and the way out. */
export function AboutSection() {
  const { t } = useTranslation();
  const backend = useBackend();
  const snapshot = useSnapshot();
  const [exported, setExported] = useState<string | null>(null);
  const deed = useDeed();
  const exportLogs = () =>
    void deed.run(async () => setExported((await ask(backend, { command: 'export_logs' }, 'exported')).path));
  const { network } = snapshot;
  const name = network?.name ?? t('settings.network_unnamed');
  const networkName = network?.practice ? t('settings.network_practice', { name }) : name;
  const facts = [
    { name: t('settings.version_app'), value: __APP_VERSION__ },
    { name: t('settings.version_worker'), value: snapshot.worker_version },
    { name: t('settings.version_protocol'), value: String(snapshot.protocol) },
    { name: t('settings.network'), value: network ? networkName : t('settings.network_none') },
    { name: t('settings.worker_id'), value: snapshot.worker, monospace: true },
  ];
  return (
    <Section title={t('settings.about')}>
      <dl className="grid gap-x-6 gap-y-2 text-sm sm:grid-cols-[auto_1fr]">
        {facts.map((fact) => (
          <div key={fact.name} className="contents">
            <dt className="text-muted">{fact.name}</dt>
            <dd className={fact.monospace ? 'font-mono text-xs leading-5 break-all' : 'figures'}>{fact.value}</dd>
          </div>
        ))}
      </dl>
      <div className="flex flex-wrap items-center justify-between gap-3 border-t border-line pt-5">
        <div className="max-w-[44ch] min-w-0">
          <p className="font-medium">{t('settings.logs')}</p>
          <p className="text-sm text-muted">{t('settings.logs_why')}</p>
        </div>
        <Button size="small" onClick={exportLogs} disabled={deed.busy}>
          {t('settings.logs_export')}
        </Button>
      </div>
      {exported && <ExportedNote path={exported} />}
      {deed.fault && <FaultNote fault={deed.fault} />}
      <QuitRow />
    </Section>
  );
}

function QuitRow() {
  const { t } = useTranslation();
  const backend = useBackend();
  const dialog = useRef<HTMLDialogElement>(null);
  const deed = useDeed();
  return (
    <div className="flex flex-wrap items-center justify-between gap-3 border-t border-line pt-5">
      <div className="max-w-[44ch] min-w-0">
        <p className="font-medium">{t('settings.quit')}</p>
        <p className="text-sm text-muted">{t('settings.quit_why')}</p>
      </div>
      <Button look="danger" size="small" onClick={() => dialog.current?.showModal()}>
        {t('settings.quit')}
      </Button>
      <dialog
        ref={dialog}
        aria-labelledby="quit-title"
        className="m-auto w-[min(26rem,calc(100vw-2rem))] rounded-3xl border border-line-strong bg-surface p-7 text-ink backdrop:bg-ground/70 backdrop:backdrop-blur-sm"
      >
        <h2 id="quit-title" className="text-xl font-semibold">
          {t('settings.quit_sure')}
        </h2>
        <p className="pt-1 text-muted">{t('settings.quit_why')}</p>
        {deed.fault && <FaultNote fault={deed.fault} />}
        <div className="flex flex-wrap justify-end gap-2.5 pt-6">
          <Button look="plain" onClick={() => dialog.current?.close()}>
            {t('common.cancel')}
          </Button>
          <Button look="danger" disabled={deed.busy} onClick={() => void deed.run(() => backend.quit())}>
            {t('settings.quit')}
          </Button>
        </div>
      </dialog>
    </div>
  );
}
