import { useTranslation } from 'react-i18next';

import { EstimateCard } from '../worker/estimate-card';
import { StepFrame, type StepProps } from './step-frame';

/** What a day could bring, honestly labelled. */
export function EstimateStep({ onNext, onBack }: StepProps) {
  const { t } = useTranslation();
  const text = t('wizard.estimate.practice');
  return (
    <StepFrame step="estimate" title={t('wizard.estimate.title')} text={text} onBack={onBack} next={{ onPress: onNext }}>
      <EstimateCard />
    </StepFrame>
  );
}
