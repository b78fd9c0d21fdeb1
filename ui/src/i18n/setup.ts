import i18next, { type i18n } from 'i18next';
import { initReactI18next } from 'react-i18next';

import en from './en.json';
import { lengthened } from './long-strings';
import zhCN from './zh-CN.json';

/** Languages that people can choose, in their own words. */
export const languages = [
  { code: 'en', name: 'English' },
  { code: 'zh-CN', name: '简体中文' },
] as const;

/** Not a language: every text lengthened as German would, to see whether layouts hold. Development only. */
export const LONG_STRINGS = 'de-x-long';

const STORED_LANGUAGE = 'lull.language';

/** The language that was chosen; `null` follows the system. */
export function chosenLanguage(): string | null {
  return localStorage.getItem(STORED_LANGUAGE);
}

/** The nearest language there is to what the system prefers. */
function systemLanguage(): string {
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en';
}

/** Follows a choice, or the system again for `null`, and remembers it. */
export async function chooseLanguage(code: string | null): Promise<void> {
  if (code === null) localStorage.removeItem(STORED_LANGUAGE);
  else localStorage.setItem(STORED_LANGUAGE, code);
  await i18next.changeLanguage(code ?? systemLanguage());
}

/** Loads the catalogues; all are in the bundle. */
export async function setUpLanguages(): Promise<i18n> {
  i18next.on('languageChanged', (language) => {
    document.documentElement.lang = language;
  });
  await i18next.use(initReactI18next).init({
    lng: chosenLanguage() ?? systemLanguage(),
    fallbackLng: 'en',
    resources: {
      en: { translation: en },
      'zh-CN': { translation: zhCN },
      ...(__WITH_FAKE__ ? { [LONG_STRINGS]: { translation: lengthened(en) } } : {}),
    },
    // React escapes what it shows.
    interpolation: { escapeValue: false },
    returnNull: false,
  });
  return i18next;
}
