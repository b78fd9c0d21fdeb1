import { useTranslation } from 'react-i18next';

import { Disclosure } from '../../components/disclosure';
import { IntentChoices } from '../../guards/intent-choices';
import { useSnapshot } from '../../worker/context';
import { GuardList } from './guard-list';
import { Section } from './section';

/** When the GPU is lent: by what people want, and guard by guard for those who want to know. */
export function WhenSection() {
  const { t } = useTranslation();
  const { guards } = useSnapshot();
  const wanted = guards.filter(({ stand }) => stand.state !== 'off').length;
  return (
    <Section title={t('settings.when')} text={t('settings.when_why')}>
      <IntentChoices label={t('settings.when')} />
      {guards.length > 0 && (
        <div className="-mx-3 border-t border-line pt-2">
          <Disclosure
            level={3}
            title={t('settings.guards')}
            text={t('settings.guards_why')}
            aside={t('settings.guards_wanted', { count: wanted, total: guards.length })}
            testId="all-guards"
          >
            {() => <GuardList />}
          </Disclosure>
        </div>
      )}
    </Section>
  );
}
