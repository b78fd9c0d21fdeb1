import { useTranslation } from 'react-i18next';

import { EffortChoice } from '../../worker/effort-choice';
import { StartSwitches } from '../../worker/start-switches';
import { PageHeading } from '../page-heading';
import { AboutSection } from './about-section';
import { DevicesSection } from './devices-section';
import { LookSection } from './look-section';
import { ModelsSection } from './models-section';
import { PowerPriceSection } from './power-price-section';
import { SandboxSection } from './sandbox-section';
import { Section } from './section';
import { WalletSection } from './wallet-section';
import { WhenSection } from './when-section';

/** All choices in one place. */
export function SettingsPage({ onMeasured }: { onMeasured: (device: number) => void }) {
  const { t } = useTranslation();
  return (
    <div className="grid gap-5">
      <PageHeading title={t('settings.title')} />
      <div className="grid gap-5 xl:grid-cols-2 xl:items-start">
        <div className="grid gap-5">
          <WhenSection />
          <Section title={t('settings.work')}>
            <EffortChoice label={t('settings.effort')} />
            <StartSwitches />
          </Section>
          <WalletSection />
          <LookSection />
        </div>
        <div className="grid gap-5">
          <DevicesSection onMeasured={onMeasured} />
          <ModelsSection />
          <PowerPriceSection />
          <SandboxSection />
          <AboutSection />
        </div>
      </div>
    </div>
  );
}
