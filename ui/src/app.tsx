import { useEffect, useMemo, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';

import type { Backend } from './backend/backend';
import { Dashboard } from './dashboard/dashboard';
import { Moon } from './sky/moon';
import { Sky } from './sky/sky';
import { useFaultSentence } from './i18n/use-fault';
import { WorkerContext, useWorker } from './worker/context';
import { SnapshotStore } from './worker/snapshot-store';
import { Wizard } from './wizard/wizard';

/** The whole user interface over one backend. */
export function App({ backend }: { backend: Backend }) {
  const { t } = useTranslation();
  const connection = useMemo(() => ({ backend, store: new SnapshotStore(backend) }), [backend]);
  useEffect(() => connection.store.follow(), [connection]);
  return (
    <WorkerContext value={connection}>
      <a
        href="#content"
        className="fixed top-3 left-3 z-50 -translate-y-20 rounded-full bg-primary px-4 py-2 font-medium text-on-primary focus:translate-y-0"
      >
        {t('app.skip')}
      </a>
      <WizardOrDashboard />
    </WorkerContext>
  );
}

function WizardOrDashboard() {
  const { t } = useTranslation();
  const { snapshot, lost } = useWorker();
  const sentence = useFaultSentence();
  if (snapshot) return snapshot.steps.enrolled ? <Dashboard /> : <Wizard />;
  if (lost) {
    return (
      <SkyNotice title={t('problem.lost_title')} trouble>
        <p role="alert">{sentence(lost)}</p>
        <p>{t('problem.lost_todo')}</p>
      </SkyNotice>
    );
  }
  return (
    <SkyNotice title={t('app.loading')}>
      <p role="status">{t('app.loading_why')}</p>
    </SkyNotice>
  );
}

/** Shown where there is no worker to talk to, as in a plain browser. */
export function OutsideTheApp() {
  const { t } = useTranslation();
  return (
    <SkyNotice title={t('app.no_shell')}>
      <p>{t('app.no_shell_why')}</p>
    </SkyNotice>
  );
}

function SkyNotice({ title, trouble, children }: { title: string; trouble?: boolean; children: ReactNode }) {
  return (
    <Sky className="[--star-reach:80%] grid min-h-dvh place-items-center p-8 text-center">
      <main id="content" className="grid max-w-md justify-items-center gap-4 pb-24">
        <Moon lit={0.32} mood={trouble ? 'trouble' : 'clear'} className="mb-4 size-28 animate-drift" />
        <h1 className="font-display text-3xl font-semibold tracking-tight">{title}</h1>
        <div className="grid gap-2 text-on-sky-muted">{children}</div>
      </main>
    </Sky>
  );
}
