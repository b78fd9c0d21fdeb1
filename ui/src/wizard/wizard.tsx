import clsx from 'clsx';
import { useEffect, useRef, useState, type ComponentType } from 'react';
import { useTranslation } from 'react-i18next';

import { Moon } from '../sky/moon';
import { Sky } from '../sky/sky';
import { useSnapshot } from '../worker/context';
import { BenchmarkStep } from './benchmark-step';
import { DeviceStep } from './device-step';
import { EffortStep } from './effort-step';
import { EnrolStep } from './enrol-step';
import { EstimateStep } from './estimate-step';
import type { StepProps } from './step-frame';
import { firstStep, stepAfter, stepBefore, wizardSteps, type WizardStep } from './steps';
import { WalletStep } from './wallet-step';
import { WelcomeStep } from './welcome-step';

const contents: Record<WizardStep, ComponentType<StepProps>> = {
  welcome: WelcomeStep,
  device: DeviceStep,
  benchmark: BenchmarkStep,
  estimate: EstimateStep,
  effort: EffortStep,
  wallet: WalletStep,
  enrol: EnrolStep,
};

/** From a first start to enrolment. Its moon waxes with each step. */
export function Wizard() {
  const { t } = useTranslation();
  const snapshot = useSnapshot();
  const [step, setStep] = useState(() => firstStep(snapshot));
  const main = useRef<HTMLElement>(null);
  const opened = useRef(step);
  useEffect(() => {
    // A reader who pressed "Continue" is taken to the new heading; nobody is moved when the window opens.
    if (opened.current === step) return;
    opened.current = step;
    main.current?.querySelector('h1')?.focus();
    main.current?.scrollTo({ top: 0 });
  }, [step]);
  const at = wizardSteps.indexOf(step);
  const Content = contents[step];
  return (
    <div className="grid min-h-dvh md:h-dvh md:grid-cols-[minmax(17rem,24rem)_1fr]">
      <Sky as="header" stars={at * 7} className="flex flex-col gap-5 p-6 [--star-reach:70%] md:p-9">
        <div className="flex items-center justify-between gap-4 md:block">
          <div>
            <p className="font-display text-xl font-semibold tracking-tight">{t('app.name')}</p>
            <p className="hidden text-sm text-on-sky-muted md:block">{t('app.tagline')}</p>
          </div>
          <p className="text-sm text-on-sky-muted md:hidden">
            {at + 1} / {wizardSteps.length}
          </p>
        </div>
        <Moon
          lit={0.06 + (0.94 * at) / (wizardSteps.length - 1)}
          mood="clear"
          className="absolute top-1 right-16 size-16 md:static md:mx-auto md:my-6 md:size-44"
        />
        <nav aria-label={t('wizard.label')} className="hidden md:block">
          <ol className="grid gap-0.5">
            {wizardSteps.map((name, n) => (
              <li
                key={name}
                aria-current={name === step ? 'step' : undefined}
                className={clsx(
                  'flex items-center gap-3 py-1',
                  name === step ? 'font-medium text-on-sky' : 'text-on-sky-muted',
                )}
              >
                <span
                  aria-hidden
                  className={clsx(
                    'size-2 rounded-full border border-current',
                    n <= at && 'border-transparent bg-(--moon-lit)',
                    name === step && 'ring-4 ring-(--glow)',
                  )}
                />
                {t(`wizard.step.${name}`)}
              </li>
            ))}
          </ol>
        </nav>
      </Sky>
      <main id="content" ref={main} className="overflow-y-auto px-6 py-8 md:px-12 md:py-14">
        <p role="status" className="sr-only">
          {t('wizard.progress', { step: at + 1, total: wizardSteps.length, name: t(`wizard.step.${step}`) })}
        </p>
        <div className="mx-auto h-full max-w-2xl">
          <Content key={step} onNext={() => setStep(stepAfter)} onBack={() => setStep(stepBefore)} />
        </div>
      </main>
    </div>
  );
}
