import { ArrowLeft, ArrowRight } from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';

import { Button } from '../components/button';
import type { WizardStep } from './steps';

/** What every step is given. */
export interface StepProps {
  onNext: () => void;
  onBack: () => void;
}

interface StepFrameProps {
  step: WizardStep;
  title: string;
  text: string;
  children: ReactNode;
  onBack?: () => void;
  /** What leads on: left out where the step has its own button. */
  next?: { label?: string; disabled?: boolean; onPress: () => void };
  skip?: { onPress: () => void };
}

/** Heading, content and the buttons that lead back and on. */
export function StepFrame({ step, title, text, children, onBack, next, skip }: StepFrameProps) {
  const { t } = useTranslation();
  return (
    <section data-testid={`wizard-step-${step}`} aria-labelledby="wizard-title" className="flex min-h-full flex-col">
      <div className="grid animate-arrive content-start gap-8">
        <header className="grid gap-3">
          <h1
            id="wizard-title"
            tabIndex={-1}
            className="font-display text-[clamp(1.9rem,4vw,2.75rem)] leading-[1.08] font-semibold tracking-tight outline-none"
          >
            {title}
          </h1>
          <p className="max-w-[58ch] text-base text-pretty text-muted">{text}</p>
        </header>
        {children}
      </div>
      <footer className="mt-auto flex flex-wrap items-center gap-3 pt-10">
        {onBack && (
          <Button look="plain" onClick={onBack} data-testid="wizard-back">
            <ArrowLeft aria-hidden className="size-4" />
            {t('common.back')}
          </Button>
        )}
        <div className="ml-auto flex flex-wrap justify-end gap-3">
          {skip && (
            <Button look="plain" onClick={skip.onPress} data-testid="wizard-skip">
              {t('common.skip')}
            </Button>
          )}
          {next && (
            <Button look="primary" size="large" onClick={next.onPress} disabled={next.disabled} data-testid="wizard-next">
              {next.label ?? t('common.next')}
              <ArrowRight aria-hidden className="size-4" />
            </Button>
          )}
        </div>
      </footer>
    </section>
  );
}
