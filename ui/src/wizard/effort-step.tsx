import { useTranslation } from 'react-i18next';

import { IntentChoices } from '../guards/intent-choices';
import { Disclosure } from '../components/disclosure';
import { ModelFacts } from '../models/model-facts';
import { ServeSwitch } from '../models/serve-switch';
import { EffortChoice } from '../worker/effort-choice';
import { StartSwitches } from '../worker/start-switches';
import { StepFrame, type StepProps } from './step-frame';

/** When and how hard to work. */
export function EffortStep({ onNext, onBack }: StepProps) {
  const { t } = useTranslation();
  return (
    <StepFrame
      step="effort"
      title={t('wizard.effort.title')}
      text={t('wizard.effort.text')}
      onBack={onBack}
      next={{ onPress: onNext }}
    >
      <div className="grid gap-3">
        <h2 className="text-base font-medium">{t('wizard.effort.when')}</h2>
        <IntentChoices label={t('wizard.effort.when')} />
      </div>
      <div className="grid gap-3">
        <h2 className="text-base font-medium">{t('wizard.effort.how_hard')}</h2>
        <EffortChoice label={t('wizard.effort.how_hard')} />
      </div>
      <div className="grid gap-1">
        <h2 className="text-base font-medium">{t('wizard.effort.models')}</h2>
        <ServeSwitch />
        <Disclosure level={3} title={t('models.facts')} testId="wizard-model-facts" className="-mx-3">
          {() => (
            <div className="px-3 pt-2 pb-1">
              <ModelFacts />
            </div>
          )}
        </Disclosure>
      </div>
      <div className="grid gap-1">
        <h2 className="text-base font-medium">{t('wizard.effort.start_title')}</h2>
        <StartSwitches />
      </div>
    </StepFrame>
  );
}
