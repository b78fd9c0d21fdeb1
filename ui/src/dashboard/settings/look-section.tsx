import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { Segmented } from '../../components/segmented';
import { chooseLanguage, chosenLanguage, languages, LONG_STRINGS } from '../../i18n/setup';
import { chooseTheme, useChosenTheme } from '../../theme';
import { Section } from './section';

/** Theme and language. */
export function LookSection() {
  const { t } = useTranslation();
  const theme = useChosenTheme();
  const [language, setLanguage] = useState(() => chosenLanguage() ?? 'system');
  const options: { value: string; label: string }[] = [
    { value: 'system', label: t('settings.language_system') },
    ...languages.map(({ code, name }) => ({ value: code, label: name })),
    ...(__WITH_FAKE__ ? [{ value: LONG_STRINGS, label: 'Länge' }] : []),
  ];
  return (
    <Section title={t('settings.look')}>
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="font-medium">{t('settings.theme')}</p>
        <Segmented
          label={t('settings.theme')}
          value={theme}
          options={(['system', 'dark', 'light'] as const).map((value) => ({
            value,
            label: t(`settings.theme_${value}`),
          }))}
          onChange={chooseTheme}
        />
      </div>
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="font-medium">{t('settings.language')}</p>
        <Segmented
          label={t('settings.language')}
          value={language}
          options={options}
          onChange={(next) => {
            setLanguage(next);
            void chooseLanguage(next === 'system' ? null : next);
          }}
        />
      </div>
    </Section>
  );
}
